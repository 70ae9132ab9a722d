//! A storage account over its REST calls, signed with the account's key: leases on blobs, as the real host takes them.
//! It never speaks TLS: locally the account is Azurite.

use std::collections::BTreeMap;

use axum::body::Body;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use hmac::{Hmac, Mac as _};
use http_body_util::BodyExt as _;
use hyper::{Method, Request, StatusCode, header};
use sha2::Sha256;
use time::{OffsetDateTime, format_description::well_known::Rfc2822};
use url::Url;
use uuid::Uuid;

use super::lease::LeaseError;
use crate::host::{
    client::{self, Http},
    error_chain::chain,
};

const CONTAINER: &str = "azure-webjobs-hosts";
const API_VERSION: &str = "2021-12-02";

/// The blob service of one account.
#[derive(Clone)]
pub(crate) struct StorageAccount {
    endpoint: Url,
    name: String,
    key: Vec<u8>,
    client: Http,
}

/// A call of the service; headers are those it is signed with.
struct BlobCall<'a> {
    path: String,
    query: &'a [(&'a str, &'a str)],
    headers: &'a [(&'a str, &'a str)],
}

impl StorageAccount {
    /// Reads a connection string; the problem in words when it is none that can be used here.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let mut parts: BTreeMap<String, &str> = BTreeMap::new();
        for part in text.split(';').filter(|part| !part.trim().is_empty()) {
            let (name, value) = part
                .split_once('=')
                .ok_or("is no connection string: a part has no '='")?;
            parts.insert(name.trim().to_ascii_lowercase(), value.trim());
        }
        let part = |name: &str| {
            parts.get(&name.to_ascii_lowercase()).copied().ok_or_else(|| {
                format!("must be UseDevelopmentStorage=true or a connection string with {name}")
            })
        };
        let endpoint = Url::parse(part("BlobEndpoint")?).map_err(|error| format!("BlobEndpoint: {error}"))?;
        if endpoint.scheme() != "http" {
            return Err(
                "BlobEndpoint must begin with http://: the stand-in speaks no TLS to storage".to_owned(),
            );
        }
        let key = STANDARD.decode(part("AccountKey")?);
        Ok(Self {
            endpoint,
            name: part("AccountName")?.to_owned(),
            key: key.map_err(|error| format!("AccountKey is no base64: {error}"))?,
            client: client::new(),
        })
    }

    pub(super) async fn answers(&self) -> bool {
        let call = BlobCall {
            path: CONTAINER.to_owned(),
            query: &[("restype", "container")],
            headers: &[],
        };
        self.send(Method::GET, call).await.is_ok()
    }

    pub(super) async fn acquire(&self, name: &str, owner: Uuid, seconds: u64) -> Result<(), LeaseError> {
        let (seconds, owner) = (seconds.to_string(), owner.to_string());
        let headers = [
            ("x-ms-lease-action", "acquire"),
            ("x-ms-lease-duration", &seconds),
            ("x-ms-proposed-lease-id", &owner),
        ];
        match self.lease(name, &headers).await? {
            StatusCode::NOT_FOUND => {
                self.create(name).await?;
                outcome(self.lease(name, &headers).await?)
            }
            status => outcome(status),
        }
    }

    pub(super) async fn renew(&self, name: &str, owner: Uuid) -> Result<(), LeaseError> {
        outcome(self.held(name, owner, "renew").await?)
    }

    pub(super) async fn release(&self, name: &str, owner: Uuid) -> Result<(), LeaseError> {
        outcome(self.held(name, owner, "release").await?)
    }

    async fn held(&self, name: &str, owner: Uuid, action: &str) -> Result<StatusCode, LeaseError> {
        let owner = owner.to_string();
        self.lease(name, &[("x-ms-lease-action", action), ("x-ms-lease-id", &owner)])
            .await
    }

    async fn lease(&self, name: &str, headers: &[(&str, &str)]) -> Result<StatusCode, LeaseError> {
        let call = BlobCall {
            path: format!("{CONTAINER}/{name}"),
            query: &[("comp", "lease")],
            headers,
        };
        self.send(Method::PUT, call).await
    }

    /// Makes the container and the blob; another host may just have made them.
    async fn create(&self, name: &str) -> Result<(), LeaseError> {
        let container = BlobCall {
            path: CONTAINER.to_owned(),
            query: &[("restype", "container")],
            headers: &[],
        };
        let blob = BlobCall {
            path: format!("{CONTAINER}/{name}"),
            query: &[],
            headers: &[("if-none-match", "*"), ("x-ms-blob-type", "BlockBlob")],
        };
        for call in [container, blob] {
            match self.send(Method::PUT, call).await? {
                status if status.is_success() => {}
                StatusCode::CONFLICT | StatusCode::PRECONDITION_FAILED => {}
                status => return Err(LeaseError::Away(format!("it answered {status}"))),
            }
        }
        Ok(())
    }

    async fn send(&self, method: Method, call: BlobCall<'_>) -> Result<StatusCode, LeaseError> {
        let request = self.signed(method, &call).map_err(LeaseError::Away)?;
        let response = self.client.request(request).await;
        let response = response.map_err(|error| LeaseError::Away(chain(&error)))?;
        let status = response.status();
        // Read to its end, so that the connection can be used again; what it says is told by its status.
        let _ = response.into_body().collect().await;
        Ok(status)
    }

    fn signed(&self, method: Method, call: &BlobCall<'_>) -> Result<Request<Body>, String> {
        let date = OffsetDateTime::now_utc().format(&Rfc2822);
        let date = date.map_err(|error| error.to_string())?.replace("+0000", "GMT");
        let mut headers: BTreeMap<&str, &str> = call.headers.iter().copied().collect();
        headers.extend([("x-ms-date", date.as_str()), ("x-ms-version", API_VERSION)]);
        let mut url = self.endpoint.clone();
        url.set_path(&format!("{}/{}", url.path().trim_end_matches('/'), call.path));
        let text = string_to_sign(&method, &headers, &self.name, url.path(), call.query);
        let mut code = Hmac::<Sha256>::new_from_slice(&self.key).map_err(|error| error.to_string())?;
        code.update(text.as_bytes());
        let signature = STANDARD.encode(code.finalize().into_bytes());
        if !call.query.is_empty() {
            url.query_pairs_mut().extend_pairs(call.query);
        }
        let mut request = Request::builder().method(method).uri(url.as_str());
        for (name, value) in headers {
            request = request.header(name, value);
        }
        request
            .header(
                header::AUTHORIZATION,
                format!("SharedKey {}:{signature}", self.name),
            )
            .header(header::CONTENT_LENGTH, "0")
            .body(Body::empty())
            .map_err(|error| error.to_string())
    }
}

/// The text of a Shared Key signature for a call without a body (Microsoft: "Authorize with Shared Key").
fn string_to_sign(
    method: &Method,
    headers: &BTreeMap<&str, &str>,
    account: &str,
    path: &str,
    query: &[(&str, &str)],
) -> String {
    let if_none_match = headers.get("if-none-match").copied().unwrap_or_default();
    let own = headers.iter().filter(|(name, _)| name.starts_with("x-ms-"));
    let own: String = own.map(|(name, value)| format!("{name}:{value}\n")).collect();
    let query: BTreeMap<&str, &str> = query.iter().copied().collect();
    let query: String = query
        .iter()
        .map(|(name, value)| format!("\n{name}:{value}"))
        .collect();
    // Before the fields that are signed by their place: encoding, language, length, MD5, type, date, and three conditions.
    format!("{method}\n\n\n\n\n\n\n\n\n{if_none_match}\n\n\n{own}/{account}{path}{query}")
}

fn outcome(status: StatusCode) -> Result<(), LeaseError> {
    match status {
        status if status.is_success() => Ok(()),
        StatusCode::CONFLICT | StatusCode::PRECONDITION_FAILED | StatusCode::NOT_FOUND => {
            Err(LeaseError::Taken)
        }
        status => Err(LeaseError::Away(format!("it answered {status}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_string_that_cannot_be_used_is_told_in_words() {
        let whole = "AccountName=a;AccountKey=a2V5;BlobEndpoint=http://127.0.0.1:10000/a;";
        assert!(StorageAccount::parse(whole).is_ok());
        for (text, words) in [
            ("AccountName=a;AccountKey=a2V5", "BlobEndpoint"),
            ("AccountName=a;BlobEndpoint=http://h/a", "AccountKey"),
            ("AccountKey=a2V5;BlobEndpoint=http://h/a", "AccountName"),
            ("AccountName=a;AccountKey=a2V5;BlobEndpoint=https://h/a", "TLS"),
            ("AccountName=a;AccountKey=&;BlobEndpoint=http://h/a", "base64"),
            ("nonsense", "connection string"),
        ] {
            let problem = StorageAccount::parse(text).err().expect(text);
            assert!(problem.contains(words), "{problem}");
        }
    }

    #[test]
    fn what_is_signed_has_its_fields_in_the_order_of_the_service() {
        let headers = BTreeMap::from([("x-ms-version", "v"), ("x-ms-date", "d"), ("if-none-match", "*")]);
        let text = string_to_sign(&Method::PUT, &headers, "a", "/a/c/b", &[("comp", "lease")]);
        assert_eq!(
            text,
            "PUT\n\n\n\n\n\n\n\n\n*\n\n\nx-ms-date:d\nx-ms-version:v\n/a/a/c/b\ncomp:lease"
        );
    }
}
