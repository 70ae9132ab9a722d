//! Sending, receiving and the outcomes of a delivery.
//! Never expects a refusal.

use fe2o3_amqp::Sendable;
use fe2o3_amqp::types::definitions::{ErrorCondition, Fields};
use fe2o3_amqp::types::messaging::{Batch, Body, Data, Message, MessageId, Outcome};
use fe2o3_amqp::types::primitives::{Binary, Symbol, Value};

use crate::client::*;

#[tokio::test]
async fn a_sent_message_is_received_and_completed() {
    let mut client = Client::new("PT1M").await;
    client.send("one").await;
    client.send("two").await;
    let mut receiver = client.receiver(SUBSCRIPTION).await;
    let first = next(&mut receiver).await;
    assert_eq!(
        (
            text(&first).as_str(),
            first.delivery_tag().len(),
            failures(&first)
        ),
        ("one", 16, 0)
    );
    let id = first
        .message()
        .properties
        .as_ref()
        .and_then(|properties| properties.message_id.clone());
    assert!(matches!(id, Some(MessageId::String(id)) if id.len() == 32));
    within(receiver.accept(&first)).await.unwrap();
    assert_eq!(text(&next(&mut receiver).await), "two");
}

#[tokio::test]
async fn an_abandoned_message_comes_back_counted_and_falls_after_the_last_try() {
    let mut client = Client::new("PT1M").await;
    client.send("one").await;
    let mut receiver = client.receiver(SUBSCRIPTION).await;
    let first = next(&mut receiver).await;
    within(receiver.modify(&first, failed())).await.unwrap();
    let second = next(&mut receiver).await;
    assert_eq!(failures(&second), 1);
    within(receiver.modify(&second, failed())).await.unwrap();
    let mut dead = client.receiver(DEAD).await;
    let letter = next(&mut dead).await;
    assert_eq!(
        property(&letter, "DeadLetterReason").as_deref(),
        Some("MaxDeliveryCountExceeded")
    );
}

#[tokio::test]
async fn a_released_message_comes_back_uncounted() {
    let mut client = Client::new("PT1M").await;
    client.send("one").await;
    let mut receiver = client.receiver(SUBSCRIPTION).await;
    let first = next(&mut receiver).await;
    within(receiver.release(&first)).await.unwrap();
    assert_eq!(failures(&next(&mut receiver).await), 0);
}

#[tokio::test]
async fn a_dead_letter_tells_why_it_is_one() {
    let mut client = Client::new("PT1M").await;
    client.send("one").await;
    let mut receiver = client.receiver(SUBSCRIPTION).await;
    let first = next(&mut receiver).await;
    let mut info = Fields::new();
    info.insert(Symbol::from("DeadLetterReason"), Value::String("broken".into()));
    info.insert(
        Symbol::from("DeadLetterErrorDescription"),
        Value::String("unreadable".into()),
    );
    let condition = ErrorCondition::Custom(Symbol::from("com.microsoft:dead-letter"));
    let error = fe2o3_amqp::types::definitions::Error {
        condition,
        description: None,
        info: Some(Box::new(info)),
    };
    within(receiver.reject(&first, error)).await.unwrap();
    let mut dead = client.receiver(DEAD).await;
    let letter = next(&mut dead).await;
    assert_eq!(text(&letter), "one");
    assert_eq!(property(&letter, "DeadLetterReason").as_deref(), Some("broken"));
    assert_eq!(
        property(&letter, "DeadLetterErrorDescription").as_deref(),
        Some("unreadable")
    );
    within(dead.accept(&letter)).await.unwrap();
}

#[tokio::test]
async fn a_lock_that_runs_out_gives_the_message_back() {
    let mut client = Client::new("PT0.3S").await;
    client.send("one").await;
    let mut receiver = client.receiver(SUBSCRIPTION).await;
    let first = next(&mut receiver).await;
    let second = next(&mut receiver).await;
    assert_eq!((text(&second), failures(&second)), (text(&first), 1));
}

#[tokio::test]
async fn a_lock_is_renewed_and_a_lost_one_is_gone() {
    let mut client = Client::new("PT1M").await;
    client.send("one").await;
    let mut receiver = client.receiver(SUBSCRIPTION).await;
    let first = next(&mut receiver).await;
    let token = lock(&first);
    assert_eq!(
        manage(
            &mut client,
            SUBSCRIPTION,
            "com.microsoft:renew-lock",
            tokens(token)
        )
        .await
        .0,
        200
    );
    within(receiver.accept(&first)).await.unwrap();
    assert_eq!(
        manage(
            &mut client,
            SUBSCRIPTION,
            "com.microsoft:renew-lock",
            tokens(token)
        )
        .await
        .0,
        410
    );
}

#[tokio::test]
async fn a_batch_becomes_its_messages() {
    let mut client = Client::new("PT1M").await;
    let mut sender = client.sender().await;
    // A message of one data section, encoded by hand.
    let data = |body: &str| {
        let mut bytes = vec![0x00, 0x53, 0x75, 0xa0, body.len() as u8];
        bytes.extend(body.as_bytes());
        Data(Binary::from(bytes))
    };
    let body: Body<Value> = Body::Data(Batch::new(vec![data("one"), data("two")]));
    let batch = Sendable::builder()
        .message(Message::builder().body(body).build())
        .message_format(0x8001_3700)
        .build();
    assert!(matches!(
        within(sender.send(batch)).await.unwrap(),
        Outcome::Accepted(_)
    ));
    let mut receiver = client.receiver(SUBSCRIPTION).await;
    assert_eq!(text(&next(&mut receiver).await), "one");
    assert_eq!(text(&next(&mut receiver).await), "two");
}
