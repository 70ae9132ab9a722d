//! Starts the handler against a database of its own, and talks to it.
//! Never leaves a process behind: the handler is killed with its test, PostgreSQL goes with the test process.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Stdio,
    sync::OnceLock,
    time::Duration,
};

use bytes::Bytes;
use devstack::{app_folder, postgres::Server};
use http_body_util::{BodyExt, Full};
use hyper::{HeaderMap, Request, StatusCode};
use hyper_util::{
    client::legacy::{Client as HttpClient, connect::HttpConnector},
    rt::TokioExecutor,
};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
    sync::watch,
    time::timeout,
};
use uuid::Uuid;

/// How long anything that must happen may take.
pub(crate) const DEADLINE: Duration = Duration::from_secs(30);
const APP_ROLE: &str = "orders_app";
const APP_PASSWORD: &str = "app";

/// One server for all tests; each test has its own database in it.
fn server() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(|| Server::start(0).expect("PostgreSQL starts"))
}

/// The owner's URL of a database on the server of these tests.
pub(crate) fn admin_url(database: &str) -> String {
    server().admin_url(database)
}

pub(crate) fn binary() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| app_folder::build_handler("dev").expect("it builds"))
}

/// A database with the schema in it.
pub(crate) struct Database {
    pub(crate) name: String,
}

impl Database {
    pub(crate) async fn create() -> Self {
        let database = Self::empty().await;
        database.migrate().await;
        database
    }

    /// A database with nothing in it.
    pub(crate) async fn empty() -> Self {
        let name = format!("t{}", Uuid::now_v7().simple());
        let admin = connect(&server().admin_url("postgres")).await;
        // The role belongs to the whole server, so tests that start together may both try to make it.
        let role = format!(
            "do $$ begin create role {APP_ROLE} login password '{APP_PASSWORD}';
             exception when duplicate_object or unique_violation then null; end $$"
        );
        admin.batch_execute(&role).await.unwrap();
        admin
            .batch_execute(&format!("create database {name}"))
            .await
            .unwrap();
        Self { name }
    }

    /// Runs `handler migrate` as the owner; twice in a row must be harmless.
    pub(crate) async fn migrate(&self) {
        self.migrate_with(&[]).await;
    }

    pub(crate) async fn try_migrate(&self) -> std::process::Output {
        self.try_migrate_with(&[]).await
    }

    /// Like [`Self::migrate`], and keeps the read model in the database from then on.
    pub(crate) async fn keep_read_model(&self) {
        self.migrate_with(&["--read-model", "postgres"]).await;
    }

    /// And does not any more.
    pub(crate) async fn leave_read_model(&self) {
        self.migrate_with(&["--read-model", "cosmos"]).await;
    }

    async fn migrate_with(&self, arguments: &[&str]) {
        let output = self.try_migrate_with(arguments).await;
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stdout)
        );
    }

    async fn try_migrate_with(&self, arguments: &[&str]) -> std::process::Output {
        self.try_migrate_set(arguments, &[]).await
    }

    /// Runs it with these arguments and these settings besides.
    pub(crate) async fn try_migrate_set(
        &self,
        arguments: &[&str],
        set: &[(&str, &str)],
    ) -> std::process::Output {
        let mut settings = self.settings(server().address());
        settings.insert("PGUSER".into(), "postgres".into());
        settings.insert("PGPASSWORD".into(), "postgres".into());
        let mut command = Command::new(binary());
        command
            .args(["migrate", "--app-role", APP_ROLE])
            .args(arguments)
            .env_clear()
            .envs(settings)
            .envs(set.iter().copied());
        command.output().await.unwrap()
    }

    /// How this process connects as the app.
    pub(crate) fn config(&self) -> tokio_postgres::Config {
        let mut config = tokio_postgres::Config::new();
        let address = server().address();
        config.host(address.ip().to_string()).port(address.port());
        config.user(APP_ROLE).password(APP_PASSWORD).dbname(&self.name);
        config
    }

    /// Settings of the app's own role, reaching the server through `address`.
    pub(crate) fn settings(&self, address: SocketAddr) -> BTreeMap<String, String> {
        let pairs = [
            ("PGHOST", "127.0.0.1".to_owned()),
            ("PGPORT", address.port().to_string()),
            ("PGUSER", APP_ROLE.to_owned()),
            ("PGPASSWORD", APP_PASSWORD.to_owned()),
            ("PGDATABASE", self.name.clone()),
            ("AUTH", "development".to_owned()),
            ("AZURE_FUNCTIONS_ENVIRONMENT", "Development".to_owned()),
            ("FUNCTIONS_CUSTOMHANDLER_PORT", "0".to_owned()),
        ];
        pairs
            .into_iter()
            .map(|(key, value)| (key.to_owned(), value))
            .collect()
    }

    pub(crate) fn server_address() -> SocketAddr {
        server().address()
    }

    /// The one number that `sql` selects, asked as the owner.
    pub(crate) async fn number(&self, sql: &str) -> i64 {
        connect(&server().admin_url(&self.name))
            .await
            .query_one(sql, &[])
            .await
            .unwrap()
            .get(0)
    }

    /// A connection with the app's rights and no more.
    pub(crate) async fn as_app(&self) -> tokio_postgres::Client {
        let (name, address) = (&self.name, server().address());
        connect(&format!("postgres://{APP_ROLE}:{APP_PASSWORD}@{address}/{name}")).await
    }
}

pub(crate) async fn connect(url: &str) -> tokio_postgres::Client {
    let (client, connection) = tokio_postgres::connect(url, tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

/// A running handler; the requests of [`Client`] go to it.
pub(crate) struct App {
    database: Option<Database>,
    pub(crate) process: Child,
    client: Client,
    log: watch::Receiver<String>,
}

impl std::ops::Deref for App {
    type Target = Client;
    fn deref(&self) -> &Client {
        &self.client
    }
}

/// Speaks the API at one address.
#[derive(Clone)]
pub(crate) struct Client {
    url: String,
    http: HttpClient<HttpConnector, Full<Bytes>>,
}

/// An answer with its body as JSON (null when it is none).
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
}

impl App {
    pub(crate) async fn start() -> Self {
        let database = Database::create().await;
        let settings = database.settings(server().address());
        Self::start_with(database, settings).await
    }

    pub(crate) async fn start_with(database: Database, settings: BTreeMap<String, String>) -> Self {
        let app = Self::start_alone(settings).await;
        Self {
            database: Some(database),
            ..app
        }
    }

    pub(crate) fn database(&self) -> &Database {
        self.database.as_ref().expect("it was started with one")
    }

    /// Starts with these settings and no database of its own.
    pub(crate) async fn start_alone(settings: BTreeMap<String, String>) -> Self {
        let mut command = Command::new(binary());
        command
            .env_clear()
            .envs(settings)
            .stdout(Stdio::piped())
            .kill_on_drop(true);
        let mut process = command.spawn().unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let listening = async {
            while let Some(line) = lines.next_line().await.unwrap() {
                if let Some((_, address)) = line.split_once("listening address=") {
                    return address.trim().to_owned();
                }
            }
            panic!("the handler ended before it listened");
        };
        let address = timeout(DEADLINE, listening).await.unwrap();
        let (said, log) = watch::channel(String::new());
        tokio::spawn(async move {
            while let Ok(Some(line)) = lines.next_line().await {
                // Why it was a 500, where a test did not expect one.
                if ["request_failed", "panicked"]
                    .iter()
                    .any(|word| line.contains(word))
                {
                    eprintln!("{line}");
                }
                said.send_modify(|log| log.extend([line.as_str(), "\n"]));
            }
        });
        Self {
            database: None,
            process,
            client: Client::new(format!("http://{address}")),
            log,
        }
    }

    /// Waits until the log says this.
    pub(crate) async fn logged(&self, words: &str) {
        let mut log = self.log.clone();
        log.wait_for(|log| log.contains(words)).await.unwrap();
    }
}

impl Client {
    /// Where its requests go.
    pub(crate) fn address(&self) -> &str {
        self.url.trim_start_matches("http://")
    }

    pub(crate) fn new(url: String) -> Self {
        Self {
            url,
            http: HttpClient::builder(TokioExecutor::new()).build_http(),
        }
    }

    pub(crate) async fn send(
        &self,
        method: &str,
        path: &str,
        body: impl Into<String>,
        headers: &[(&str, &str)],
    ) -> Answer {
        self.try_send(method, path, body, headers)
            .await
            .expect("an answer")
    }

    /// Like [`Self::send`], where the answer may be lost.
    pub(crate) async fn try_send(
        &self,
        method: &str,
        path: &str,
        body: impl Into<String>,
        headers: &[(&str, &str)],
    ) -> Option<Answer> {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.url));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Full::new(Bytes::from(body.into()))).unwrap();
        self.answer(request).await
    }

    /// The answer, or `None` when the connection broke before it was complete.
    async fn answer(&self, request: Request<Full<Bytes>>) -> Option<Answer> {
        let response = timeout(DEADLINE, self.http.request(request))
            .await
            .unwrap()
            .ok()?;
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.ok()?.to_bytes();
        let body = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
        Some(Answer {
            status: parts.status,
            headers: parts.headers,
            body,
        })
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Answer {
        self.send(
            "POST",
            path,
            body.to_string(),
            &[("content-type", "application/json")],
        )
        .await
    }

    /// A customer, and products with this much stock, at 5.00 EUR each.
    pub(crate) async fn seed(&self, stock: &[(&str, i64)]) -> String {
        for (sku, pieces) in stock {
            let price = json!({ "amount": 500, "currency": "EUR" });
            let added = self
                .post(
                    "/api/products",
                    json!({ "sku": sku, "name": sku, "price": price }),
                )
                .await;
            assert_eq!(added.status, StatusCode::CREATED, "{added:?}");
            let restocked = self
                .post(
                    &format!("/api/products/{sku}/stock"),
                    json!({ "quantity": pieces }),
                )
                .await;
            assert_eq!(restocked.body["available"], json!(pieces), "{restocked:?}");
        }
        let registered = self
            .post(
                "/api/customers",
                json!({ "name": "Ada", "email": "ada@example.org" }),
            )
            .await;
        assert_eq!(registered.status, StatusCode::CREATED, "{registered:?}");
        registered.body["id"].as_str().unwrap().to_owned()
    }

    pub(crate) async fn place(&self, customer: &str, lines: &[(&str, i64)]) -> Answer {
        let line = |(sku, quantity): &(&str, i64)| json!({ "sku": sku, "quantity": quantity });
        let lines: Vec<Value> = lines.iter().map(line).collect();
        self.post("/api/orders", json!({ "customerId": customer, "lines": lines }))
            .await
    }
}
