//! Requests as other clients send them, signed like theirs.
//! Never retries, and reads no more into an answer than it says.

use axum::body::Bytes;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use devstack::cosmos::CosmosEmulator;
use hmac::{Hmac, Mac as _};
use http_body_util::{BodyExt as _, Full};
use hyper::header::HeaderMap;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};
use sha2::Sha256;
use url::form_urlencoded;

use crate::options;

const DATE: &str = "Thu, 27 Nov 2026 09:00:00 GMT";

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
}

impl Answer {
    /// What the account says about its refusal.
    pub(crate) fn message(&self) -> &str {
        self.body["message"].as_str().unwrap_or_default()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

/// An account and a bare client of it.
pub(crate) struct Account {
    pub(crate) emulator: CosmosEmulator,
    client: Client<HttpConnector, Full<Bytes>>,
}

impl Account {
    /// An account with the database `d`.
    pub(crate) async fn start() -> Self {
        let emulator = CosmosEmulator::start(options(None)).await.unwrap();
        let client = Client::builder(TokioExecutor::new()).build_http();
        let account = Self { emulator, client };
        let made = account.send("POST", "/dbs", &[], json!({"id": "d"})).await;
        assert_eq!(made.status, 201, "{made:?}");
        account
    }

    /// Makes a container of `d` with these properties, and gives its path.
    pub(crate) async fn container(&self, id: &str, properties: Value) -> String {
        let mut container =
            json!({"id": id, "partitionKey": {"paths": ["/pk"], "kind": "Hash", "version": 2}});
        for (name, value) in properties.as_object().into_iter().flatten() {
            container[name] = value.clone();
        }
        let made = self.send("POST", "/dbs/d/colls", &[], container).await;
        assert_eq!(made.status, 201, "{made:?}");
        format!("/dbs/d/colls/{id}")
    }

    /// Sends JSON, signed with what the path says.
    pub(crate) async fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Value,
    ) -> Answer {
        let text = if body.is_null() {
            String::new()
        } else {
            body.to_string()
        };
        let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
        let (kind, link) = match parts.len() {
            0 => ("", String::new()),
            count if count % 2 == 0 => (parts[count - 2], parts.join("/")),
            count => (parts[count - 1], parts[..count - 1].join("/")),
        };
        self.send_signed(method, path, (kind, &link), headers, text.into())
            .await
    }

    /// Sends any body, signed for this type of resource and this link.
    pub(crate) async fn send_signed(
        &self,
        method: &str,
        path: &str,
        (kind, link): (&str, &str),
        headers: &[(&str, &str)],
        body: Bytes,
    ) -> Answer {
        let text = format!(
            "{}\n{kind}\n{link}\n{}\n\n",
            method.to_lowercase(),
            DATE.to_lowercase()
        );
        let key = STANDARD.decode(self.emulator.key()).unwrap();
        let mut code = Hmac::<Sha256>::new_from_slice(&key).unwrap();
        code.update(text.as_bytes());
        let token = format!(
            "type=master&ver=1.0&sig={}",
            STANDARD.encode(code.finalize().into_bytes())
        );
        let token: String = form_urlencoded::byte_serialize(token.as_bytes()).collect();
        let mut request = hyper::Request::builder()
            .method(method)
            .uri(format!("http://{}{path}", self.emulator.address()))
            .header("authorization", token)
            .header("x-ms-date", DATE)
            .header("x-ms-version", "2020-07-15");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let answer = self
            .client
            .request(request.body(Full::new(body)).unwrap())
            .await
            .unwrap();
        let (head, body) = answer.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        Answer {
            status: head.status.as_u16(),
            headers: head.headers,
            body: serde_json::from_slice(&body).unwrap_or(Value::Null),
        }
    }

    /// Makes an item of a container, in the partition that its `pk` says.
    pub(crate) async fn create(&self, container: &str, item: Value) -> Answer {
        let partition = json!([item["pk"]]).to_string();
        let headers = [("x-ms-documentdb-partitionkey", partition.as_str())];
        self.send("POST", &format!("{container}/docs"), &headers, item)
            .await
    }

    /// Asks a query of a whole container, or of one partition.
    pub(crate) async fn query(&self, container: &str, partition: Option<&str>, body: Value) -> Answer {
        let mut headers = vec![
            ("content-type", "application/query+json"),
            ("x-ms-documentdb-isquery", "True"),
            ("x-ms-documentdb-query-enablecrosspartition", "True"),
        ];
        headers.extend(partition.map(|key| ("x-ms-documentdb-partitionkey", key)));
        self.send("POST", &format!("{container}/docs"), &headers, body)
            .await
    }

    /// The rows of a query of a whole container.
    pub(crate) async fn rows(&self, container: &str, query: &str) -> Vec<Value> {
        let answer = self.query(container, None, json!({ "query": query })).await;
        assert_eq!(answer.status, 200, "{query}: {answer:?}");
        answer.body["Documents"].as_array().unwrap().clone()
    }
}
