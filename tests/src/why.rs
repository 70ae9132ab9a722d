//! One order followed over every hop by `handler why`: where it has come, and where it stands still.
//! Never reads the tool's words as proof that something works: each stop is made by breaking a wire.

use hyper::StatusCode;
use serde_json::json;
use uuid::Uuid;

use crate::{
    queries::read_after,
    rebuild::{settings, told},
    system::System,
};

#[tokio::test]
async fn an_order_is_followed_to_where_it_stands_still() {
    let system = System::start().await;
    let settings = settings(&system);
    let client = &system.client;
    let customer = client.seed(&[("MUG", 5)]).await;
    let placed = client.place(&customer, &[("MUG", 1)]).await;
    let id = placed.body["id"].as_str().unwrap();
    let path = format!("/api/orders/{id}");
    for read in [&path, &format!("/api/customers/{customer}/orders")] {
        read_after(client, read, &placed).await;
    }
    system.relayed().await;
    let whole = told(&settings, &["why", id, "--json"], 0).await;
    assert_eq!(
        (&whole["document"], &whole["customersRow"]),
        (&json!(1), &json!(1)),
        "{whole}"
    );

    system.faults().servicebus.pause();
    let amount = json!({ "amount": placed.body["total"] }).to_string();
    let key = [("content-type", "application/json"), ("idempotency-key", "pay-1")];
    let paid = client
        .send("POST", &format!("{path}/payment"), amount, &key)
        .await;
    assert_eq!(paid.status, StatusCode::OK, "{paid:?}");
    let stuck = told(&settings, &["why", id, "--json"], 3).await;
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
    let said = told(&settings, &["why", id], 3).await;
    assert!(said.as_str().unwrap().contains(first), "{said}");
    system.faults().servicebus.resume();

    told(&settings, &["why", &Uuid::nil().to_string()], 1).await;
}
