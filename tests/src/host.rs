//! The handler behind the Functions host stand-in: reached by its routes, killed and restarted by its rules.
//! Never kills a process that this test's host did not start.

use std::{
    path::Path,
    sync::atomic::{AtomicI64, Ordering},
};

use devstack::{
    app_folder,
    host::{Host, Options},
};
use futures_util::future::{join, join_all};
use hyper::StatusCode;
use serde_json::json;
use tokio::time::timeout;

use crate::support::{Client, DEADLINE, Database, binary};

/// A host with the whole app folder, and a database of its own.
struct Hosted {
    host: Host,
    client: Client,
    database: Database,
    _folder: tempfile::TempDir,
}

async fn start(auth: &str) -> Hosted {
    let database = Database::create().await;
    let folder = tempfile::tempdir().unwrap();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    app_folder::assemble(&root, binary(), folder.path()).unwrap();
    let mut environment = database.settings(Database::server_address());
    environment.insert("AUTH".into(), auth.into());
    let listen = ([127, 0, 0, 1], 0).into();
    let options = Options {
        script_root: folder.path().to_owned(),
        listen,
        environment,
        quiet: true,
    };
    let host = Host::start(options).await.unwrap();
    let client = Client::new(host.url());
    Hosted {
        host,
        client,
        database,
        _folder: folder,
    }
}

async fn kill(pid: u32) {
    let killed = tokio::process::Command::new("kill")
        .args(["-KILL", &pid.to_string()])
        .status()
        .await
        .unwrap();
    assert!(killed.success());
}

#[tokio::test]
async fn commands_reach_the_handler_by_the_routes_of_their_function_json() {
    let hosted = start("development").await;
    let customer = hosted.client.seed(&[("MUG", 3)]).await;
    assert_eq!(
        hosted.client.place(&customer, &[("MUG", 1)]).await.status,
        StatusCode::CREATED
    );
    let health = hosted.client.send("GET", "/api/health", "", &[]).await;
    assert_eq!(health.body["status"], "ok");
    // A route without a function, and a method that the function does not name.
    assert_eq!(
        hosted.client.post("/api/nothing", json!({})).await.status,
        StatusCode::NOT_FOUND
    );
    assert_eq!(
        hosted.client.send("GET", "/api/orders", "", &[]).await.status,
        StatusCode::NOT_FOUND
    );
}

#[tokio::test]
async fn a_forged_principal_does_not_get_in() {
    let hosted = start("easyauth").await;
    let principal = (
        "X-MS-CLIENT-PRINCIPAL",
        "eyJjbGFpbXMiOlt7InR5cCI6Im9pZCIsInZhbCI6ImFkYSJ9XX0=",
    );
    let body = json!({ "name": "Ada", "email": "ada@example.org" }).to_string();
    let headers = [("content-type", "application/json"), principal];
    let answer = hosted.client.send("POST", "/api/customers", body, &headers).await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_killed_handler_is_started_again_and_the_third_kill_stops_the_host() {
    let hosted = start("development").await;
    let customer = hosted.client.seed(&[("MUG", 9)]).await;
    for _ in 0..2 {
        let pid = hosted.host.handler_pid().unwrap();
        kill(pid).await;
        let back = async {
            while hosted.host.handler_pid().is_none_or(|now| now == pid) {
                tokio::task::yield_now().await;
            }
        };
        timeout(DEADLINE, back).await.unwrap();
        assert_eq!(
            hosted.client.place(&customer, &[("MUG", 1)]).await.status,
            StatusCode::CREATED
        );
    }
    kill(hosted.host.handler_pid().unwrap()).await;
    let why = timeout(DEADLINE, hosted.host.stopped()).await.unwrap();
    assert!(why.contains("Exceeded http worker restart retry count"), "{why}");
    let answer = hosted.client.place(&customer, &[("MUG", 1)]).await;
    assert_eq!(answer.status, StatusCode::INTERNAL_SERVER_ERROR);
}

#[tokio::test]
async fn whatever_was_answered_201_survives_kills_and_stock_is_conserved() {
    const ORDERS: i64 = 200;
    let hosted = start("development").await;
    let customer = hosted.client.seed(&[("MUG", 5000)]).await;
    let answered = AtomicI64::new(0);
    let clients = (0..8).map(|_| async {
        let mut accepted = Vec::new();
        for _ in 0..ORDERS / 8 {
            let answer = hosted.client.try_place(&customer, &[("MUG", 2)]).await;
            answered.fetch_add(1, Ordering::Relaxed);
            accepted.extend(
                answer
                    .filter(|a| a.status == StatusCode::CREATED)
                    .map(|a| a.body["id"].clone()),
            );
        }
        accepted
    });
    let kills = async {
        for after in [ORDERS / 4, ORDERS / 2] {
            while answered.load(Ordering::Relaxed) < after || hosted.host.handler_pid().is_none() {
                tokio::task::yield_now().await;
            }
            kill(hosted.host.handler_pid().unwrap()).await;
        }
    };
    let (accepted, ()) = timeout(DEADLINE, join(join_all(clients), kills)).await.unwrap();
    let accepted: Vec<String> = accepted
        .concat()
        .iter()
        .map(|id| id.as_str().unwrap().to_owned())
        .collect();
    assert!(!accepted.is_empty());
    let ids = accepted
        .iter()
        .map(|id| format!("'{id}'"))
        .collect::<Vec<_>>()
        .join(",");
    let known = format!("select count(*) from write_model.orders where id in ({ids})");
    assert_eq!(
        hosted.database.number(&known).await,
        i64::try_from(accepted.len()).unwrap()
    );
    let orders = hosted
        .database
        .number("select count(*) from write_model.orders")
        .await;
    let events = "select count(*) from write_model.events join write_model.outbox using (position)
        where type = 'orders.OrderPlaced.v1'";
    assert_eq!(hosted.database.number(events).await, orders);
    assert_eq!(
        hosted
            .database
            .number("select available from write_model.stock")
            .await
            + 2 * orders,
        5000
    );
}

#[tokio::test]
async fn a_taken_port_is_refused_with_one_line_that_names_it() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let listen = taken.local_addr().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    app_folder::assemble(&root, binary(), folder.path()).unwrap();
    let options = Options {
        script_root: folder.path().to_owned(),
        listen,
        environment: [].into(),
        quiet: true,
    };
    let said = Host::start(options).await.err().unwrap().to_string();
    assert!(
        said.contains(&listen.port().to_string()) && said.lines().count() == 1,
        "{said}"
    );
}

#[tokio::test]
async fn a_trigger_that_cannot_be_run_here_is_refused_by_the_name_of_its_function() {
    let folder = tempfile::tempdir().unwrap();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    app_folder::assemble(&root, binary(), folder.path()).unwrap();
    let function = folder.path().join("Tick");
    std::fs::create_dir(&function).unwrap();
    let timer =
        r#"{"bindings":[{"type":"timerTrigger","direction":"in","name":"timer","schedule":"0 * * * * *"}]}"#;
    std::fs::write(function.join("function.json"), timer).unwrap();
    let listen = ([127, 0, 0, 1], 0).into();
    let options = Options {
        script_root: folder.path().to_owned(),
        listen,
        environment: [].into(),
        quiet: true,
    };
    let said = Host::start(options).await.err().unwrap().to_string();
    assert!(said.contains("Tick"), "{said}");
}
