//! Time to live: a message goes when its time is over, also unwatched, and says when that is.
//! Never waits for a fixed time: it polls with a deadline.

use std::time::Duration;

use devstack::servicebus::Entities;
use fe2o3_amqp::types::messaging::{Header, Message, Properties};
use fe2o3_amqp::types::primitives::Binary;
use serde_json::json;

use crate::client::*;

/// A topic and a queue whose messages live for so long, and become dead letters then.
fn entities(ttl: &str) -> Entities {
    let properties = json!({ "DefaultMessageTimeToLive": ttl, "DeadLetteringOnMessageExpiration": true, "LockDuration": "PT1M" });
    namespace(
        json!([{ "Name": "events", "Subscriptions": [{ "Name": "view", "Properties": properties }] }]),
        json!([{ "Name": "work", "Properties": properties },
            { "Name": "lost", "Properties": { "DefaultMessageTimeToLive": ttl } },
            { "Name": "plain", "Properties": { "DeadLetteringOnMessageExpiration": true } }]),
    )
}

async fn holds(client: &Client, path: &str, count: usize) {
    let looked = async {
        while client.emulator.switches().held(path) != Some(count) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    within(looked).await;
}

fn living(ttl: u32) -> Message<fe2o3_amqp::types::messaging::Data> {
    Message::builder()
        .header(Header::builder().ttl(Some(ttl)).build())
        .properties(Properties::builder().message_id("m".to_owned()).build())
        .data(Binary::from(b"one".to_vec()))
        .build()
}

#[tokio::test]
async fn a_message_goes_when_its_time_is_over_though_nobody_receives() {
    let mut client = Client::over(entities("PT0.2S")).await;
    for to in [TOPIC, "work", "lost"] {
        client.send_to(to, message("one")).await;
    }
    client.send_to("plain", living(200)).await;
    for (path, letters) in [(SUBSCRIPTION, 1), ("work", 1), ("plain", 1), ("lost", 0)] {
        holds(&client, path, 0).await;
        holds(&client, &format!("{path}/$DeadLetterQueue"), letters).await;
    }
    let mut dead = client.receiver(DEAD).await;
    let letter = next(&mut dead).await;
    assert_eq!(
        property(&letter, "DeadLetterReason").as_deref(),
        Some("TTLExpiredException")
    );
    // As in Azure only a letter that was forwarded has its source on it.
    let annotations = format!("{:?}", letter.message().message_annotations);
    assert!(!annotations.contains("deadletter-source"), "{annotations}");
}

#[tokio::test]
async fn a_message_that_expires_under_a_lock_is_gone_when_released() {
    let mut client = Client::over(entities("PT0.3S")).await;
    client.send_to("work", message("one")).await;
    let mut receiver = client.receiver("work").await;
    let first = next(&mut receiver).await;
    // Another message of the same age is gone by now, so the first one is past its time too.
    client.send_to("lost", message("two")).await;
    holds(&client, "lost", 0).await;
    assert_eq!(client.emulator.switches().held("work"), Some(1));
    within(receiver.modify(&first, failed())).await.unwrap();
    holds(&client, "work/$DeadLetterQueue", 1).await;
    assert_eq!(client.emulator.switches().held("work"), Some(0));
}

#[tokio::test]
async fn a_message_lives_the_shorter_of_its_own_and_the_entitys_time() {
    let mut client = Client::over(entities("PT1H")).await;
    const HOUR: u32 = 3_600_000;
    for (sent, expected) in [(None, HOUR), (Some(60_000), 60_000), (Some(HOUR + 1), HOUR)] {
        for to in ["work", TOPIC] {
            let from = if to == TOPIC { SUBSCRIPTION } else { to };
            let sent = sent.map_or_else(|| message("one"), living);
            client.send_to(to, sent).await;
            let mut receiver = client.receiver(from).await;
            let delivery = next(&mut receiver).await;
            let ttl = delivery.message().header.as_ref().and_then(|header| header.ttl);
            assert_eq!(ttl, Some(expected), "{from}");
            let properties = delivery.message().properties.clone().unwrap();
            let expiry = properties.absolute_expiry_time.unwrap().milliseconds();
            let annotations = delivery.message().message_annotations.clone().unwrap();
            let enqueued = annotations.0.into_iter().find_map(|(name, value)| match value {
                fe2o3_amqp::types::primitives::Value::Timestamp(at)
                    if format!("{name:?}").contains("x-opt-enqueued-time") =>
                {
                    Some(at.milliseconds())
                }
                _ => None,
            });
            assert_eq!(expiry - enqueued.unwrap(), i64::from(expected), "{from}");
            within(receiver.accept(&delivery)).await.unwrap();
            within(receiver.close()).await.unwrap();
        }
    }
    // Where neither sets a limit there is none.
    client.send_to("plain", message("one")).await;
    let mut receiver = client.receiver("plain").await;
    let delivery = next(&mut receiver).await;
    assert_eq!(
        delivery.message().header.as_ref().and_then(|header| header.ttl),
        None
    );
    let properties = delivery.message().properties.clone().unwrap();
    assert_eq!(properties.absolute_expiry_time, None);
}

#[tokio::test]
async fn the_dead_letters_of_forwarding_are_an_empty_queue() {
    let mut client = Client::new("PT1M").await;
    for entity in ["work", SUBSCRIPTION] {
        let path = format!("{entity}/$Transfer/$DeadLetterQueue");
        within(client.receiver(&path).await.close()).await.unwrap();
        assert_eq!(
            crate::peeks::peek(&mut client, &path).await,
            (204, Vec::new()),
            "{path}"
        );
    }
}
