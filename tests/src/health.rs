//! What probes and operators are told of the stores, however many ask and whatever else goes on.
//! Never restarts anything.

use std::{collections::BTreeMap, process::Output, time::Duration};

use devstack::wire::{Moment, Proxy};
use futures_util::future::{join, join_all};
use hyper::StatusCode;
use serde_json::{Value, json};
use tokio::{process::Command, time::interval};

use crate::support::{App, Database, admin_url, binary, connect};

/// How many ask at the same time.
const CROWD: usize = 500;
/// More than looks of a few seconds send, and far less than a look for each that asks.
const PIECES: u64 = 100;

#[tokio::test]
async fn a_crowd_is_answered_by_one_look_a_second_that_waits_for_no_command() {
    let database = Database::create().await;
    let wire = Proxy::start(Database::server_address()).await.unwrap();
    let settings = database.settings(wire.address());
    let app = App::start_whole(database, settings).await;
    let customer = app.seed(&[("MUG", 5)]).await;
    let owner = connect(&admin_url(&app.database().name)).await;
    owner
        .batch_execute("begin; lock table write_model.stock")
        .await
        .unwrap();
    // Both connections of the commands wait now, and for as long as their patience lasts.
    let waiting = join(
        app.place(&customer, &[("MUG", 1)]),
        app.place(&customer, &[("MUG", 1)]),
    );
    let asking = async {
        let mut again = interval(Duration::from_millis(5));
        let held = "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()";
        while app.database().number(held).await == 0 {
            again.tick().await;
        }
        wire.stop_at(PIECES, Moment::Before);
        let ask = || app.send("GET", "/api/health", "", &[]);
        join_all((0..CROWD).map(|_| ask())).await
    };
    let ((first, second), told) = join(waiting, asking).await;
    assert!(
        told.iter().all(|answer| answer.body["status"] == "ok"),
        "{:?}",
        told[0]
    );
    assert!(!wire.has_stopped(), "it looks for each that asks");
    wire.resume();
    for held in [first, second] {
        assert_eq!(held.status, StatusCode::SERVICE_UNAVAILABLE, "{held:?}");
    }
}

#[tokio::test]
async fn a_process_without_stores_is_up_and_has_nothing_to_wait_for() {
    let settings = [
        ("AUTH", "development"),
        ("AZURE_FUNCTIONS_ENVIRONMENT", "Development"),
        ("FUNCTIONS_CUSTOMHANDLER_PORT", "0"),
    ];
    let settings = settings.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let app = App::start_alone(settings.into()).await;
    let ok = json!({ "status": "ok" });
    for (path, body) in [
        ("/api/health/live", &ok),
        ("/api/health/ready", &ok),
        (
            "/api/health",
            &json!({ "status": "ok", "components": { "writeModel": "off", "bus": "off", "readModel": "off" } }),
        ),
    ] {
        let answer = app.send("GET", path, "", &[]).await;
        assert_eq!((answer.status, &answer.body), (StatusCode::OK, body), "{path}");
    }
}

/// `handler status` with these settings.
async fn status(settings: &BTreeMap<String, String>, arguments: &[&str]) -> Output {
    let mut command = Command::new(binary());
    command.arg("status").args(arguments).env_clear().envs(settings);
    command.output().await.unwrap()
}

#[tokio::test]
async fn the_check_of_status_says_whether_a_person_is_needed() {
    let database = Database::create().await;
    let wire = Proxy::start(Database::server_address()).await.unwrap();
    let mut settings = database.settings(wire.address());
    let checked = async |settings: &BTreeMap<String, String>| {
        let output = status(settings, &["--check"]).await;
        (output.status.code(), String::from_utf8(output.stdout).unwrap())
    };
    let (code, said) = checked(&settings).await;
    assert_eq!(code, Some(0), "{said}");

    let owner = connect(&admin_url(&database.name)).await;
    owner
        .batch_execute(
            "with e as (insert into write_model.events (event_id, stream, version, type, data, state, metadata, occurred_at)
                select gen_random_uuid(), 'x', 1, 'orders.X.v1', '{}', '{}', '{}', now() returning position)
             insert into write_model.outbox (position, parked_at, reason) select position, now(), 'too large' from e",
        )
        .await
        .unwrap();
    let (code, said) = checked(&settings).await;
    assert_eq!(code, Some(1), "{said}");
    assert!(
        said.contains("a person is needed: the bus refuses 1 events"),
        "{said}"
    );
    owner
        .batch_execute("delete from write_model.outbox")
        .await
        .unwrap();

    owner
        .batch_execute("revoke delete on write_model.outbox from orders_command")
        .await
        .unwrap();
    let (code, said) = checked(&settings).await;
    assert_eq!(code, Some(1), "{said}");
    assert!(
        said.contains("writeModel: rights: missing on write_model.outbox: delete"),
        "{said}"
    );
    let output = status(&settings, &["--json"]).await;
    let shown: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(shown["stores"]["writeModel"]["reason"], "rights", "{shown}");
    owner
        .batch_execute("grant delete on write_model.outbox to orders_command")
        .await
        .unwrap();

    wire.cut();
    let (code, said) = checked(&settings).await;
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("writeModel: unreachable"), "{said}");
    wire.restore();

    settings.insert("PGPASSWORD".into(), "another".into());
    let (code, said) = checked(&settings).await;
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("writeModel: credentials"), "{said}");
}

#[tokio::test]
async fn every_right_that_the_migration_gives_is_looked_for() {
    let database = Database::create().await;
    let settings = database.settings(Database::server_address());
    let owner = connect(&admin_url(&database.name)).await;
    let given = "select format('%I.%I', table_schema, table_name), lower(privilege_type), grantee from information_schema.table_privileges
        where grantee in ('orders_command', 'orders_operator') and table_schema = 'write_model'";
    let given = owner.query(given, &[]).await.unwrap();
    assert!(given.len() > 25, "{}", given.len());
    let all: Vec<String> = given
        .iter()
        .map(|row| {
            format!(
                "revoke {1} on {0} from {2}",
                row.get::<_, String>(0),
                row.get::<_, String>(1),
                row.get::<_, String>(2)
            )
        })
        .filter(|revoke| !revoke.contains("schema_version"))
        .collect();
    owner.batch_execute(&all.join(";")).await.unwrap();
    let output = status(&settings, &["--check"]).await;
    let said = String::from_utf8(output.stdout).unwrap();
    for row in &given {
        let (table, right): (String, String) = (row.get(0), row.get(1));
        let right = format!("{}: {right}", table.trim_start_matches("write_model."));
        let is_needed = !right.starts_with("schema_version");
        assert!(!is_needed || said.contains(&right), "{right}: {said}");
    }
}
