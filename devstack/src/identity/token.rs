//! Access tokens as JSON Web Tokens (RFC 7519), signed with the directory's key.
//! It never reads what an identity may do out of a token: Azure's stores look that up as well.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, Mac as _};
use serde_json::{Value, json};
use sha2::Sha256;
use time::OffsetDateTime;
use uuid::Uuid;

use super::managed::ManagedIdentity;

/// Why a token is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TokenFault {
    /// It cannot be read.
    Malformed,
    /// Another directory's, or forged.
    Signature,
    /// For another store.
    Audience,
    Expired,
}

/// Whose token it is, and until when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct VerifiedToken {
    pub(crate) object_id: Uuid,
    /// In Unix seconds.
    pub(crate) expires: i64,
}

pub(super) fn issue(
    key: &[u8],
    tenant: Uuid,
    identity: &ManagedIdentity,
    audience: &str,
    expires: i64,
) -> String {
    let now = OffsetDateTime::now_utc().unix_timestamp();
    let header = json!({ "typ": "JWT", "alg": "HS256" });
    let claims = json!({
        "aud": audience,
        "iss": format!("https://sts.windows.net/{tenant}/"),
        "iat": now,
        "nbf": now,
        "exp": expires,
        "appid": identity.client_id,
        "oid": identity.object_id,
        "sub": identity.object_id,
        "tid": tenant,
        // Two tokens of one second are two.
        "uti": Uuid::new_v4(),
    });
    let signed = [header, claims].map(|part| URL_SAFE_NO_PAD.encode(part.to_string()));
    let signed = signed.join(".");
    let signature = mac(key, &signed).map(|code| URL_SAFE_NO_PAD.encode(code.finalize().into_bytes()));
    format!("{signed}.{}", signature.unwrap_or_default())
}

pub(super) fn verify(key: &[u8], token: &str, audience: &str, now: i64) -> Result<VerifiedToken, TokenFault> {
    let (signed, signature) = token.rsplit_once('.').ok_or(TokenFault::Malformed)?;
    let (_, claims) = signed.split_once('.').ok_or(TokenFault::Malformed)?;
    let decoded = |text: &str| URL_SAFE_NO_PAD.decode(text).map_err(|_| TokenFault::Malformed);
    let signature = decoded(signature)?;
    let code = mac(key, signed).ok_or(TokenFault::Signature)?;
    code.verify_slice(&signature).map_err(|_| TokenFault::Signature)?;
    let claims: Value = serde_json::from_slice(&decoded(claims)?).map_err(|_| TokenFault::Malformed)?;
    // Clients ask with and without a slash at the end.
    let its = claims["aud"].as_str().unwrap_or_default();
    if its.trim_end_matches('/') != audience {
        return Err(TokenFault::Audience);
    }
    let expires = claims["exp"].as_i64().ok_or(TokenFault::Malformed)?;
    if expires <= now {
        return Err(TokenFault::Expired);
    }
    let object_id = claims["oid"].as_str().and_then(|id| id.parse().ok());
    let object_id = object_id.ok_or(TokenFault::Malformed)?;
    Ok(VerifiedToken { object_id, expires })
}

fn mac(key: &[u8], signed: &str) -> Option<Hmac<Sha256>> {
    let mut code = Hmac::<Sha256>::new_from_slice(key).ok()?;
    code.update(signed.as_bytes());
    Some(code)
}

#[cfg(test)]
mod tests {
    use super::super::{Directory, SERVICE_BUS_AUDIENCE as BUS};
    use super::*;

    #[test]
    fn a_token_is_good_for_its_directory_audience_and_time_only() {
        let directory = Directory::default();
        let identity = directory.create("id-orders");
        let good = directory.issue(&identity, BUS, 1_000);
        let verified = directory.verify(&good, BUS, 999).expect("it is good");
        assert_eq!(
            (verified.object_id, verified.expires),
            (identity.object_id, 1_000)
        );
        let with_slash = directory.issue(&identity, &format!("{BUS}/"), 1_000);
        assert!(directory.verify(&with_slash, BUS, 0).is_ok());

        assert_eq!(directory.verify(&good, BUS, 1_000), Err(TokenFault::Expired));
        let cosmos = "https://cosmos.azure.com";
        assert_eq!(directory.verify(&good, cosmos, 0), Err(TokenFault::Audience));
        let other = Directory::default().issue(&identity, BUS, 1_000);
        assert_eq!(directory.verify(&other, BUS, 0), Err(TokenFault::Signature));
        let mut parts: Vec<&str> = good.split('.').collect();
        let claims = URL_SAFE_NO_PAD.encode(json!({ "aud": BUS, "exp": 9_000 }).to_string());
        parts[1] = &claims;
        assert_eq!(
            directory.verify(&parts.join("."), BUS, 0),
            Err(TokenFault::Signature)
        );
        for none in ["", "a.b", "a.b.%"] {
            assert!(directory.verify(none, BUS, 0).is_err(), "{none}");
        }
    }
}
