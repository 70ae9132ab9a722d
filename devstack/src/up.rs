//! `cargo up`: builds the handler, starts what it needs, seeds a small shop through the API, and stays until Ctrl-C.
//! Never keeps anything: each start is fresh, and a killed one takes its parts with it.

use std::{
    collections::BTreeMap,
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, bail};
use axum::body::Body;
use http_body_util::BodyExt;
use hyper::Request;
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use serde_json::{Value, json};
use tokio::signal::unix::{SignalKind, signal};

use crate::{
    app_folder, handler_binary,
    host::{self, Host},
    postgres::Server,
};

/// What can be chosen on the command line.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// Port of the functions on 127.0.0.1.
    #[arg(long, default_value_t = 7071)]
    port: u16,
}

/// Runs the stack until Ctrl-C or SIGTERM, or until the host gives up.
///
/// # Errors
/// One line for whatever could not be started.
pub async fn run(options: Options) -> Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, options.port));
    drop(
        std::net::TcpListener::bind(listen)
            .with_context(|| format!("port {} is not free (--port chooses another)", options.port))?,
    );
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize()?;
    let binary = handler_binary::build(&root)?;
    let folder = app_folder(&root, &binary)?;
    let server = Server::start().context("PostgreSQL")?;
    let environment = prepare(&server, &folder).await.context("the database")?;
    let host = Host::start(host::Options {
        script_root: folder,
        listen,
        environment,
        quiet: false,
    })
    .await?;
    let (customer, sku) = seed(&host.url()).await.context("seeding")?;
    announce(&host.url(), server.address(), &customer, &sku);
    tokio::select! {
        _ = tokio::signal::ctrl_c() => Ok(()),
        _ = terminate.recv() => Ok(()),
        why = host.stopped() => bail!("the host stopped: {why}"),
    }
}

/// `target/app`, wherever cargo's target folder is.
fn app_folder(root: &Path, binary: &Path) -> Result<PathBuf> {
    let target = binary
        .parent()
        .and_then(Path::parent)
        .context("the handler is not in a target folder")?;
    let folder = target.join("app");
    app_folder::assemble(root, binary, &folder).context("assembling the app folder")?;
    Ok(folder)
}

/// Makes the database and its role, runs the migrations as the owner, and returns the app's own settings.
async fn prepare(server: &Server, folder: &Path) -> Result<BTreeMap<String, String>> {
    let (client, connection) = server.admin("postgres").connect(tokio_postgres::NoTls).await?;
    tokio::spawn(connection);
    client
        .batch_execute("create role orders_app login password 'orders_app'")
        .await?;
    client.batch_execute("create database orders").await?;
    let settings = |user: &str, password: &str| {
        let port = server.address().port().to_string();
        let pairs = [
            ("PGHOST", "127.0.0.1"),
            ("PGPORT", &port),
            ("PGUSER", user),
            ("PGPASSWORD", password),
        ];
        let pairs = pairs.into_iter().chain([("PGDATABASE", "orders")]);
        pairs
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect::<BTreeMap<_, _>>()
    };
    let mut migrate = Command::new(folder.join("handler"));
    migrate
        .args(["migrate", "--app-role", "orders_app"])
        .envs(settings("postgres", server.admin_password()));
    if !migrate.status()?.success() {
        bail!("handler migrate failed");
    }
    Ok(settings("orders_app", "orders_app"))
}

/// A few customers and products with stock; returns a customer's id and a SKU.
async fn seed(url: &str) -> Result<(String, String)> {
    for (sku, name, amount) in [
        ("MUG-BLUE", "Blue mug", 1299),
        ("PEN-BLACK", "Black pen", 250),
        ("BOOK-DDD", "Book", 4900),
    ] {
        let price = json!({ "amount": amount, "currency": "EUR" });
        post(
            url,
            "/api/products",
            json!({ "sku": sku, "name": name, "price": price }),
        )
        .await?;
        post(
            url,
            &format!("/api/products/{sku}/stock"),
            json!({ "quantity": 100 }),
        )
        .await?;
    }
    post(
        url,
        "/api/customers",
        json!({ "name": "Grace Hopper", "email": "grace@example.org" }),
    )
    .await?;
    let ada = post(
        url,
        "/api/customers",
        json!({ "name": "Ada Lovelace", "email": "ada@example.org" }),
    )
    .await?;
    let id = ada["id"].as_str().context("the customer has no id")?;
    Ok((id.to_owned(), "MUG-BLUE".to_owned()))
}

async fn post(url: &str, path: &str, body: Value) -> Result<Value> {
    let client = Client::builder(TokioExecutor::new()).build_http::<Body>();
    let request = Request::post(format!("{url}{path}")).header("content-type", "application/json");
    let response = client
        .request(request.body(Body::from(body.to_string()))?)
        .await?;
    let status = response.status();
    let bytes = response.into_body().collect().await?.to_bytes();
    if !status.is_success() {
        bail!("POST {path}: {status} {}", String::from_utf8_lossy(&bytes));
    }
    Ok(serde_json::from_slice(&bytes)?)
}

fn announce(url: &str, postgres: SocketAddr, customer: &str, sku: &str) {
    let order = json!({ "customerId": customer, "lines": [{ "sku": sku, "quantity": 2 }] });
    println!(
        "\n  functions    {url}/api\n  health       {url}/api/health\n  PostgreSQL   {postgres} (database orders)\n"
    );
    println!(
        "  curl -i {url}/api/orders -H 'content-type: application/json' -d '{order}'\n\n  Ctrl-C ends everything."
    );
}
