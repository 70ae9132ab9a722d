//! Listing, showing and deleting; and what the command says when it cannot work.
//! Never resubmits anything.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::{
    process::Command,
    time::{interval, timeout},
};

use super::{Bench, DONE, FAILED, NOTHING, Said, USAGE, orders, run, text};
use crate::{
    jobs,
    support::{DEADLINE, binary},
    system::System,
    topic::Topic,
};

#[tokio::test]
async fn what_nobody_can_project_is_listed_shown_and_deleted_for_a_reason() {
    let system = System::start().await;
    let connection = system.stack.servicebus_connection_string();
    let mut topic = Topic::open(&system.stack).await;
    topic.send("m-13", "no event").await;
    let listing = async {
        let mut again = interval(Duration::from_millis(20));
        loop {
            again.tick().await;
            let said = run(&connection, &["list", "--json"]).await;
            if said.code != NOTHING {
                return said;
            }
        }
    };
    let listed = timeout(DEADLINE, listing).await.unwrap();
    let letter = &listed.json()[0];
    let reason = "Undecodable";
    assert_eq!(
        (&letter["messageId"], &letter["reason"]),
        (&json!("m-13"), &json!(reason))
    );
    assert_eq!(
        (&letter["deliveries"], &letter["subject"]),
        (&json!(0), &Value::Null)
    );
    assert!(
        text(&letter["unreadable"]).starts_with("not one of our events"),
        "{letter}"
    );
    let rows = run(&connection, &["list"]).await;
    assert!(rows.out.contains("m-13") && rows.out.contains(reason), "{rows:?}");
    let shown = run(&connection, &["show", "m-13"]).await;
    assert!(shown.out.ends_with("\nno event\n"), "{shown:?}");
    let because = [
        "dead-letters",
        "delete",
        "--message-id",
        "m-13",
        "--because",
        "sent by mistake",
        "--yes",
    ];
    let deleted = jobs::run(&system.settings(), &because).await;
    assert_eq!(
        (deleted.code, deleted.out.as_str()),
        (DONE, "deleted 1 of 1\n"),
        "{deleted:?}"
    );
    for words in ["deleting_dead_letter", "m-13", "sent by mistake", "no event"] {
        assert!(deleted.err.contains(words), "{deleted:?}");
    }
    assert_eq!(run(&connection, &["list"]).await.code, NOTHING);
}

#[tokio::test]
async fn looking_locks_and_counts_nothing() {
    let mut bench = Bench::start().await;
    bench.bury(&orders(120), &["read-model"], "Broken").await;
    for _ in 0..3 {
        assert_eq!(bench.dead("read-model").await, orders(120));
    }
    let limited = bench.run(&["list", "--json", "--limit", "2"]).await.json();
    assert_eq!((limited.len(), &limited[1]["deliveries"]), (2, &json!(0)));
    let deleted = bench
        .run(&["delete", "--all", "--because", "a test", "--json", "--yes"])
        .await;
    assert_eq!(
        (deleted.code, &deleted.json()[0]["done"]),
        (DONE, &json!(120)),
        "{deleted:?}"
    );
}

#[tokio::test]
async fn what_is_meant_must_be_said_and_so_must_the_reason_of_a_deletion() {
    let bench = Bench::start().await;
    for arguments in [
        &["resubmit"][..],
        &["resubmit", "--limit", "3"],
        &["resubmit", "--all", "--reason", "Broken"],
        &["delete", "--because", "a test"],
        &["delete", "--all"],
        &["delete", "--all", "--because", " "],
        &["resubmit", "--all", "--subscription", "a/b"],
        &["list", "--subscription", "a/b"],
        &["list", "--before", "yesterday"],
        &["show"],
        &[],
    ] {
        let said = bench.run(arguments).await;
        assert_eq!(
            (said.code, said.out.as_str()),
            (USAGE, ""),
            "{arguments:?}: {said:?}"
        );
    }
    for action in [
        &["list"][..],
        &["show", "x"],
        &["resubmit", "--all"],
        &["delete", "--all", "--because", "x"],
    ] {
        let said = bench.run(action).await;
        assert_eq!((said.code, said.out.as_str()), (NOTHING, ""), "{said:?}");
    }
}

#[tokio::test]
async fn what_keeps_it_from_working_is_said_in_one_line() {
    let bench = Bench::start().await;
    for action in [
        &["list"][..],
        &["resubmit", "--all"],
        &["delete", "--all", "--because", "x"],
    ] {
        let said = bench.run(&[action, &["--subscription", "nobody"]].concat()).await;
        assert_eq!(said.code, FAILED, "{said:?}");
        assert_eq!(
            said.err,
            "handler: topic order-events has no subscription nobody\n"
        );
    }
    let connection = bench.bus.connection_string();
    bench.bus.stop().await;
    let away = run(&connection, &["list"]).await;
    assert_eq!((away.code, away.err.lines().count()), (FAILED, 1), "{away:?}");
    let unset = Command::new(binary())
        .args(["dead-letters", "list"])
        .env_clear()
        .output()
        .await;
    let unset = Said::of(unset.unwrap());
    assert_eq!(unset.code, FAILED);
    assert_eq!(unset.err, "handler: setting ServiceBusConnection: is missing\n");
    // Looking needs only the bus; what changes something is a job.
    let alone = run(&connection, &["resubmit", "--all"]).await;
    assert_eq!(
        (alone.code, alone.err.as_str()),
        (FAILED, "handler: setting PGHOST: is missing\n")
    );
}
