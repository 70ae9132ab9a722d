//! `com.microsoft:update-disposition`: a message is settled by its lock token, whatever link it was received on.
//! Never settles on the link that received it, but to show that its lock is lost.

use fe2o3_amqp::Session;
use fe2o3_amqp::types::primitives::Value;

use crate::client::*;
use crate::peeks::peek;

const UPDATE: &str = "com.microsoft:update-disposition";

/// A request to settle one lock, with more entries.
fn update<const N: usize>(status: &str, token: [u8; 16], more: [(&str, Value); N]) -> Value {
    let Value::Map(mut body) = tokens(token) else {
        panic!("tokens are a map")
    };
    let status = ("disposition-status", Value::String(status.into()));
    for (name, value) in [status].into_iter().chain(more) {
        body.insert(Value::String(name.into()), value);
    }
    Value::Map(body)
}

/// Settles by a connection of its own, which never received anything.
async fn settle_elsewhere(client: &mut Client, entity: &str, body: Value) -> i32 {
    let mut connection = connect(&client.emulator).await.unwrap();
    let session = within(Session::begin(&mut connection)).await.unwrap();
    let there = std::mem::replace(&mut client.session, session);
    client.authorize().await;
    let (status, _) = manage(client, entity, UPDATE, body).await;
    client.session = there;
    status
}

#[tokio::test]
async fn completed_by_token_is_gone_and_its_own_link_finds_the_lock_lost() {
    for [to, from] in [[TOPIC, SUBSCRIPTION], ["work", "work"]] {
        let mut client = Client::new("PT1M").await;
        client.send_to(to, message("one")).await;
        let mut receiver = client.receiver(from).await;
        let first = next(&mut receiver).await;
        let body = update("completed", lock(&first), []);
        assert_eq!(settle_elsewhere(&mut client, from, body.clone()).await, 200);
        assert_eq!(peek(&mut client, from).await, (204, Vec::new()));
        // Neither the link's own outcome nor the same request brings it back or counts it.
        within(receiver.modify(&first, failed())).await.unwrap();
        assert_eq!(manage(&mut client, from, UPDATE, body).await.0, 410);
        client.send_to(to, message("two")).await;
        let second = next(&mut receiver).await;
        assert_eq!((text(&second).as_str(), failures(&second)), ("two", 0));
        assert_eq!(client.emulator.switches().counts().settlements, 1);
    }
}

#[tokio::test]
async fn suspended_by_token_is_a_dead_letter_with_its_reason_at_the_first_delivery() {
    for [to, from, dead] in [
        [TOPIC, SUBSCRIPTION, DEAD],
        ["work", "work", "work/$DeadLetterQueue"],
    ] {
        let mut client = Client::new("PT1M").await;
        client.send_to(to, message("one")).await;
        let mut receiver = client.receiver(from).await;
        let first = next(&mut receiver).await;
        let text_of = |text: &str| Value::String(text.into());
        let more = [
            ("deadletter-reason", text_of("undecodable")),
            ("deadletter-description", text_of("it is no JSON")),
            ("properties-to-modify", map([("seen-by", text_of("projector"))])),
        ];
        let body = update("suspended", lock(&first), more);
        assert_eq!(settle_elsewhere(&mut client, from, body).await, 200);
        within(receiver.accept(&first)).await.unwrap();
        let mut letters = client.receiver(dead).await;
        let letter = next(&mut letters).await;
        assert_eq!((text(&letter).as_str(), failures(&letter)), ("one", 0));
        for (name, value) in [
            ("DeadLetterReason", "undecodable"),
            ("DeadLetterErrorDescription", "it is no JSON"),
            ("seen-by", "projector"),
        ] {
            assert_eq!(property(&letter, name).as_deref(), Some(value));
        }
        // A dead letter is settled by its token as well.
        let body = update("completed", lock(&letter), []);
        assert_eq!(settle_elsewhere(&mut client, dead, body).await, 200);
        assert_eq!(peek(&mut client, dead).await, (204, Vec::new()));
        assert_eq!(client.emulator.switches().counts().dead_letters, 1);
    }
}

#[tokio::test]
async fn abandoned_by_token_comes_again_counted_and_changed() {
    let mut client = Client::new("PT1M").await;
    client.send("one").await;
    let mut receiver = client.receiver(SUBSCRIPTION).await;
    let first = next(&mut receiver).await;
    let change = map([("tried-by", Value::String("a".into()))]);
    let body = update("abandoned", lock(&first), [("properties-to-modify", change)]);
    assert_eq!(settle_elsewhere(&mut client, SUBSCRIPTION, body).await, 200);
    let second = next(&mut receiver).await;
    assert_eq!((text(&second).as_str(), failures(&second)), ("one", 1));
    assert_eq!(property(&second, "tried-by").as_deref(), Some("a"));
}

#[tokio::test]
async fn what_cannot_be_done_by_token_is_refused_and_changes_nothing() {
    let mut client = Client::new("PT1M").await;
    client.send("one").await;
    let mut receiver = client.receiver(SUBSCRIPTION).await;
    let first = next(&mut receiver).await;
    let session = ("session-id", Value::String("s".into()));
    for (body, expected) in [
        (update("defered", lock(&first), []), 501),
        (update("renewed", lock(&first), []), 400),
        (update("completed", lock(&first), [session]), 501),
        (update("completed", [7; 16], []), 410),
        (
            map([("disposition-status", Value::String("completed".into()))]),
            400,
        ),
    ] {
        assert_eq!(settle_elsewhere(&mut client, SUBSCRIPTION, body).await, expected);
    }
    // A token is good where its message is, and nowhere else.
    let body = update("completed", lock(&first), []);
    assert_eq!(settle_elsewhere(&mut client, "work", body.clone()).await, 410);
    assert_eq!(settle_elsewhere(&mut client, SUBSCRIPTION, body).await, 200);
}
