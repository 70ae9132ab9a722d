//! Old rows go step by step, and commands on the same tables never wait for it.
//! Never measures how long something took: the sweep is held by a lock, and what is asked meanwhile must be done before it.

use std::time::Duration;

use futures_util::future::join_all;
use hyper::StatusCode;
use serde_json::json;
use tokio::time::{interval, timeout};

use crate::support::{App, DEADLINE, Database, admin_url, connect};

/// Keys and outbox rows that nobody needs any more, of three steps each.
const OLD: &str = "
    insert into write_model.idempotency_keys (caller, key, fingerprint, event_id, at)
        select 'somebody', 'old-' || n, '', gen_random_uuid(), now() - interval '25 hours' from generate_series(1, 2500) n;
    with e as (
        insert into write_model.events (event_id, stream, version, type, data, state, metadata, occurred_at)
        select gen_random_uuid(), 'old-' || n, 1, 'old', '{}', '{}', '{}', now() - interval '25 hours'
        from generate_series(1, 2500) n returning position)
    insert into write_model.outbox (position) select position from e";

/// What is old in each table, and whom the sweep then waits for.
const TABLES: [(&str, &str); 2] = [
    ("idempotency_keys", "key like 'old-%'"),
    (
        "outbox",
        "position in (select position from write_model.events where type = 'old')",
    ),
];

/// A handler that forgets both, with something to forget and a customer.
async fn forgetful() -> (App, String) {
    let database = Database::create().await;
    database.keep_read_model().await;
    let mut settings = database.settings(Database::server_address());
    let more = [("READ_MODEL", "postgres"), ("OUTBOX", "forget")];
    settings.extend(more.map(|(name, value)| (name.to_owned(), value.to_owned())));
    let app = App::start_with(database, settings).await;
    let customer = app.seed(&[("MUG", 100)]).await;
    let owner = connect(&admin_url(&app.database().name)).await;
    owner.batch_execute(OLD).await.unwrap();
    (app, customer)
}

async fn place_under(app: &App, customer: &str, key: String) {
    let client = app.with("idempotency-key", &key);
    let placed = client.place(customer, &[("MUG", 1)]).await;
    assert_eq!(placed.status, StatusCode::CREATED, "{placed:?}");
}

#[tokio::test]
async fn while_a_sweep_is_blocked_inside_a_step_commands_go_on() {
    for (table, old) in TABLES {
        let (app, customer) = forgetful().await;
        let holder = connect(&admin_url(&app.database().name)).await;
        let one = format!("begin; select from write_model.{table} where {old} limit 1 offset 500 for update");
        holder.batch_execute(&one).await.unwrap();
        let client = (*app).clone();
        let sweep = tokio::spawn(async move { client.post("/RelayOutbox", json!({})).await });
        let held = format!(
            "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()
                and query like '%delete from write_model.{table}%' and pid <> pg_backend_pid()"
        );
        let mut again = interval(Duration::from_millis(5));
        let waiting = async {
            while app.database().number(&held).await == 0 {
                again.tick().await;
            }
        };
        timeout(DEADLINE, waiting).await.unwrap();
        join_all((0..12).map(|n| place_under(&app, &customer, format!("new-{n}")))).await;
        assert!(!sweep.is_finished(), "{table}: all of it came after the sweep");
        holder.batch_execute("rollback").await.unwrap();
        sweep.await.unwrap();
        let swept = app.post("/RelayOutbox", json!({})).await;
        assert_eq!(swept.status, StatusCode::OK, "{table}: {swept:?}");
        for (table, old) in TABLES {
            let left = format!("select count(*) from write_model.{table} where {old}");
            assert_eq!(app.database().number(&left).await, 0, "{table}");
        }
    }
}

#[tokio::test]
async fn what_a_sweep_cannot_have_in_two_seconds_it_leaves_to_the_next_one() {
    let (app, customer) = forgetful().await;
    let holder = connect(&admin_url(&app.database().name)).await;
    holder
        .batch_execute("begin; lock table write_model.idempotency_keys in share mode")
        .await
        .unwrap();
    let swept = timeout(DEADLINE, app.post("/RelayOutbox", json!({})))
        .await
        .unwrap();
    assert_eq!(swept.status, StatusCode::SERVICE_UNAVAILABLE);
    holder.batch_execute("rollback").await.unwrap();
    place_under(&app, &customer, "new".to_owned()).await;
    let swept = app.post("/RelayOutbox", json!({})).await;
    assert_eq!(swept.status, StatusCode::OK);
}
