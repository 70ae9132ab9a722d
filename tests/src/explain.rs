//! One order followed over every hop by `handler explain`: where it has come, and where it stands still.
//! Never reads the tool's words as proof that something works: each stop is made by breaking a wire.

use hyper::StatusCode;
use serde_json::json;
use uuid::Uuid;

use crate::{
    queries::read_after,
    rebuild::{settings, told},
    support::App,
    system::System,
    topic::Topic,
};

#[tokio::test]
async fn an_order_is_followed_to_where_it_stands_still() {
    let system = System::start().await;
    let settings = settings(&system);
    let client = &system.client;
    let customer = client.seed(&[("MUG", 5)]).await;
    let placed = client.place(&customer, &[("MUG", 1)]).await;
    let id = placed.id();
    let path = format!("/api/orders/{id}");
    for read in [&path, &format!("/api/customers/{customer}/orders")] {
        read_after(client, read, &placed).await;
    }
    system.relayed().await;
    let whole = told(&settings, &["explain", id, "--json"], 0).await;
    assert_eq!(
        (&whole["document"], &whole["customersRow"]),
        (&json!(1), &json!(1)),
        "{whole}"
    );

    system.faults().servicebus.pause();
    let paid = client.with("idempotency-key", "pay-1").pay(&placed).await;
    assert_eq!(paid.status, StatusCode::OK, "{paid:?}");
    let stuck = told(&settings, &["explain", id, "--json"], 3).await;
    let event = &stuck["events"][1];
    assert_eq!(
        (&event["outbox"], &event["key"], &event["inHistory"]),
        (&json!("waiting"), &json!("pay-1"), &json!(false)),
        "{stuck}"
    );
    let first = stuck["firstDifference"].as_str().unwrap();
    assert!(
        first.starts_with("event 2") && first.contains("outbox"),
        "{first}"
    );
    let said = told(&settings, &["explain", id], 3).await;
    assert!(said.as_str().unwrap().contains(first), "{said}");
    system.faults().servicebus.resume();

    told(&settings, &["explain", &Uuid::nil().to_string()], 1).await;

    // An event whose time cannot be written is named, and the others are followed all the same.
    let spoil = format!(
        "update write_model.events set occurred_at = 'infinity' where stream = '{id}' and version = 1"
    );
    system.rows(&spoil).await;
    let odd = told(&settings, &["explain", id, "--json"], 3).await;
    let first = odd["firstDifference"].as_str().unwrap();
    assert!(first.starts_with("event 1") && first.contains("time"), "{odd}");
    assert_eq!(odd["events"].as_array().unwrap().len(), 2, "{odd}");
}

#[tokio::test]
async fn a_sent_message_is_found_in_its_subscription_or_its_dead_letters() {
    let mut system = System::start().await;
    let settings = settings(&system);
    let customer = system.client.seed(&[("MUG", 5)]).await;
    system.relayed().await;
    system.stack.stop_host().await;
    let sender = App::start_alone(system.settings()).await;
    let placed = sender.place(&customer, &[("MUG", 1)]).await;
    let id = placed.id();
    system.relayed().await;
    let difference = async || {
        let trail = told(&settings, &["explain", id, "--json"], 3).await;
        trail["firstDifference"].as_str().unwrap().to_owned()
    };
    let waits = difference().await;
    assert!(waits.contains("waits at the subscription read-model"), "{waits}");
    // The catalogue's events and the customer's may wait before it.
    let status = told(&settings, &["status", "--json"], 0).await;
    let waiting = status["subscription"]["waiting"].as_u64().unwrap();
    assert!(waiting >= 1, "{status}");
    let mut topic = Topic::open(&system.stack).await;
    topic
        .bury("read-model", usize::try_from(waiting).unwrap(), "Gone")
        .await;
    let dead = difference().await;
    assert!(
        dead.contains("is a dead letter of the subscription read-model: Gone"),
        "{dead}"
    );
    let status = told(&settings, &["status", "--json"], 0).await;
    assert_eq!(status["subscription"]["deadLetters"], waiting, "{status}");
    let said = told(&settings, &["status"], 0).await;
    assert!(said.as_str().unwrap().contains("dead letters"), "{said}");
}
