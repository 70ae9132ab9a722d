//! PostgreSQL away, full, crashed and restarted.
//! Never stops the server that the other tests use: where one is stopped, it is the test's own.

use std::{sync::atomic::Ordering::Relaxed, time::Instant};

use devstack::{postgres::Shutdown, stack::PostgresChoice, wire::Proxy};
use futures_util::future::join;
use hyper::StatusCode;
use serde_json::json;

use super::{Traffic, until};
use crate::{
    support::{App, DEADLINE, Database, admin_url, connect},
    system::System,
};

/// Longest that a caller waits for an answer, whatever the database does: the three times that it is waited for 3 s, and some.
const ANSWERED_MS: u64 = 12_000;

#[tokio::test]
async fn without_postgresql_commands_answer_503_and_come_back_by_themselves() {
    let database = Database::create().await;
    let wire = Proxy::start(Database::server_address()).await.unwrap();
    let settings = database.settings(wire.address());
    let app = App::start_whole(database, settings).await;
    let customer = app.seed(&[("MUG", 5)]).await;

    wire.cut();
    let refused = app.place(&customer, &[("MUG", 1)]).await;
    assert_eq!(refused.status, StatusCode::SERVICE_UNAVAILABLE, "{refused:?}");
    assert!(refused.headers.contains_key("retry-after"));
    let health = app.send("GET", "/api/health", "", &[]).await;
    assert_eq!(
        health.body,
        json!({ "status": "degraded", "components": { "writeModel": "degraded", "bus": "off", "readModel": "off" } })
    );

    wire.restore();
    let started = Instant::now();
    while app.place(&customer, &[("MUG", 1)]).await.status != StatusCode::CREATED {
        assert!(started.elapsed() < DEADLINE, "it did not come back");
    }
    assert_eq!(
        app.database()
            .number("select count(*) from write_model.orders")
            .await,
        1
    );
    assert_eq!(
        app.database()
            .number("select available from write_model.stock")
            .await,
        4
    );
}

#[tokio::test]
async fn a_server_without_a_free_connection_is_503_until_it_has_one() {
    let database = Database::create().await;
    let owner = connect(&admin_url(&database.name)).await;
    let limit = |most: i32| format!("alter database {} connection limit {most}", database.name);
    let (none, any) = (limit(0), limit(-1));
    owner.batch_execute(&none).await.unwrap();
    let settings = database.settings(Database::server_address());
    let app = App::start_with(database, settings).await;
    let ada = json!({ "name": "Ada", "email": "ada@example.org" });
    let refused = app.post("/api/customers", ada.clone()).await;
    assert_eq!(refused.status, StatusCode::SERVICE_UNAVAILABLE, "{refused:?}");
    assert!(refused.headers.contains_key("retry-after"));
    owner.batch_execute(&any).await.unwrap();
    assert_eq!(app.post("/api/customers", ada).await.status, StatusCode::CREATED);
}

#[tokio::test]
async fn a_crash_of_postgresql_under_load_loses_and_doubles_no_order() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    // A server whose commits are on the disk when they are answered: what a crash may not take.
    let system = System::start_changed(|options, _| options.postgres = PostgresChoice::Kept(data)).await;
    let customer = system.client.seed(&[("MUG", 10_000)]).await;
    let traffic = Traffic::default();
    let handlers = system.stack.handler_pids();
    let restarting = async {
        for how in [Shutdown::Immediate, Shutdown::Fast] {
            traffic.more(60).await;
            system.stack.stop_postgres(how).await.unwrap();
            let refused = traffic.refused.load(Relaxed) + 32;
            until("it is away", async || traffic.refused.load(Relaxed) >= refused).await;
            system.stack.start_postgres().await.unwrap();
        }
        traffic.more(60).await;
        traffic.end();
    };
    join(traffic.flow(&system.client, &customer, 16), restarting).await;

    assert_eq!(system.stack.handler_pids(), handlers, "it was never restarted");
    assert!(
        traffic.slowest_ms.load(Relaxed) < ANSWERED_MS,
        "{}",
        traffic.seen()
    );
    let done = i64::try_from(traffic.done.load(Relaxed)).unwrap();
    for (each, sql) in [
        (
            "key",
            "select count(*) from write_model.idempotency_keys join write_model.events using (event_id)",
        ),
        (
            "event",
            "select count(*) from write_model.events where type in ('orders.OrderPlaced.v1', 'orders.OrderPaid.v1')",
        ),
        (
            "order",
            "select 2 * count(*) from write_model.orders where version = 2",
        ),
        ("piece", "select 2 * (10000 - available) from write_model.stock"),
    ] {
        assert_eq!(system.number(sql).await, done, "one {each} for each command");
    }
    let account = system.assert_whole().await;
    println!("PostgreSQL crashed and restarted: {}; {account}", traffic.seen());
}
