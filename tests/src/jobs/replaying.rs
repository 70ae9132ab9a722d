//! Events of the log as messages once more: which, to whom, and as what.
//! Never breaks anything on the way: that is `steering`.

use fe2o3_amqp::types::primitives::SimpleValue;
use serde_json::{Value, json};

use super::{DONE, FAILED, Log, USAGE, events_of, text};

#[tokio::test]
async fn a_replay_reaches_its_subscription_alone_in_the_order_of_the_log() {
    let mut log = Log::start(6).await;
    let all = log.ids(|_| true);
    let said = log
        .run(&["replay", "--subscription", "mail", "--all", "--json"])
        .await;
    let planned = said.json().remove(0);
    let plan = &planned["result"];
    assert_eq!(
        (said.code, &planned["state"]),
        (DONE, &json!("planned")),
        "{said:?}"
    );
    assert_eq!(plan["events"], json!(all.len()), "{plan}");
    let placed = log.ids(|event| event["type"] == "orders.OrderPlaced.v1").len();
    assert_eq!(plan["byType"]["orders.OrderPlaced.v1"], json!(placed), "{plan}");
    assert_eq!(
        (&plan["firstPosition"], &plan["seconds"]),
        (&json!(1), &json!(1)),
        "{plan}"
    );
    assert_eq!(
        log.bench.bus.switches().counts().accepted,
        0,
        "nothing goes out before somebody says so"
    );

    // What comes after the plan is not meant.
    log.app.seed(&[("LATE", 5)]).await;
    let id = text(&planned["id"]);
    let said = log.run(&["jobs", "run", &id, "--json"]).await;
    let report = &said.json()[0];
    assert_eq!(
        (said.code, &report["done"]),
        (DONE, &json!(all.len())),
        "{said:?}"
    );
    let heard = log.bench.topic.hear("mail", all.len()).await;
    assert_eq!(events_of(&heard), all);
    for (message, event) in heard.iter().zip(&log.events) {
        let mark = message.marks.get("replay");
        assert_eq!(mark, Some(&SimpleValue::String("mail".into())));
        let body: Value = serde_json::from_slice(&message.body).unwrap();
        for part in ["id", "subject", "type", "time", "aggregateversion", "data"] {
            assert_eq!(body[part], event[part], "{part}");
        }
    }
    // What comes after it for all is the first that the others hear.
    log.bench.topic.send("last", "{}").await;
    for other in ["read-model", "live"] {
        assert_eq!(log.bench.topic.hear(other, 1).await[0].id, "last", "{other}");
    }
    // Over is over.
    let said = log.run(&["jobs", "run", &id]).await;
    assert!(
        said.code == FAILED && said.err.contains("is completed"),
        "{said:?}"
    );
}

#[tokio::test]
async fn selected_events_fulfil_every_condition_on_order_customer_type_time_and_position() {
    let mut log = Log::start(4).await;
    let subject = |kind: &str| {
        let found = log.events.iter().find(|event| event["type"] == kind);
        text(&found.unwrap()["subject"])
    };
    let (order, customer) = (
        subject("orders.OrderPlaced.v1"),
        subject("orders.CustomerRegistered.v1"),
    );
    let middle = log.events.len() / 2;
    let at = text(&log.events[middle]["time"]);
    let half = (middle + 1).to_string();
    let (placed, paid) = ("orders.OrderPlaced.v1", "orders.OrderPaid.v1");
    let of_customer = |event: &Value| {
        event["subject"] == customer || event["data"]["state"]["customer"]["id"] == customer.as_str()
    };
    let later = log.events[middle..]
        .iter()
        .map(|event| text(&event["id"]))
        .collect::<Vec<_>>();
    let cases: [(&[&str], Vec<String>); 8] = [
        (
            &["--order", &order],
            log.ids(|event| event["subject"] == order.as_str()),
        ),
        (
            &["--order", &order, "--subject", "PEN"],
            log.ids(|event| event["subject"] == order.as_str() || event["subject"] == "PEN"),
        ),
        (&["--customer", &customer], log.ids(of_customer)),
        (&["--type", paid], log.ids(|event| event["type"] == paid)),
        (&["--from", &at], later.clone()),
        (
            &["--before", &at],
            log.ids(|event| !later.contains(&text(&event["id"]))),
        ),
        (&["--from-position", &half], later.clone()),
        (
            &["--until-position", &half, "--type", placed],
            log.ids(|event| {
                event["type"] == placed
                    && (!later.contains(&text(&event["id"])) || text(&event["id"]) == later[0])
            }),
        ),
    ];
    for (arguments, expected) in cases {
        let replay = ["replay", "--subscription", "mail", "--rate", "5000", "--yes"];
        let said = log.run(&[&replay, arguments].concat()).await;
        assert_eq!(said.code, DONE, "{said:?}");
        assert!(!expected.is_empty(), "{arguments:?}");
        let heard = log.bench.topic.hear("mail", expected.len()).await;
        assert_eq!(events_of(&heard), expected, "{arguments:?}");
    }
    log.bench.topic.send("last", "{}").await;
    assert_eq!(
        log.bench.topic.hear("mail", 1).await[0].id,
        "last",
        "and nothing else came"
    );
}

#[tokio::test]
async fn a_replay_that_would_be_lost_or_reach_others_is_refused() {
    let log = Log::start(1).await;
    for (subscription, code, words) in [
        ("nobody", FAILED, "no subscription nobody"),
        ("live", FAILED, "would be lost"),
        ("listener", FAILED, "--force"),
    ] {
        let said = log
            .run(&["replay", "--all", "--subscription", subscription])
            .await;
        assert!(said.code == code && said.err.contains(words), "{said:?}");
    }
    for arguments in [
        &["replay", "--subscription", "mail"][..],
        &["replay", "--all"],
        &[
            "replay",
            "--subscription",
            "mail",
            "--all",
            "--type",
            "orders.OrderPaid.v1",
        ],
        &["replay", "--subscription", "mail", "--all", "--rate", "0"],
    ] {
        let said = log.run(arguments).await;
        assert_eq!(said.code, USAGE, "{said:?}");
    }
    let forced = log
        .run(&[
            "replay",
            "--all",
            "--force",
            "--yes",
            "--subscription",
            "listener",
        ])
        .await;
    assert_eq!(forced.code, DONE, "{forced:?}");
    let none = log
        .run(&[
            "replay",
            "--subscription",
            "mail",
            "--order",
            "nobody",
            "--json",
            "--yes",
        ])
        .await;
    assert_eq!(
        (none.code, &none.json()[0]["done"]),
        (DONE, &json!(0)),
        "{none:?}"
    );
}
