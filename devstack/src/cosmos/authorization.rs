//! Reads what a request brings to prove who asks, and checks a signature by the account's key as the service does.
//! It never accepts resource tokens, and never says whether a token is good.

use anyhow::{Context as _, Result};
use axum::http::{HeaderMap, Method};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac as _};
use sha2::Sha256;
use url::form_urlencoded;

use super::request::{decode, segments};

/// The key every Cosmos DB emulator is known by; it guards nothing.
pub(super) const KEY: &str =
    "C2y6yDjf5/R+ob0N8A7Cgv30VRDJIWEHLM+4QDU5DE2nQ9nDuVTqobD4b8mGGyPMbIZnqyMsEcaGQy67XIw/Jw==";

/// True when the request was signed with `key`.
pub(super) fn is_signed(method: &Method, path: &str, headers: &HeaderMap, key: &[u8]) -> bool {
    verify(method, path, headers, key).unwrap_or(false)
}

fn verify(method: &Method, path: &str, headers: &HeaderMap, key: &[u8]) -> Option<bool> {
    let header = headers.get("authorization")?.to_str().ok()?;
    let date = headers
        .get("x-ms-date")
        .or_else(|| headers.get("date"))?
        .to_str()
        .ok()?;
    let signature = STANDARD.decode(signature(header)?).ok()?;
    let signed = |signed: &(String, String)| {
        code(method, signed, date, key).is_some_and(|code| code.verify_slice(&signature).is_ok())
    };
    Some(signed(&resource(path)) || signed(&by_resource_id(path)))
}

/// The header that signs a request with the account's key.
pub(super) fn sign(method: &Method, path: &str, date: &str, key: &str) -> Result<String> {
    let code =
        code(method, &resource(path), date, &STANDARD.decode(key)?).context("the key cannot be used")?;
    let token = format!(
        "type=master&ver=1.0&sig={}",
        STANDARD.encode(code.finalize().into_bytes())
    );
    Ok(form_urlencoded::byte_serialize(token.as_bytes()).collect())
}

fn code(method: &Method, (kind, link): &(String, String), date: &str, key: &[u8]) -> Option<Hmac<Sha256>> {
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

/// The token in `type=aad&ver=1.0&sig=…`.
pub(super) fn token(headers: &HeaderMap) -> Option<String> {
    let header = decode(headers.get("authorization")?.to_str().ok()?);
    let token = header.strip_prefix("type=aad&ver=1.0&sig=")?;
    Some(token.to_owned())
}

/// The resource type and link that were signed: a path of pairs names a resource, any other a feed of its parent.
fn resource(path: &str) -> (String, String) {
    let mut segments = segments(path);
    // An operation on a container, such as deleting a partition, is signed as the container.
    if segments.get(4).is_some_and(|part| part == "operations") {
        segments.truncate(4);
    }
    match segments.len() {
        0 => (String::new(), String::new()),
        count if count % 2 == 0 => (segments[count - 2].clone(), segments.join("/")),
        count => (segments[count - 1].clone(), segments[..count - 1].join("/")),
    }
}

/// The same where resources are called by what the service named them (`_rid`): the last one's id alone, in small
/// letters (<https://learn.microsoft.com/rest/api/cosmos-db/access-control-on-cosmosdb-resources>).
fn by_resource_id(path: &str) -> (String, String) {
    let (kind, link) = resource(path);
    let id = link.rsplit('/').next().unwrap_or_default();
    (kind, id.to_ascii_lowercase())
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
    fn by_its_resource_id_it_is_signed_in_small_letters() {
        let pair = |kind: &str, link: &str| (kind.to_owned(), link.to_owned());
        assert_eq!(
            by_resource_id("/dbs/AAAAAg==/colls/AAAAAoAAAAE=/pkranges"),
            pair("pkranges", "aaaaaoaaaae=")
        );
        assert_eq!(by_resource_id("/offers/Offer_2_1"), pair("offers", "offer_2_1"));
        assert_eq!(
            resource("/dbs/d/colls/c/operations/partitionkeydelete"),
            pair("colls", "dbs/d/colls/c")
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
