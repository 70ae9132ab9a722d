//! Messages that are not taken, and those that are though they look odd: as frames on the wire.
//! Never sends what a library would have mended first.

use fe2o3_amqp::types::messaging::{DeliveryAnnotations, Message};
use fe2o3_amqp::types::primitives::{Binary, Symbol, Value};

use crate::client::{Client, DEAD, SUBSCRIPTION, TOPIC, within};
use crate::raw::*;

const ACCEPTED: u8 = 0x24;
const REJECTED: u8 = 0x25;

fn body(bytes: &[u8]) -> Vec<u8> {
    described(0x75, &binary(bytes))
}

/// Which outcome a disposition carries.
fn outcome(disposition: &[u8]) -> u8 {
    let states = [ACCEPTED, REJECTED];
    let found = states.into_iter().find(|state| {
        disposition
            .windows(3)
            .any(|window| window == [0x00, 0x53, *state])
    });
    found.expect("a state")
}

/// Microsoft's Python client waits for ever for the outcome of an error without its third field.
#[tokio::test]
async fn every_error_carries_a_map_of_information() {
    let client = Client::new("PT1M").await;
    let mut raw = Raw::open(&client.emulator).await;
    // A rejected message.
    raw.send_to(0, TOPIC).await;
    let rejected = raw.send(0, 0, b"rubbish").await;
    assert!(has_info(&rejected, "amqp:decode-error"), "{rejected:?}");
    // A refused link.
    raw.send_to(1, "no-such-topic").await;
    let detached = raw.until(0x16).await;
    assert!(has_info(&detached, "amqp:not-found"), "{detached:?}");
    // A lock that is lost.
    assert_eq!(outcome(&raw.send(0, 1, &body(b"one")).await), ACCEPTED);
    raw.receive_from(2, "r", SUBSCRIPTION).await;
    raw.credit(2, 1).await;
    raw.until(TRANSFER).await;
    client.emulator.switches().expire_locks();
    let lost = raw.settle(0, ACCEPTED).await;
    assert!(has_info(&lost, "com.microsoft:message-lock-lost"), "{lost:?}");
}

#[tokio::test]
async fn a_message_over_the_limit_is_rejected_and_the_link_goes_on() {
    let client = Client::new("PT1M").await;
    let mut raw = Raw::open(&client.emulator).await;
    raw.send_to(0, TOPIC).await;
    let large = body(&vec![0; 300_000]);
    let mut chunks = large.chunks(60_000).peekable();
    while let Some(chunk) = chunks.next() {
        raw.transfer(0, 0, chunk, chunks.peek().is_some()).await;
    }
    let rejected = raw.until(DISPOSITION).await;
    assert!(
        has_info(&rejected, "amqp:link:message-size-exceeded"),
        "{rejected:?}"
    );
    assert_eq!(outcome(&raw.send(0, 1, &body(b"small")).await), ACCEPTED);
    assert_eq!(client.emulator.switches().held(SUBSCRIPTION), Some(1));
}

#[tokio::test]
async fn an_id_a_session_or_a_partition_key_has_at_most_128_characters() {
    let client = Client::new("PT1M").await;
    let mut raw = Raw::open(&client.emulator).await;
    raw.send_to(0, "work").await;
    let id = |text: Vec<u8>| described(0x73, &list(&[&text]));
    let session = |text: Vec<u8>| {
        let mut fields: Vec<&[u8]> = vec![&NULL; 10];
        fields.push(&text);
        described(0x73, &list(&fields))
    };
    let key = |text: Vec<u8>| described(0x72, &map(&[&symbol_of("x-opt-partition-key"), &text]));
    let with = |length: usize| text(&"é".repeat(length));
    let sections = |length: usize| [id(with(length)), session(with(length)), key(with(length))];
    for (delivery, section) in (0..).zip(sections(127)) {
        let taken = raw.send(0, delivery, &[section, body(b"one")].concat()).await;
        assert_eq!(outcome(&taken), ACCEPTED, "{delivery}");
    }
    for ((delivery, section), name) in
        (3..)
            .zip(sections(129))
            .zip(["MessageId", "SessionId", "PartitionKey"])
    {
        let rejected = raw.send(0, delivery, &[section, body(b"one")].concat()).await;
        assert!(
            has_info(&rejected, "amqp:invalid-field") && contains(&rejected, name),
            "{rejected:?}"
        );
    }
    assert_eq!(client.emulator.switches().held("work"), Some(3));
}

#[tokio::test]
async fn application_properties_are_simple_values() {
    let client = Client::new("PT1M").await;
    let mut raw = Raw::open(&client.emulator).await;
    raw.send_to(0, "work").await;
    let array = [0xe0, 0x03, 0x01, 0x50, 0x07];
    let odd = [
        list(&[&uint(1)]),
        map(&[&text("a"), &uint(1)]),
        array.to_vec(),
        described(0x01, &list(&[&uint(1)])),
    ];
    let properties = |value: &[u8]| described(0x74, &map(&[&text("name"), value]));
    for (id, value) in (0..).zip(&odd) {
        let rejected = raw.send(0, id, &[properties(value), body(b"one")].concat()).await;
        assert!(has_info(&rejected, "amqp:invalid-field"), "{value:?}");
        assert!(contains(&rejected, "'name'"), "{value:?}");
    }
    // A described simple value is how Microsoft's .NET client sends a time span.
    for value in [uint(1), described(0x01, &uint(1)), NULL.to_vec()] {
        let plain = raw.send(0, 9, &[properties(&value), body(b"one")].concat()).await;
        assert_eq!(outcome(&plain), ACCEPTED, "{value:?}");
    }
    assert_eq!(client.emulator.switches().held("work"), Some(3));
}

#[tokio::test]
async fn delivery_annotations_are_taken_wherever_they_stand_and_handed_on() {
    let mut client = Client::new("PT1M").await;
    let annotations = described(0x71, &map(&[&symbol_of("hop"), &text("one")]));
    let message = body(b"text");
    let mut raw = Raw::open(&client.emulator).await;
    raw.send_to(0, "work").await;
    // In the order of AMQP 1.0, and in that of Microsoft's Python client.
    for (id, sections) in [(0, [&annotations, &message]), (1, [&message, &annotations])] {
        let sent = raw.send(0, id, &[&sections[0][..], sections[1]].concat()).await;
        assert_eq!(outcome(&sent), ACCEPTED, "{id}");
    }
    let third = Message::builder()
        .delivery_annotations(DeliveryAnnotations::builder().insert("hop", "one").build())
        .data(Binary::from(b"text".to_vec()))
        .build();
    client.send_to("work", third).await;
    let mut receiver = client.receiver("work").await;
    for _ in 0..3 {
        let delivery = crate::client::next(&mut receiver).await;
        let annotations = delivery.message().delivery_annotations.clone().unwrap();
        let hop = annotations
            .0
            .get(&Symbol::from("hop") as &dyn fe2o3_amqp::types::messaging::annotations::AnnotationKey);
        assert_eq!(hop, Some(&Value::String("one".into())));
        assert_eq!(crate::client::text(&delivery), "text");
    }
}

fn symbol_of(text: &str) -> Vec<u8> {
    let length = u8::try_from(text.len()).unwrap();
    [&[0xa3, length], text.as_bytes()].concat()
}

#[tokio::test]
async fn a_scheduled_time_that_has_passed_is_now_and_one_to_come_is_refused() {
    let client = Client::new("PT1M").await;
    let mut raw = Raw::open(&client.emulator).await;
    let scheduled = |value: &[u8]| {
        let annotations = map(&[&symbol_of("x-opt-scheduled-enqueue-time"), value]);
        [described(0x72, &annotations), body(b"one")].concat()
    };
    for (handle, to, from) in [(0, TOPIC, SUBSCRIPTION), (1, "work", "work")] {
        raw.send_to(handle, to).await;
        for past in [timestamp(0), timestamp(1_700_000_000_000), NULL.to_vec()] {
            assert_eq!(
                outcome(&raw.send(handle, handle, &scheduled(&past)).await),
                ACCEPTED
            );
        }
        let later = raw
            .send(handle, handle, &scheduled(&timestamp(4_000_000_000_000)))
            .await;
        assert!(has_info(&later, "amqp:not-implemented"), "{later:?}");
        assert_eq!(client.emulator.switches().held(from), Some(3));
    }
}

#[tokio::test]
async fn an_outcome_with_properties_that_are_not_simple_is_refused_and_the_lock_stays() {
    let mut client = Client::new("PT1M").await;
    client.send("one").await;
    let mut receiver = client.receiver(SUBSCRIPTION).await;
    let delivery = crate::client::next(&mut receiver).await;
    let list = crate::client::map([("why", Value::List(vec![]))]);
    let token = crate::client::lock(&delivery);
    for status in ["abandoned", "suspended"] {
        let Value::Map(mut request) = crate::client::tokens(token) else {
            panic!("tokens are a map")
        };
        request.insert(
            Value::String("disposition-status".into()),
            Value::String(status.into()),
        );
        request.insert(Value::String("properties-to-modify".into()), list.clone());
        let operation = "com.microsoft:update-disposition";
        let answer = crate::client::manage(&mut client, SUBSCRIPTION, operation, Value::Map(request)).await;
        assert_eq!(answer.0, 400, "{status}");
    }
    within(receiver.accept(&delivery)).await.unwrap();
    assert_eq!(client.emulator.switches().held(DEAD), Some(0));
}

/// Answers wait for credit, and only so many: what could not be answered is not done either.
#[tokio::test]
async fn requests_are_refused_while_too_many_answers_wait_for_credit() {
    const FULL: usize = 1_000;
    let client = Client::new("PT1M").await;
    let mut raw = Raw::open(&client.emulator).await;
    let node = format!("{SUBSCRIPTION}/$management");
    raw.send_to(0, &node).await;
    raw.receive_from(1, "answers", &node).await;
    let properties = list(&[&text("id"), NULL, NULL, NULL, &text("answers")]);
    let operation = map(&[&text("operation"), &text("com.microsoft:unknown")]);
    let request = [
        described(0x73, &properties),
        described(0x74, &operation),
        described(0x77, NULL),
    ]
    .concat();
    for id in 0..u32::try_from(FULL).unwrap() {
        assert_eq!(outcome(&raw.send(0, id, &request).await), ACCEPTED, "{id}");
    }
    for id in 1_000..1_010 {
        let refused = raw.send(0, id, &request).await;
        assert!(has_info(&refused, "amqp:resource-limit-exceeded"), "{refused:?}");
    }
    raw.credit(1, 2_000).await;
    for _ in 0..FULL {
        raw.until(TRANSFER).await;
    }
    assert_eq!(outcome(&raw.send(0, 1_010, &request).await), ACCEPTED);
}

#[tokio::test]
async fn http_is_told_what_this_is_in_one_line() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let client = Client::new("PT1M").await;
    let body = "x".repeat(100_000);
    for request in [
        "GET / HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(),
        format!("PUT /queue HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n{body}"),
        "GET /$servicebus/websocket HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"
            .to_owned(),
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_owned(),
    ] {
        let mut stream = tokio::net::TcpStream::connect(client.emulator.address())
            .await
            .unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        within(stream.read_to_string(&mut answer)).await.unwrap();
        let (head, sentence) = answer.split_once("\r\n\r\n").expect("a head");
        assert!(head.starts_with("HTTP/1.1 501 Not Implemented\r\n"), "{head}");
        assert!(
            head.contains(&format!("Content-Length: {}\r\n", sentence.len())),
            "{head}"
        );
        assert_eq!(sentence.lines().count(), 1);
        assert!(
            sentence.contains("Service Bus emulator") && sentence.contains("AMQP"),
            "{sentence}"
        );
    }
}
