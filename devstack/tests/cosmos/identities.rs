//! The way into the account that is as in Azure: HTTPS, and each identity with its roles.
//! It never sends a key, but where that is to be refused.

use std::time::{SystemTime, UNIX_EPOCH};

use axum::body::Bytes;
use devstack::cosmos::CosmosEmulator;
use devstack::identity::{COSMOS_AUDIENCE, Directory, ManagedIdentity, Role, SERVICE_BUS_AUDIENCE};
use devstack::tls::{CertificateAuthority, TlsClient};
use http_body_util::{BodyExt as _, Full};
use hyper::Request;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use url::Url;

use crate::options;

/// An account with a door as in Azure, and one identity.
struct AzureAccount {
    _emulator: CosmosEmulator,
    endpoint: Url,
    tls: TlsClient,
    directory: Directory,
    identity: ManagedIdentity,
}

/// Status, substatus and body.
type Told = (u16, Option<String>, Value);

impl AzureAccount {
    async fn start() -> Self {
        let authority = CertificateAuthority::new().unwrap();
        let directory = Directory::default();
        let mut emulator = CosmosEmulator::start(options(None)).await.unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let certificate = authority.certify().unwrap();
        let endpoint = emulator
            .serve_like_azure(listener, &certificate, &directory, None)
            .unwrap();
        Self {
            _emulator: emulator,
            endpoint: endpoint.parse().unwrap(),
            tls: TlsClient::trusting(&authority.pem()).unwrap(),
            identity: directory.create("id-orders"),
            directory,
        }
    }

    fn token(&self, audience: &str, seconds: i64) -> String {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let expires = i64::try_from(now.as_secs()).unwrap() + seconds;
        self.directory.issue(&self.identity, audience, expires)
    }

    async fn send_as(&self, authorization: &str, asked: (&str, &str), body: Value) -> Told {
        let (method, path) = asked;
        let port = self.endpoint.port().unwrap();
        let stream = self.tls.connect("localhost", port).await.unwrap();
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", "localhost")
            .header("authorization", authorization)
            .header("x-ms-documentdb-partitionkey", "[\"1\"]");
        if body["query"].is_string() {
            request = request
                .header("x-ms-documentdb-isquery", "true")
                .header("content-type", "application/query+json");
        }
        let body = if body.is_null() {
            String::new()
        } else {
            body.to_string()
        };
        let request = request.body(Full::new(Bytes::from(body))).unwrap();
        let response = sender.send_request(request).await.unwrap();
        let (head, body) = response.into_parts();
        let substatus = head.headers.get("x-ms-substatus");
        let substatus = substatus.map(|value| value.to_str().unwrap().to_owned());
        let body = body.collect().await.unwrap().to_bytes();
        let body = serde_json::from_slice(&body).unwrap_or_default();
        (head.status.as_u16(), substatus, body)
    }

    async fn send(&self, method: &str, path: &str, body: Value) -> Told {
        let token = self.token(COSMOS_AUDIENCE, 600);
        self.send_as(&authorization(&token), (method, path), body).await
    }
}

fn authorization(token: &str) -> String {
    let header = format!("type=aad&ver=1.0&sig={token}");
    url::form_urlencoded::byte_serialize(header.as_bytes()).collect()
}

const DOCS: &str = "/dbs/orders/colls/orders/docs";
const CONTROL: &str = "/dbs/orders/colls/control/docs";

fn told(answer: &Told) -> (u16, Option<&str>) {
    (answer.0, answer.1.as_deref())
}

#[tokio::test]
async fn a_reader_reads_and_writes_nothing() {
    let account = AzureAccount::start().await;
    let nobody = account.send("GET", "/", Value::Null).await;
    assert_eq!(told(&nobody), (403, Some("5301")), "{nobody:?}");
    account
        .directory
        .assign(&account.identity, Role::CosmosReader, "dbs/orders");
    let (status, _, body) = account.send("GET", "/", Value::Null).await;
    assert_eq!(status, 200, "{body}");
    assert_eq!(
        body["writableLocations"][0]["databaseAccountEndpoint"],
        account.endpoint.as_str()
    );
    let query = json!({ "query": "SELECT * FROM c", "parameters": [] });
    for (method, path, body, status) in [
        ("GET", "/dbs/orders", Value::Null, 200),
        ("GET", "/dbs/orders/colls/orders", Value::Null, 200),
        ("GET", "/dbs/orders/colls/orders/pkranges", Value::Null, 200),
        ("POST", DOCS, query, 200),
        ("GET", "/dbs/orders/colls/orders/docs/none", Value::Null, 404),
    ] {
        let answer = account.send(method, path, body).await;
        assert_eq!(answer.0, status, "{method} {path}: {answer:?}");
    }
    let document = json!({ "id": "1", "pk": "1" });
    for (method, path) in [
        ("POST", DOCS.to_owned()),
        ("PUT", format!("{DOCS}/1")),
        ("PATCH", format!("{DOCS}/1")),
        ("DELETE", format!("{DOCS}/1")),
    ] {
        let answer = account.send(method, &path, document.clone()).await;
        assert_eq!(told(&answer), (403, Some("5302")), "{method} {path}: {answer:?}");
        let said = answer.2["message"].as_str().unwrap();
        assert!(said.contains("does not have required RBAC permissions"), "{said}");
    }
}

#[tokio::test]
async fn a_contributor_of_one_container_writes_there_only_and_makes_no_container() {
    let account = AzureAccount::start().await;
    for (role, scope) in [
        (Role::CosmosContributor, "dbs/orders/colls/orders"),
        (Role::CosmosReader, "dbs/orders/colls/control"),
    ] {
        account.directory.assign(&account.identity, role, scope);
    }
    let document = json!({ "id": "1", "pk": "1" });
    let refused = account.send("POST", CONTROL, document.clone()).await;
    assert_eq!(told(&refused), (403, Some("5302")), "{refused:?}");
    let read = account.send("GET", &format!("{CONTROL}/none"), Value::Null).await;
    assert_eq!(read.0, 404, "{read:?}");
    let written = account.send("POST", DOCS, document).await;
    assert!(![401, 403].contains(&written.0), "{written:?}");
    let made = account
        .send("POST", "/dbs/orders/colls", json!({ "id": "more" }))
        .await;
    assert_eq!(told(&made), (403, Some("5300")), "{made:?}");
    account
        .directory
        .unassign(&account.identity, Role::CosmosContributor);
    let refused = account.send("DELETE", &format!("{DOCS}/1"), Value::Null).await;
    assert_eq!(told(&refused), (403, Some("5302")), "{refused:?}");
}

#[tokio::test]
async fn tokens_that_are_none_and_the_key_are_refused() {
    let account = AzureAccount::start().await;
    account
        .directory
        .assign(&account.identity, Role::CosmosReader, "");
    let strangers = Directory::default();
    let stranger = strangers.issue(&strangers.create("id-orders"), COSMOS_AUDIENCE, 4_000_000_000);
    for (token, substatus) in [
        (account.token(SERVICE_BUS_AUDIENCE, 600), "5008"),
        (account.token(COSMOS_AUDIENCE, -1), "5006"),
        (stranger, "5004"),
        ("a.b".to_owned(), "5003"),
    ] {
        let answer = account
            .send_as(&authorization(&token), ("GET", "/"), Value::Null)
            .await;
        assert_eq!(told(&answer), (401, Some(substatus)), "{answer:?}");
    }
    let key = "type%3Dmaster%26ver%3D1.0%26sig%3Dab";
    let answer = account.send_as(key, ("GET", "/"), Value::Null).await;
    assert_eq!(told(&answer), (401, Some("5202")), "{answer:?}");
}

#[tokio::test]
async fn a_request_without_tls_is_not_answered() {
    let account = AzureAccount::start().await;
    let port = account.endpoint.port().unwrap();
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    stream
        .write_all(b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n")
        .await
        .unwrap();
    let mut answer = Vec::new();
    // A reset is as good an end.
    let _ = stream.read_to_end(&mut answer).await;
    assert!(!answer.starts_with(b"HTTP"), "{answer:?}");
}
