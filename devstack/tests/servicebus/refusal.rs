//! What the emulator must refuse, and how.
//! Never accepts silence as an answer.

use fe2o3_amqp::link::{Receiver, Sender};
use fe2o3_amqp::types::definitions::AmqpError;
use fe2o3_amqp::types::messaging::{FilterSet, Source};
use fe2o3_amqp::types::primitives::{Symbol, Value};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::client::*;

#[tokio::test]
async fn a_link_without_a_token_is_refused() {
    let mut client = Client::anonymous(entities("PT1M")).await;
    client.put_token("another key", 4_000_000_000).await.unwrap_err();
    client
        .put_token("SAS_KEY_VALUE", 1_000_000_000)
        .await
        .unwrap_err();
    let error = within(Sender::attach(&mut client.session, "publisher", TOPIC))
        .await
        .unwrap_err();
    let expected = format!("{:?}", AmqpError::UnauthorizedAccess);
    assert!(format!("{error:?}").contains(&expected), "{error:?}");
}

#[tokio::test]
async fn an_unknown_entity_is_not_found() {
    let mut client = Client::new("PT1M").await;
    let error = within(Receiver::attach(
        &mut client.session,
        "r",
        "events/Subscriptions/other",
    ))
    .await
    .unwrap_err();
    assert!(format!("{error:?}").contains("NotFound"), "{error:?}");
}

#[tokio::test]
async fn a_session_is_refused() {
    let mut client = Client::new("PT1M").await;
    let mut filter = FilterSet::new();
    filter.insert(
        Symbol::from("com.microsoft:session-filter"),
        Value::String("s".into()),
    );
    let source = Source {
        filter: Some(filter),
        ..Source::from(SUBSCRIPTION)
    };
    let error = within(
        Receiver::builder()
            .name("r")
            .source(source)
            .attach(&mut client.session),
    )
    .await
    .unwrap_err();
    assert!(format!("{error:?}").contains("NotImplemented"), "{error:?}");
}

#[tokio::test]
async fn rubbish_ends_its_own_connection_only() {
    let mut client = Client::new("PT1M").await;
    let rubbish: [&[u8]; 4] = [
        b"GET / HTTP/1.1\r\n\r\n",
        b"AMQP\x00\x01\x00\x00\xff\xff\xff\xff\x02\x00\x00\x00",
        b"AMQP\x00\x01\x00\x00\x00\x00\x00\x10\x02\x00\x00\x00\x00\x53\x10\xd0\xff\xff\xff\xff",
        b"AMQP\x03\x01\x00\x00\x00\x00\x00\x0a\x02\x01\x00\x00\x00\x00",
    ];
    for bytes in rubbish {
        let mut stream = TcpStream::connect(client.emulator.address()).await.unwrap();
        stream.write_all(bytes).await.unwrap();
        let mut answer = Vec::new();
        // A reset ends the connection as well as an orderly close does.
        let _ = within(stream.read_to_end(&mut answer)).await;
    }
    client.send("still here").await;
    client.emulator.stop().await;
}

#[tokio::test]
async fn an_operation_that_is_missing_is_answered_with_501() {
    let mut client = Client::new("PT1M").await;
    let body = map([]);
    assert_eq!(
        manage(&mut client, SUBSCRIPTION, "com.microsoft:schedule-message", body)
            .await
            .0,
        501
    );
}

#[tokio::test]
async fn a_large_message_passes_and_one_too_large_is_refused() {
    let mut client = Client::new("PT1M").await;
    let large = "x".repeat(200_000);
    client.send(&large).await;
    let mut receiver = client.receiver(SUBSCRIPTION).await;
    assert_eq!(text(&next(&mut receiver).await), large);
    let mut sender = client.sender().await;
    assert_eq!(sender.max_message_size(), Some(262_144));
    let error = within(sender.send(message(&"x".repeat(300_000))))
        .await
        .unwrap_err();
    assert!(
        format!("{error:?}").to_lowercase().contains("messagesize"),
        "{error:?}"
    );
}
