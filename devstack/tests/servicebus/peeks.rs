//! Peeking: an answer holds what the link takes, and the next one goes on from there.
//! Never receives what it looks at.

use fe2o3_amqp::types::primitives::Value;

use crate::client::*;

/// Peeks at up to ten messages through the management node of an entity.
pub(crate) async fn peek(client: &mut Client, entity: &str) -> (i32, Vec<Vec<u8>>) {
    peek_from(client, entity, 0, 10, 0).await
}

/// Peeks from a sequence number on, over a link that takes answers of so many bytes; 0 sets no limit.
async fn peek_from(
    client: &mut Client,
    entity: &str,
    from: i64,
    count: i32,
    limit: u64,
) -> (i32, Vec<Vec<u8>>) {
    let body = map([
        ("from-sequence-number", Value::Long(from)),
        ("message-count", Value::Int(count)),
    ]);
    let operation = "com.microsoft:peek-message";
    let (status, body) = manage_within(&mut client.session, entity, operation, body, limit).await;
    let Value::Map(body) = body else {
        return (status, Vec::new());
    };
    let Some(Value::List(messages)) = body.get(&Value::String("messages".into())) else {
        panic!("{body:?}")
    };
    let bytes = |entry: &Value| match entry {
        Value::Map(entry) => match entry.get(&Value::String("message".into())) {
            Some(Value::Binary(bytes)) => bytes.to_vec(),
            other => panic!("{other:?}"),
        },
        other => panic!("{other:?}"),
    };
    (status, messages.iter().map(bytes).collect())
}

/// How many messages each answer holds until all of an entity's have been seen.
async fn pages(client: &mut Client, entity: &str, limit: u64) -> Vec<usize> {
    let (mut pages, mut seen) = (Vec::new(), 0);
    loop {
        let (status, page) = peek_from(client, entity, seen + 1, 250, limit).await;
        if page.is_empty() {
            assert_eq!(status, 204);
            return pages;
        }
        seen += i64::try_from(page.len()).unwrap();
        pages.push(page.len());
    }
}

#[tokio::test]
async fn an_answer_holds_no_more_than_the_link_takes_but_always_one_message() {
    let mut client = Client::new("PT1M").await;
    for body in [150_000, 150_000, 150_000] {
        client.send(&"x".repeat(body)).await;
    }
    assert_eq!(pages(&mut client, SUBSCRIPTION, 0).await, [1, 1, 1]);
    // The largest message there can be has grown by what the broker tells of it.
    client.send_to("work", message(&"x".repeat(261_900))).await;
    assert_eq!(pages(&mut client, "work", 0).await, [1]);
}

#[tokio::test]
async fn dead_letters_of_six_kilobytes_come_in_as_few_answers_as_hold_them() {
    let mut client = Client::new("PT1M").await;
    for _ in 0..60 {
        client.send(&"x".repeat(6_000)).await;
    }
    let mut receiver = client.receiver(SUBSCRIPTION).await;
    for _ in 0..60 {
        let delivery = next(&mut receiver).await;
        within(receiver.reject(&delivery, None)).await.unwrap();
    }
    let pages = pages(&mut client, DEAD, 0).await;
    assert!(pages.len() == 2 && pages[0] >= 40, "{pages:?}");
}

#[tokio::test]
async fn a_client_that_takes_less_gets_less() {
    let mut client = Client::new("PT1M").await;
    for _ in 0..10 {
        client.send(&"x".repeat(6_000)).await;
    }
    assert_eq!(pages(&mut client, SUBSCRIPTION, 20_000).await, [3, 3, 3, 1]);
    assert_eq!(pages(&mut client, SUBSCRIPTION, 9_000).await, [1; 10]);
}
