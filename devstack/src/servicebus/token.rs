//! Verifies shared access signatures.
//! Never keeps a token: it says what one grants and until when.

use base64::{Engine, engine::general_purpose::STANDARD};
use hmac::{Hmac, Mac};
use sha2::Sha256;

use crate::identity::covers;

/// The key every local emulator is known to have.
pub(crate) const KEY_NAME: &str = "RootManageSharedAccessKey";
/// Its value, which is no secret.
pub(crate) const KEY: &str = "SAS_KEY_VALUE";

/// The beginning of every token that is made from a key.
pub(crate) const SHARED_ACCESS: &str = "SharedAccessSignature ";

/// Verifies a `SharedAccessSignature …` for `audience`; gives its expiry in Unix milliseconds.
pub(crate) fn verify(token: &str, audience: &str, now_ms: i64) -> Result<i64, &'static str> {
    let fields = token
        .strip_prefix(SHARED_ACCESS)
        .ok_or("the token is no shared access signature")?;
    let field = |name: &str| {
        let mut pairs = fields.split('&').filter_map(|pair| pair.split_once('='));
        pairs.find(|(key, _)| *key == name).map(|(_, value)| value)
    };
    let (Some(resource), Some(signature), Some(expiry), Some(key)) =
        (field("sr"), field("sig"), field("se"), field("skn"))
    else {
        return Err("the token lacks sr, sig, se or skn");
    };
    if key != KEY_NAME {
        return Err("the token names an unknown key");
    }
    let signature = STANDARD
        .decode(unescape(signature))
        .map_err(|_| "the signature is not base64")?;
    let mut mac = Hmac::<Sha256>::new_from_slice(KEY.as_bytes()).map_err(|_| "the key is unusable")?;
    mac.update(resource.as_bytes());
    mac.update(b"\n");
    mac.update(expiry.as_bytes());
    mac.verify_slice(&signature)
        .map_err(|_| "the signature is wrong")?;
    let expires = expiry
        .parse::<i64>()
        .ok()
        .and_then(|seconds| seconds.checked_mul(1_000));
    let expires = expires.ok_or("the expiry is no number")?;
    if expires <= now_ms {
        return Err("the token has expired");
    }
    if !covers(&path(&unescape(resource)), &path(audience)) {
        return Err("the token is for another resource");
    }
    Ok(expires)
}

/// An address without scheme and authority, in lower case.
pub(crate) fn path(address: &str) -> String {
    let path = match address.split_once("://") {
        Some((_, rest)) => rest.split_once('/').map_or("", |(_, path)| path),
        None => address,
    };
    path.trim_matches('/').to_ascii_lowercase()
}

fn unescape(text: &str) -> String {
    // `+` is a plain plus in base64, which some clients leave as it is.
    let text = text.replace('+', "%2B");
    url::form_urlencoded::parse(format!("v={text}").as_bytes())
        .next()
        .map(|(_, value)| value.into_owned())
        .unwrap_or_default()
}
