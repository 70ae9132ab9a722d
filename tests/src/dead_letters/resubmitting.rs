//! What is resubmitted, to whom, and as what.
//! Never breaks anything on the way: that is `breaking`.

use std::collections::BTreeSet;

use fe2o3_amqp::types::primitives::SimpleValue;
use serde_json::json;

use super::{Bench, DONE, FAILED, ID, NOTHING, done, event, orders, run, text};
use crate::{jobs, system::System, topic::Topic};

#[tokio::test]
async fn a_resubmitted_event_is_projected() {
    let mut system = System::start().await;
    let connection = system.stack.servicebus_connection_string();
    system.stack.stop_host().await;
    let mut topic = Topic::open(&system.stack).await;
    topic.send(ID, &event(ID).to_string()).await;
    topic.bury("read-model", 1, "TooLate").await;
    system.stack.start_host().await.unwrap();
    let listed = run(&connection, &["list", "--json", "--order", ID]).await;
    let letter = &listed.json()[0];
    let known = json!({ "type": "orders.OrderPlaced.v1", "subject": ID, "version": 1, "reason": "TooLate" });
    for (name, value) in known.as_object().unwrap() {
        assert_eq!(&letter[name], value, "{letter}");
    }
    assert_eq!(letter["event"]["at"], "2026-11-24T10:00:00Z");
    assert!(text(&letter["enqueuedAt"]).starts_with("20"), "{letter}");
    let resubmit = ["dead-letters", "resubmit", "--order", ID, "--yes"];
    let resubmitted = jobs::run(&system.settings(), &resubmit).await;
    assert_eq!(
        (resubmitted.code, resubmitted.out.as_str()),
        (DONE, "resubmitted 1 of 1\n")
    );
    system.shown(&json!(ID), 1).await;
    assert_eq!(run(&connection, &["list"]).await.code, NOTHING);
}

#[tokio::test]
async fn what_is_resubmitted_is_the_same_message_for_its_own_subscription_only() {
    let mut bench = Bench::start().await;
    let orders = orders(3);
    bench.bury(&orders, &["read-model", "mail"], "Broken").await;
    bench.topic.hear("listener", 3).await;
    let said = bench
        .run(&["resubmit", "--all", "--subscription", "mail", "--json", "--yes"])
        .await;
    assert_eq!(said.code, DONE, "{said:?}");
    let heard = bench.topic.hear("mail", 3).await;
    for ((order, heard), outcome) in orders.iter().zip(&heard).zip(done(&said)) {
        assert_eq!(heard.body, event(order).to_string().into_bytes());
        assert_eq!(
            heard.marks.get("replay"),
            Some(&SimpleValue::String("mail".into()))
        );
        assert_eq!(heard.marks.len(), 1, "{heard:?}");
        assert!(heard.id.starts_with(&format!("{order}/r")), "{heard:?}");
        assert_eq!(outcome["resubmittedAs"], heard.id.as_str());
    }
    // Whoever has no rules hears replays, too; the next message for all comes behind them.
    assert_eq!(bench.topic.hear("listener", 3).await[0].id, heard[0].id);
    assert_eq!(bench.dead("read-model").await, orders);
    bench.topic.send("m-next", "{}").await;
    assert_eq!(bench.topic.hear("read-model", 1).await[0].id, "m-next");
}

#[tokio::test]
async fn the_same_event_is_resubmitted_to_each_subscription_and_again_when_it_fails_again() {
    let mut bench = Bench::start().await;
    bench.bury(&orders(1), &["read-model", "mail"], "Broken").await;
    let mut ids = BTreeSet::new();
    for subscription in ["read-model", "mail", "read-model", "mail"] {
        let said = bench
            .run(&["resubmit", "--all", "--yes", "--subscription", subscription])
            .await;
        assert_eq!(said.code, DONE, "{said:?}");
        bench.topic.bury(subscription, 1, "BrokenAgain").await;
        ids.extend(bench.dead(subscription).await);
    }
    assert_eq!(ids.len(), 4, "{ids:?}");
    assert!(ids.iter().all(|id| id.matches("/r").count() == 1), "{ids:?}");
}

#[tokio::test]
async fn only_what_is_selected_is_dealt_with_and_the_rest_stays_as_it_was() {
    let mut bench = Bench::start().await;
    let all = orders(200);
    bench.bury(&all[..190], &["read-model"], "Early").await;
    bench.bury(&all[190..], &["read-model"], "Late").await;
    let mut left = all.clone();
    for (arguments, gone) in [
        (vec!["--order", &all[150]], vec![150]),
        (
            vec!["--message-id", &all[3], "--message-id", &all[70]],
            vec![3, 70],
        ),
        (vec!["--reason", "Late", "--limit", "2"], vec![190, 191]),
        (vec!["--type", "orders.OrderPlaced.v1", "--limit", "1"], vec![0]),
        (vec!["--reason", "Late", "--order", &all[5]], vec![]),
        (vec!["--before", "2026-01-01T00:00:00Z"], vec![]),
        (vec!["--after", "2126-01-01T00:00:00+02:00"], vec![]),
    ] {
        let said = bench
            .run(&[&["resubmit", "--json", "--yes"], arguments.as_slice()].concat())
            .await;
        let code = if gone.is_empty() { NOTHING } else { DONE };
        assert_eq!(said.code, code, "{arguments:?}: {said:?}");
        let ids: Vec<&str> = gone.iter().map(|index| all[*index].as_str()).collect();
        let told: Vec<String> = done(&said)
            .iter()
            .map(|letter| text(&letter["messageId"]))
            .collect();
        assert_eq!(told, ids);
        left.retain(|id| !ids.contains(&id.as_str()));
    }
    let listed = bench.run(&["list", "--json"]).await.json();
    let ids: Vec<String> = listed.iter().map(|letter| text(&letter["messageId"])).collect();
    assert_eq!(ids, left);
    assert!(
        listed.iter().all(|letter| letter["deliveries"] == 0),
        "passing over counts nothing"
    );
}

#[tokio::test]
async fn a_subscription_without_its_own_rule_is_refused_unless_forced() {
    let mut bench = Bench::start().await;
    bench.bury(&orders(2), &["listener", "live"], "Broken").await;
    let resubmit = ["resubmit", "--all", "--yes", "--subscription"];
    let refused = bench.run(&[&resubmit[..], &["listener"]].concat()).await;
    assert_eq!(refused.code, FAILED, "{refused:?}");
    assert!(
        refused.err.contains("$Default (everything)") && refused.err.contains("--force"),
        "{refused:?}"
    );
    assert_eq!(bench.dead("listener").await.len(), 2);
    let forced = bench
        .run(&[&resubmit[..], &["listener", "--force"]].concat())
        .await;
    assert_eq!(forced.code, DONE, "{forced:?}");
    assert_eq!(bench.topic.hear("listener", 2).await.len(), 2);
    // No rule lets it in: what is sent would be in nobody's queue.
    let closed = bench.run(&[&resubmit[..], &["live", "--force"]].concat()).await;
    assert_eq!(closed.code, FAILED, "{closed:?}");
    assert!(closed.err.contains("would be lost"), "{closed:?}");
    assert_eq!(bench.dead("live").await.len(), 2);
}

#[tokio::test]
async fn a_binary_body_is_shown_in_base64_and_resubmitted_unchanged() {
    let mut bench = Bench::start().await;
    bench
        .topic
        .send_all([("m-1".to_owned(), vec![0xff, 0x00, 0xfe])])
        .await;
    bench.topic.bury("read-model", 1, "Broken").await;
    let shown = bench.run(&["show", "m-1", "--json"]).await.json();
    assert_eq!(shown[0]["bodyBase64"], "/wD+");
    let resubmitted = bench.run(&["resubmit", "--yes", "--message-id", "m-1"]).await;
    assert_eq!(resubmitted.code, DONE, "{resubmitted:?}");
    assert_eq!(
        bench.topic.hear("read-model", 1).await[0].body,
        [0xff, 0x00, 0xfe]
    );
}
