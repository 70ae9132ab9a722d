//! Events of the log right into the documents, without the bus.
//! Never taken for done because the binary says so: the documents are held against the log.

use std::time::Duration;

use serde_json::json;
use tokio::time::{interval, timeout};

use super::{DONE, FAILED, run};
use crate::{
    projections::{account, assert_shows, history},
    rebuild::{VERIFY, settings},
    support::{App, DEADLINE, Database},
    system::System,
};

#[tokio::test]
async fn a_reprojection_needs_no_bus_and_a_second_one_changes_nothing() {
    let app = App::start().await;
    let messages = history(&app, 10).await;
    let (cosmos, mut settings) = account().await;
    let database = app.database().settings(Database::server_address());
    settings.extend(database.into_iter().filter(|(name, _)| name.starts_with("PG")));
    let replay = ["reproject", "--all", "--rate", "5000", "--yes", "--json"];
    for _ in 0..2 {
        let said = run(&settings, &replay).await;
        assert_eq!(said.code, DONE, "{said:?}");
        assert_eq!(said.json()[0]["done"], json!(messages.len()), "{said:?}");
        let reader = App::start_alone(settings.clone()).await;
        assert_shows(&reader, &app).await;
    }
    let verified = run(&settings, &VERIFY).await;
    assert_eq!(
        (verified.code, &verified.json()[0]["different"]),
        (DONE, &json!(0)),
        "{verified:?}"
    );
    drop(cosmos);
    let half = run(&settings, &["replay", "--subscription", "mail", "--all"]).await;
    assert!(
        half.code == FAILED && half.err.contains("ServiceBusConnection"),
        "{half:?}"
    );
}

#[tokio::test]
async fn a_replay_over_the_shipped_topic_changes_no_right_document() {
    let system = System::start().await;
    let settings = settings(&system);
    let customer = system.client.seed(&[("MUG", 50)]).await;
    for _ in 0..5 {
        let placed = system.client.place(&customer, &[("MUG", 1)]).await;
        system.shown(&placed.body["id"], 1).await;
    }
    system.relayed().await;
    let events = system.number("select count(*) from write_model.events").await;
    let bus = system.stack.servicebus_switches();
    let before = bus.counts().settlements;
    let said = run(
        &settings,
        &[
            "replay",
            "--subscription",
            "read-model",
            "--all",
            "--yes",
            "--json",
        ],
    )
    .await;
    assert_eq!(
        (said.code, &said.json()[0]["done"]),
        (DONE, &json!(events)),
        "{said:?}"
    );
    let settling = async {
        let mut again = interval(Duration::from_millis(20));
        while bus.counts().settlements < before + events.cast_unsigned() {
            again.tick().await;
        }
    };
    timeout(DEADLINE, settling).await.unwrap();
    let verified = run(&settings, &VERIFY).await;
    assert_eq!(
        (verified.code, &verified.json()[0]["different"]),
        (DONE, &json!(0)),
        "{verified:?}"
    );
}
