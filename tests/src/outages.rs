//! What happens while PostgreSQL is away, and that it is over by itself.
//! Never restarts the handler to get it going again.

use std::time::Instant;

use devstack::wire::Proxy;
use hyper::StatusCode;
use serde_json::json;

use crate::support::{App, DEADLINE, Database, admin_url, connect};

#[tokio::test]
async fn without_postgresql_commands_answer_503_and_come_back_by_themselves() {
    let database = Database::create().await;
    let wire = Proxy::start(Database::server_address()).await.unwrap();
    let settings = database.settings(wire.address());
    let app = App::start_with(database, settings).await;
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
async fn a_server_that_has_no_connection_left_is_answered_503_until_it_has_one_again() {
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
