//! The read model made anew: while the shop goes on, killed anywhere, proved, switched, taken back and removed.
//! Never believes the tool: what it says it has done is held against the API and the tables.

use std::{
    collections::BTreeMap,
    process::{Output, Stdio},
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use hyper::StatusCode;
use serde_json::{Value, json};
use tokio::{
    process::Command,
    time::{interval, timeout},
};
use uuid::Uuid;

use crate::{
    projections::{account, assert_shows, deliver, history},
    queries::{get, read_after},
    support::{App, Client, DEADLINE, Database, binary},
    system::System,
};

/// Holds every document against every event, those of a moment ago too.
pub(crate) const VERIFY: [&str; 4] = ["verify", "--grace", "0", "--json"];
/// Longest that one run of the tool may take: it waits for what everybody remembers, twice.
const RUN: Duration = Duration::from_secs(120);

fn tool(settings: &BTreeMap<String, String>, arguments: &[&str]) -> Command {
    let mut command = Command::new(binary());
    command
        .args(arguments)
        .env_clear()
        .envs(settings)
        .env("RUST_LOG", "error")
        .stdin(Stdio::null())
        .kill_on_drop(true);
    command
}

async fn run(settings: &BTreeMap<String, String>, arguments: &[&str]) -> Output {
    timeout(RUN, tool(settings, arguments).output())
        .await
        .unwrap()
        .unwrap()
}

/// What the tool answers, when it exits with this code.
pub(crate) async fn told(settings: &BTreeMap<String, String>, arguments: &[&str], code: i32) -> Value {
    let output = run(settings, arguments).await;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {output:?}");
    serde_json::from_str(&said).unwrap_or(Value::String(said))
}

/// The live generation after this, and the one before it.
async fn generations(settings: &BTreeMap<String, String>, step: &str) -> (Value, Value) {
    let mut pointer = told(settings, &["rebuild", step], 0).await;
    (pointer["live"].take(), pointer["previous"].take())
}

/// What reaches the tables and the documents of this system.
pub(crate) fn settings(system: &System) -> BTreeMap<String, String> {
    let mut settings = system.settings();
    let account = [
        ("COSMOS_ENDPOINT", system.stack.cosmos_endpoint()),
        ("COSMOS_KEY", system.stack.cosmos_key().to_owned()),
        ("COSMOS_DATABASE", "orders".to_owned()),
    ];
    settings.extend(account.map(|(name, value)| (name.to_owned(), value)));
    settings
}

/// Orders that are placed and paid until told to stop; each is read as it is, whatever is being rebuilt.
async fn shop(client: &Client, customer: &str, stop: &AtomicBool) -> Vec<String> {
    let mut placed = Vec::new();
    let mut customers = interval(Duration::from_millis(100));
    while !stop.load(Ordering::Relaxed) {
        customers.tick().await;
        let order = client.place(customer, &[("MUG", 1), ("PEN", 2)]).await;
        assert_eq!(order.status, StatusCode::CREATED, "{order:?}");
        let path = format!("/api/orders/{}", order.id());
        let paid = client.pay(&order).await;
        assert_eq!(read_after(client, &path, &paid).await.body["status"], "paid");
        placed.push(path);
    }
    placed
}

#[tokio::test]
async fn the_read_model_is_rebuilt_rolled_back_and_retired_while_the_shop_sells() {
    let system = System::start().await;
    let settings = settings(&system);
    let client = &system.client;
    let customer = client.seed(&[("MUG", 9_000), ("PEN", 9_000)]).await;
    let stop = AtomicBool::new(false);
    let shopping = shop(client, &customer, &stop);
    let rebuilding = async {
        let report = told(&settings, &["rebuild", "run", "--json"], 0).await;
        stop.store(true, Ordering::Relaxed);
        report
    };
    let (placed, report) = tokio::join!(shopping, rebuilding);
    assert_eq!(
        (&report["generation"], &report["different"]),
        (&json!(2), &json!(0)),
        "{report}"
    );
    assert!(report["documents"].as_i64().unwrap() > 5, "{report}");
    assert_eq!(generations(&settings, "status").await, (json!(2), json!(1)));
    let again = run(&settings, &["rebuild", "run"]).await;
    let why = String::from_utf8_lossy(&[again.stdout, again.stderr].concat()).into_owned();
    assert!(why.contains("`rebuild retire`"), "{why}");

    // Both are written, so that going back loses nothing.
    assert_eq!(generations(&settings, "rollback").await, (json!(1), json!(2)));
    let last = client.place(&customer, &[("MUG", 1)]).await;
    let path = format!("/api/orders/{}", last.id());
    read_after(client, &path, &last).await;
    system.delivered().await;
    for generation in ["1", "2"] {
        let arguments = [&VERIFY[..], &["--generation", generation]].concat();
        let report = told(&settings, &arguments, 0).await;
        assert_eq!(report["aggregates"], json!(placed.len() + 1 + 3), "{report}");
    }
    let removed = told(&settings, &["rebuild", "retire", "--rate", "5000"], 0).await;
    assert!(
        removed.as_str().unwrap().ends_with("documents removed\n"),
        "{removed}"
    );
    let gone = [&VERIFY[..], &["--generation", "2", "--sample", "10"]].concat();
    told(&settings, &gone, 1).await;
    for path in &placed {
        assert_eq!(get(client, path, &[]).await.body["status"], "paid", "{path}");
    }
}

/// Higher than any version of the log.
const FORGED: i64 = 1_000_000;

/// Projects forged messages: versions far above the log's of an order, a customer and a product, each with its subject, its
/// document's id, where the version stands and what the log says; and the order that nobody has placed, whose id comes last.
async fn forge(
    messages: &[Value],
    reader: &Client,
) -> (Vec<(String, &'static str, &'static str, Value)>, String) {
    let mut forged = Vec::new();
    for (prefix, id, version) in [
        ("orders.Order", "order", "/version"),
        ("orders.Customer", "customer", "/version"),
        ("orders.Product", "product", "/described/version"),
    ] {
        let of = |message: &&Value| {
            message["Data"]["message"]["type"]
                .as_str()
                .unwrap()
                .starts_with(prefix)
        };
        let mut wrong = messages.iter().rfind(of).unwrap().clone();
        let event = &mut wrong["Data"]["message"];
        let logged = event["data"]["state"]["version"].take();
        event["aggregateversion"] = json!(FORGED);
        event["data"]["state"]["version"] = json!(FORGED);
        forged.push((event["subject"].as_str().unwrap().to_owned(), id, version, logged));
        deliver(&wrong, std::slice::from_ref::<Client>(reader), 0).await;
    }
    // And of an order that nobody has placed.
    let made_up = messages
        .iter()
        .find(|it| it["Data"]["message"]["type"] == "orders.OrderPlaced.v1");
    let mut made_up = made_up.unwrap().clone();
    let id = Uuid::now_v7().to_string();
    let event = &mut made_up["Data"]["message"];
    (event["subject"], event["id"], event["data"]["state"]["id"]) = (json!(id), json!(id), json!(id));
    deliver(&made_up, std::slice::from_ref::<Client>(reader), 0).await;
    (forged, id)
}

#[tokio::test]
async fn a_killed_rebuild_continues_and_fills_an_empty_store() {
    let app = App::start().await;
    let messages = history(&app, 40).await;
    let (cosmos, settings) = account().await;
    let mut settings = settings;
    let database = app.database().settings(Database::server_address());
    settings.extend(database.into_iter().filter(|(name, _)| name.starts_with("PG")));
    // Each time as soon as it has written a little more.
    let mut written = 0;
    for _ in 0..4 {
        let mut tool = tool(&settings, &["rebuild", "run", "--rate", "2000"])
            .spawn()
            .unwrap();
        let working = async {
            let mut again = interval(Duration::from_millis(2));
            while cosmos.requests() < written + 40 {
                again.tick().await;
            }
        };
        timeout(RUN, working).await.unwrap();
        tool.kill().await.unwrap();
        written = cosmos.requests();
    }
    let report = told(&settings, &["rebuild", "run", "--json"], 0).await;
    assert_eq!(report["different"], 0, "{report}");
    let reader = App::start_alone(settings.clone()).await;
    assert_shows(&reader, &app).await;

    // Documents that are not what the log says are found, and a rebuild mends them: here by forged versions far above the log's.
    let (forged, id) = forge(&messages, &reader).await;
    let report = told(&settings, &VERIFY, 3).await;
    let differences = report["differences"].as_array().unwrap();
    let stray = differences
        .iter()
        .find(|it| it["found"]["orderId"] == json!(id))
        .unwrap();
    assert_eq!(
        (&stray["id"], &stray["expected"]),
        (&json!("order"), &Value::Null),
        "{stray}"
    );
    for (subject, id, version, logged) in forged {
        let is_it = |it: &&Value| it["id"] == id && it["pk"].as_str().unwrap().ends_with(&subject);
        let it = differences.iter().find(is_it).unwrap();
        assert_eq!(it["found"].pointer(version), Some(&json!(FORGED)), "{it}");
        assert_eq!(it["expected"].pointer(version), Some(&logged), "{it}");
    }
    told(&settings, &["rebuild", "retire", "--rate", "5000"], 0).await;
    told(&settings, &["rebuild", "run", "--json"], 0).await;
    told(&settings, &VERIFY, 0).await;
}

#[tokio::test]
async fn a_needless_rebuild_says_so_and_an_absent_store_ends_it() {
    let app = App::start().await;
    let mut settings = app.database().settings(Database::server_address());
    settings.insert("READ_MODEL".to_owned(), "postgres".to_owned());
    let refused = run(&settings, &["rebuild", "run"]).await;
    let why = String::from_utf8_lossy(&[refused.stdout, refused.stderr].concat()).into_owned();
    assert!(
        !refused.status.success() && why.contains("not applicable"),
        "{why}"
    );
    settings.remove("READ_MODEL");
    let (cosmos, account) = account().await;
    settings.extend(account);
    cosmos.stop().await.unwrap();
    let away = timeout(4 * DEADLINE, run(&settings, &["rebuild", "run"]))
        .await
        .unwrap();
    let why = String::from_utf8_lossy(&[away.stdout, away.stderr].concat()).into_owned();
    assert!(!away.status.success() && why.contains("read store"), "{why}");
}
