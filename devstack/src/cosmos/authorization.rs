//! Checks a request's master-key signature as the service does.
//! It never accepts resource tokens or Entra tokens: locally there is one key and no directory.

use anyhow::{Context as _, Result};
use axum::http::{HeaderMap, Method};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac as _};
use sha2::Sha256;
use url::form_urlencoded;

/// Whether the request was signed with `key`.
pub(super) fn is_signed(method: &Method, path: &str, headers: &HeaderMap, key: &[u8]) -> bool {
    verify(method, path, headers, key).is_some()
}

fn verify(method: &Method, path: &str, headers: &HeaderMap, key: &[u8]) -> Option<()> {
    let header = headers.get("authorization")?.to_str().ok()?;
    let date = headers
        .get("x-ms-date")
        .or_else(|| headers.get("date"))?
        .to_str()
        .ok()?;
    let signature = STANDARD.decode(signature(header)?).ok()?;
    code(method, path, date, key)?.verify_slice(&signature).ok()
}

/// The header that signs a request with the account's key.
pub(super) fn sign(method: &Method, path: &str, date: &str, key: &str) -> Result<String> {
    let code = code(method, path, date, &STANDARD.decode(key)?).context("the key cannot be used")?;
    let token = format!(
        "type=master&ver=1.0&sig={}",
        STANDARD.encode(code.finalize().into_bytes())
    );
    Ok(form_urlencoded::byte_serialize(token.as_bytes()).collect())
}

fn code(method: &Method, path: &str, date: &str, key: &[u8]) -> Option<Hmac<Sha256>> {
    let (kind, link) = resource(path);
    let method = method.as_str().to_ascii_lowercase();
    let text = format!("{method}\n{kind}\n{link}\n{}\n\n", date.to_ascii_lowercase());
    let mut code = Hmac::<Sha256>::new_from_slice(key).ok()?;
    code.update(text.as_bytes());
    Some(code)
}

/// The signature in `type=master&ver=1.0&sig=…`, which travels percent-encoded as a whole.
fn signature(header: &str) -> Option<String> {
    let token = decode(header);
    let mut parts = token.splitn(3, '&');
    let master = parts.next()? == "type=master" && parts.next()? == "ver=1.0";
    let signature = parts.next()?.strip_prefix("sig=")?.to_owned();
    master.then_some(signature)
}

/// The resource type and link that were signed: a path of pairs names a resource, any other a feed of its parent.
fn resource(path: &str) -> (String, String) {
    let segments: Vec<String> = path
        .split('/')
        .filter(|segment| !segment.is_empty())
        .map(decode_path)
        .collect();
    match segments.len() {
        0 => (String::new(), String::new()),
        count if count % 2 == 0 => (segments[count - 2].clone(), segments.join("/")),
        count => (segments[count - 1].clone(), segments[..count - 1].join("/")),
    }
}

fn decode(text: &str) -> String {
    // The whole header is one encoded word, so it parses as one key without a value.
    form_urlencoded::parse(text.as_bytes())
        .map(|(word, _)| word.into_owned())
        .next()
        .unwrap_or_default()
}

fn decode_path(segment: &str) -> String {
    // In a path, unlike a form, a plus is a plus, and `&` and `=` divide nothing.
    decode(
        &segment
            .replace('+', "%2B")
            .replace('&', "%26")
            .replace('=', "%3D"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_is_signed_by_its_whole_path_and_a_feed_by_its_parents() {
        let pair = |kind: &str, link: &str| (kind.to_owned(), link.to_owned());
        assert_eq!(resource("/"), pair("", ""));
        assert_eq!(resource("/dbs"), pair("dbs", ""));
        assert_eq!(
            resource("/dbs/orders/colls/orders/docs"),
            pair("docs", "dbs/orders/colls/orders")
        );
        assert_eq!(
            resource("/dbs/orders/colls/orders/docs/a%20b+c"),
            pair("docs", "dbs/orders/colls/orders/docs/a b+c")
        );
    }

    #[test]
    fn a_token_of_another_kind_has_no_signature() {
        assert_eq!(
            signature("type%3Dmaster%26ver%3D1.0%26sig%3Dab%2Bc%3D").as_deref(),
            Some("ab+c=")
        );
        assert_eq!(signature("type%3Daad%26ver%3D1.0%26sig%3Dab"), None);
        assert_eq!(signature("Bearer x"), None);
    }
}
