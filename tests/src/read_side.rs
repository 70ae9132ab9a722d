//! From a command to its read document, and what happens when the documents are away or a message is bad.
//! Never waits for nothing to happen: a later message proves that an earlier one did not come.

use hyper::StatusCode;
use serde_json::{Value, json};

use crate::{support::calls, system::System, topic::Topic};

#[tokio::test]
async fn an_order_is_read_as_its_last_command_left_it() {
    let system = System::start().await;
    let customer = system.client.seed(&[("MUG", 5)]).await;
    let placed = system.client.place(&customer, &[("MUG", 2)]).await;
    let id = &placed.body["id"];
    let first = system.shown(id, 1).await;
    assert_eq!(first.body["customer"], json!({ "id": customer, "name": "Ada" }));
    assert_eq!(first.body["lines"][0]["quantity"], 2);
    assert_eq!(first.headers["etag"], "\"1\"");
    assert_eq!(first.headers["cache-control"], "private, no-cache");
    let path = format!("/api/orders/{}", id.as_str().unwrap());
    let paid = system.client.pay(&placed).await;
    assert_eq!(paid.status, StatusCode::OK, "{paid:?}");
    system.client.ship(&placed).await;
    let last = system.shown(id, 3).await;
    assert_eq!(
        (&last.body["status"], &last.body["shipment"]),
        (&json!("shipped"), &calls::parcel())
    );
    // What is read is exactly what the log says.
    let state: Value = system
        .rows("select state from write_model.events order by position desc limit 1")
        .await[0]
        .get(0);
    assert_eq!(last.body, state);
    let known = system
        .client
        .send("GET", &path, "", &[("if-none-match", "\"3\"")])
        .await;
    assert_eq!(known.status, StatusCode::NOT_MODIFIED);
    system.relayed().await;
    let line = system.logged(&["projection_lag", "p99_ms"]).await;
    assert!(line.contains("max_ms"), "{line}");
}

#[tokio::test]
async fn an_absent_order_is_404_and_no_one_reads_without_signing_in() {
    let system = System::start_with(&[("AUTH", "easyauth")]).await;
    let path = "/api/orders/0198c9c1-0000-7000-8000-000000000001";
    let stranger = system.client.send("GET", path, "", &[]).await;
    assert_eq!(stranger.status, StatusCode::UNAUTHORIZED);
    let system = System::start().await;
    for path in [path, "/api/orders/rubbish"] {
        let absent = system.client.send("GET", path, "", &[]).await;
        assert_eq!(absent.status, StatusCode::NOT_FOUND);
        assert_eq!(absent.body["type"], "urn:problem:orders:unknown-order");
    }
}

#[tokio::test]
async fn while_the_documents_are_away_nothing_is_lost_or_dead_lettered() {
    let system = System::start().await;
    let customer = system.client.seed(&[("MUG", 50)]).await;
    let before = system.client.place(&customer, &[("MUG", 1)]).await;
    system.shown(&before.body["id"], 1).await;
    system.faults().cosmos.cut();
    let mut placed = Vec::new();
    for _ in 0..20 {
        placed.push(system.client.place(&customer, &[("MUG", 1)]).await.body["id"].clone());
    }
    system.logged(&["read_store_away"]).await;
    let path = format!("/api/orders/{}", placed[0].as_str().unwrap());
    let unread = system.client.send("GET", &path, "", &[]).await;
    assert_eq!(unread.status, StatusCode::SERVICE_UNAVAILABLE, "{unread:?}");
    assert!(unread.headers.contains_key("retry-after"));
    system.faults().cosmos.restore();
    for id in &placed {
        system.shown(id, 1).await;
    }
    // The first dead letter there is, is the one that is made now.
    let mut topic = Topic::open(&system.stack).await;
    topic.send("rubbish", "no event").await;
    assert_eq!(topic.dead_letter().await.0, "no event");
}

#[tokio::test]
async fn an_event_of_a_newer_major_version_becomes_a_dead_letter() {
    let system = System::start().await;
    let mut topic = Topic::open(&system.stack).await;
    let id = "0198c9c1-0000-7000-8000-000000000001";
    let event = json!({
        "specversion": "1.0", "id": id, "source": "/orders/write-model", "type": "orders.OrderPlaced.v2",
        "subject": id, "time": "2026-11-24T10:00:00Z", "aggregateversion": 1, "data": { "event": {}, "state": {}, "stock": null }
    });
    topic.send("m-v2", &event.to_string()).await;
    let (body, reason) = topic.dead_letter().await;
    assert_eq!((body, reason.contains("Undecodable")), (event.to_string(), true));
    let line = system.logged(&["message_dead_lettered", "m-v2"]).await;
    assert!(line.contains("orders.OrderPlaced.v2"), "{line}");
}

#[tokio::test]
async fn rubbish_on_the_topic_becomes_a_dead_letter_and_the_next_messages_flow() {
    let system = System::start().await;
    let customer = system.client.seed(&[("MUG", 5)]).await;
    let mut topic = Topic::open(&system.stack).await;
    topic.send("m-13", "{\"specversion\":\"1.0\"}").await;
    let placed = system.client.place(&customer, &[("MUG", 1)]).await;
    system.shown(&placed.body["id"], 1).await;
    let (body, reason) = topic.dead_letter().await;
    assert_eq!(body, "{\"specversion\":\"1.0\"}");
    assert!(reason.contains("Undecodable"), "{reason}");
    let line = system.logged(&["message_dead_lettered", "m-13"]).await;
    assert!(line.contains("missing field"), "{line}");
}
