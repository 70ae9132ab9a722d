//! From a command to its read document, and what happens when the bus, the documents or a message are bad.
//! Never waits for nothing to happen: a later message proves that an earlier one did not come.

use hyper::StatusCode;
use serde_json::{Value, json};

use crate::{system::System, topic::Topic};

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
    let paid = system
        .client
        .post(
            &format!("{path}/payment"),
            json!({ "amount": placed.body["total"] }),
        )
        .await;
    assert_eq!(paid.status, StatusCode::OK, "{paid:?}");
    let parcel = json!({ "carrier": "DHL", "trackingNumber": "JD0146" });
    system
        .client
        .post(&format!("{path}/shipment"), parcel.clone())
        .await;
    let last = system.shown(id, 3).await;
    assert_eq!(
        (&last.body["status"], &last.body["shipment"]),
        (&json!("shipped"), &parcel)
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
}

#[tokio::test]
async fn an_order_that_is_not_there_is_not_found_and_nobody_reads_without_signing_in() {
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
async fn while_the_bus_is_away_commands_are_accepted_and_their_events_arrive_later() {
    let system = System::start().await;
    let customer = system.client.seed(&[("MUG", 5)]).await;
    system.relayed().await;
    system.faults().servicebus.cut();
    let placed = system.client.place(&customer, &[("MUG", 1)]).await;
    assert_eq!(placed.status, StatusCode::CREATED, "{placed:?}");
    system.logged(&["relay_interrupted"]).await;
    let health = system.client.send("GET", "/api/health", "", &[]).await;
    assert_eq!(health.body["components"]["bus"], "degraded");
    assert_eq!(system.number("select count(*) from write_model.outbox").await, 1);
    system.faults().servicebus.restore();
    system.shown(&placed.body["id"], 1).await;
}

#[tokio::test]
async fn a_bus_that_swallows_everything_holds_up_nobody() {
    let system = System::start().await;
    let customer = system.client.seed(&[("MUG", 5)]).await;
    system.faults().servicebus.pause();
    let placed = system.client.place(&customer, &[("MUG", 1)]).await;
    assert_eq!(placed.status, StatusCode::CREATED, "{placed:?}");
    let another = system.client.place(&customer, &[("MUG", 1)]).await;
    assert_eq!(another.status, StatusCode::CREATED, "{another:?}");
    system.logged(&["relay_interrupted", "did not answer"]).await;
    system.faults().servicebus.resume();
    system.shown(&another.body["id"], 1).await;
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
async fn rubbish_on_the_topic_becomes_a_dead_letter_and_the_next_messages_flow() {
    let system = System::start().await;
    let customer = system.client.seed(&[("MUG", 5)]).await;
    let mut topic = Topic::open(&system.stack).await;
    topic.send("m-13", "{\"specversion\":\"1.0\"}").await;
    let placed = system.client.place(&customer, &[("MUG", 1)]).await;
    system.shown(&placed.body["id"], 1).await;
    let (body, reason) = topic.dead_letter().await;
    assert_eq!(body, "{\"specversion\":\"1.0\"}");
    assert!(reason.contains("MaxDeliveryCountExceeded"), "{reason}");
    let line = system.logged(&["message_refused", "m-13"]).await;
    assert!(line.contains("missing field"), "{line}");
    system.logged(&["message_goes_to_dead_letters", "m-13"]).await;
}

#[tokio::test]
async fn an_event_that_the_bus_refuses_is_parked_with_the_reason_and_the_others_go() {
    let system = System::start().await;
    let customer = system.client.seed(&[("MUG", 5)]).await;
    let first = system.client.place(&customer, &[("MUG", 1)]).await;
    system.shown(&first.body["id"], 1).await;
    system.rows("with e as (insert into write_model.events (event_id, stream, version, type, data, state, metadata, occurred_at)
        select gen_random_uuid(), 'huge', 1, 'orders.Huge.v1', to_jsonb(repeat('x', 3000000)), '{}', '{}', now() returning position)
        insert into write_model.outbox (position) select position from e returning position").await;
    let next = system.client.place(&customer, &[("MUG", 1)]).await;
    system.shown(&next.body["id"], 1).await;
    system.logged(&["outbox_row_parked"]).await;
    let parked = system
        .rows("select reason from write_model.outbox where parked_at is not null")
        .await;
    assert_eq!(parked.len(), 1);
    assert!(parked[0].get::<_, String>(0).contains("size"), "{parked:?}");
}
