//! Messages that nobody can project: dead letters at their first delivery, however many there are.
//! Never counts on that: where the bus cannot be told, its own count of deliveries does it.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use devstack::servicebus::ServiceBusEmulator;
use hyper::StatusCode;
use serde_json::{Value, json};
use tokio::time::{interval, timeout};
use uuid::Uuid;

use crate::{
    dead_letters::{Bench, entities, letters},
    projections::account,
    support::{App, DEADLINE},
    system::System,
    topic::Topic,
};

/// Enough to tell one invocation a message from fifty; `FLOOD=10000 cargo test -p tests flood -- --nocapture` prints what
/// more of them cost.
const USUAL: usize = 200;

#[tokio::test]
async fn a_flood_of_rubbish_costs_one_invocation_and_one_line_a_message() {
    let count = std::env::var("FLOOD").map_or(USUAL, |text| text.parse().unwrap());
    let system = System::start().await;
    let customer = system.client.seed(&[("MUG", 5)]).await;
    let mut topic = Topic::open(&system.stack).await;
    let rubbish = (0..count).map(|number| (format!("rubbish-{number}"), b"rubbish".to_vec()));
    topic.send_all(rubbish).await;
    let started = Instant::now();
    let placed = system.client.place(&customer, &[("MUG", 1)]).await;
    system.shown(&placed.body["id"], 1).await;
    let shown = started.elapsed();
    // The last of them may be under way while the order is shown.
    let lines = || {
        std::fs::read_to_string(&system.log)
            .unwrap()
            .matches("message_dead_lettered")
            .count()
    };
    let logging = async {
        let mut again = interval(Duration::from_millis(20));
        while lines() < count {
            again.tick().await;
        }
    };
    timeout(DEADLINE, logging).await.unwrap();
    let dead = letters(&system.stack.servicebus_connection_string()).await;
    let log = std::fs::read_to_string(&system.log).unwrap();
    println!(
        "{count} undecodable messages: {} bytes of log; the next order was shown after {shown:?}",
        log.len()
    );
    assert_eq!(log.matches("message_dead_lettered").count(), count);
    for never in ["message_refused", "message_not_dead_lettered", "(Failed"] {
        assert!(!log.contains(never), "{}", system.tail());
    }
    assert_eq!(dead.len(), count);
    for letter in dead {
        let said = (&letter["reason"], &letter["deliveries"], &letter["description"]);
        let why = "the body is neither JSON nor base64 of JSON";
        assert_eq!(said, (&json!("Undecodable"), &json!(0), &json!(why)), "{letter}");
    }
}

/// An app that projects, on this bus.
async fn projector(bus: &ServiceBusEmulator, documents: BTreeMap<String, String>) -> App {
    let mut settings = documents;
    for (name, value) in [
        ("ServiceBusConnection", bus.connection_string()),
        ("ServiceBusTopic", "order-events".to_owned()),
    ] {
        settings.insert(name.to_owned(), value);
    }
    App::start_alone(settings).await
}

async fn invoke(app: &App, lock: &str) -> StatusCode {
    let metadata =
        json!({ "MessageId": "\"m\"", "DeliveryCount": "1", "LockToken": json!(lock).to_string() });
    let body = json!({ "Data": { "message": "rubbish" }, "Metadata": metadata });
    let answer = app.post("/ProjectEvent", body).await;
    let readable: Value = json!({ "Outputs": {}, "Logs": [], "ReturnValue": null });
    assert_eq!(answer.body, readable);
    answer.status
}

#[tokio::test]
async fn where_a_message_cannot_be_dead_lettered_the_bus_counts_its_deliveries() {
    let (_cosmos, documents) = account().await;
    let mut bench = Bench::start_with(entities("PT1M")).await;
    let app = projector(&bench.bus, documents).await;
    for lock in [
        "",
        "no token",
        &Uuid::nil().to_string(),
        &Uuid::now_v7().to_string(),
    ] {
        assert_eq!(
            invoke(&app, lock).await,
            StatusCode::INTERNAL_SERVER_ERROR,
            "{lock:?}"
        );
    }
    bench.topic.send("m-1", "rubbish").await;
    let lock = bench.topic.lock("read-model").await.to_string();
    assert_eq!(invoke(&app, &lock).await, StatusCode::OK);
    assert_eq!(
        invoke(&app, &lock).await,
        StatusCode::INTERNAL_SERVER_ERROR,
        "it is there already"
    );
    assert_eq!(letters(&bench.bus.connection_string()).await.len(), 1);
    bench.topic.send("m-2", "rubbish").await;
    let lock = bench.topic.lock("read-model").await.to_string();
    bench.bus.stop().await;
    assert_eq!(invoke(&app, &lock).await, StatusCode::INTERNAL_SERVER_ERROR);
}
