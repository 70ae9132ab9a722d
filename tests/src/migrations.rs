//! The schema: brought about by whoever comes first, never half, and never under the feet of those who are running.
//! Never looks at what a migration says: only at what runs with it.

use futures_util::future::join_all;
use hyper::StatusCode;
use serde_json::json;
use tokio::time::timeout;

use crate::support::{App, DEADLINE, Database, admin_url, connect};

#[tokio::test]
async fn many_instances_that_migrate_at_once_take_turns() {
    let database = Database::empty().await;
    let runs = join_all((0..6).map(|_| database.try_migrate())).await;
    for output in runs {
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stdout)
        );
    }
    let versions = "select (count(*) = max(version))::int::bigint from write_model.schema_version";
    assert_eq!(database.number(versions).await, 1);
}

#[tokio::test]
async fn nothing_is_migrated_through_a_pooler_because_the_lock_belongs_to_the_session() {
    let database = Database::empty().await;
    let refused = database
        .try_migrate_set(&[], &[("PG_POOLER", "transaction")])
        .await;
    let said = String::from_utf8_lossy(&refused.stdout);
    assert!(!refused.status.success() && said.contains("PG_POOLER"), "{said}");
    let made = "select count(*) from pg_namespace where nspname = 'write_model'";
    assert_eq!(database.number(made).await, 0);
}

#[tokio::test]
async fn without_its_schema_the_handler_says_so_and_goes_on_when_it_is_there() {
    let database = Database::empty().await;
    let settings = database.settings(Database::server_address());
    let app = App::start_with(database, settings).await;
    let ada = json!({ "name": "Ada", "email": "ada@example.org" });
    let refused = app.post("/api/customers", ada.clone()).await;
    assert_eq!(refused.status, StatusCode::SERVICE_UNAVAILABLE, "{refused:?}");
    timeout(DEADLINE, app.logged("handler migrate")).await.unwrap();
    app.database().migrate().await;
    assert_eq!(app.post("/api/customers", ada).await.status, StatusCode::CREATED);
}

#[tokio::test]
async fn a_handler_that_is_running_goes_on_while_tables_are_widened() {
    let app = App::start().await;
    let customer = app.seed(&[("MUG", 9)]).await;
    assert_eq!(
        app.place(&customer, &[("MUG", 1)]).await.status,
        StatusCode::CREATED
    );
    let owner = connect(&admin_url(&app.database().name)).await;
    for table in [
        "customers",
        "products",
        "stock",
        "orders",
        "order_lines",
        "events",
        "outbox",
        "idempotency_keys",
    ] {
        let widen = format!("alter table write_model.{table} add column later text default 'x'");
        owner.batch_execute(&widen).await.unwrap();
        let placed = app.place(&customer, &[("MUG", 1)]).await;
        assert_eq!(placed.status, StatusCode::CREATED, "{table}: {placed:?}");
    }
}

#[tokio::test]
async fn connections_that_the_server_has_ended_are_made_again() {
    let app = App::start().await;
    let customer = app.seed(&[("MUG", 9)]).await;
    let owner = connect(&admin_url(&app.database().name)).await;
    // They are gone, and so is what was prepared on them.
    let end = "select pg_terminate_backend(pid) from pg_stat_activity where usename like 'orders_app%' and datname = current_database()";
    owner.execute(end, &[]).await.unwrap();
    let mut placed = app.place(&customer, &[("MUG", 1)]).await;
    if placed.status == StatusCode::SERVICE_UNAVAILABLE {
        placed = app.place(&customer, &[("MUG", 1)]).await;
    }
    assert_eq!(placed.status, StatusCode::CREATED, "{placed:?}");
}

#[tokio::test]
async fn the_apps_role_can_do_what_commands_need_and_no_more() {
    let app = App::start().await;
    app.seed(&[("MUG", 1)]).await;
    app.database().migrate().await;
    let client = app.database().as_app().await;
    for forbidden in [
        "delete from write_model.events",
        "update write_model.events set version = 9",
        "truncate write_model.outbox",
        "delete from write_model.orders",
        "delete from write_model.customers",
        "delete from write_model.stock",
        "update write_model.idempotency_keys set fingerprint = ''",
        "insert into write_model.schema_version (version, name) values (99, 'x')",
        "create table write_model.mine (id int)",
        "create or replace function write_model.refuse() returns boolean language sql as 'select true'",
        "drop schema write_model",
    ] {
        assert!(client.batch_execute(forbidden).await.is_err(), "{forbidden}");
    }
    for (setting, value) in [
        ("statement_timeout", "2s"),
        ("lock_timeout", "2s"),
        ("jit", "off"),
    ] {
        let shown: String = client
            .query_one(&format!("show {setting}"), &[])
            .await
            .unwrap()
            .get(0);
        assert_eq!(shown, value, "{setting}");
    }
}
