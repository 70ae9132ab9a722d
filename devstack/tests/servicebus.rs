//! The Service Bus emulator as a client on the network sees it.
//! Never looks inside the emulator, and never waits longer than a deadline.

use std::future::Future;
use std::time::Duration;

use base64::{Engine, engine::general_purpose::STANDARD};
use devstack::servicebus::{Emulator, Entities};
use fe2o3_amqp::connection::ConnectionHandle;
use fe2o3_amqp::link::{Receiver, Sender, delivery::Delivery};
use fe2o3_amqp::sasl_profile::SaslProfile;
use fe2o3_amqp::session::SessionHandle;
use fe2o3_amqp::types::definitions::{AmqpError, ErrorCondition, Fields};
use fe2o3_amqp::types::messaging::{
    AmqpValue, ApplicationProperties, Batch, Body, Data, FilterSet, Message, MessageId, Modified, Outcome,
    Properties, Source,
};
use fe2o3_amqp::types::primitives::{Array, Binary, OrderedMap, SimpleValue, Symbol, Value};
use fe2o3_amqp::{Connection, Sendable, Session};
use fe2o3_amqp_cbs::{client::CbsClient, token::CbsToken};
use hmac::{Hmac, Mac};
use sha2::Sha256;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const TOPIC: &str = "events";
const SUBSCRIPTION: &str = "events/Subscriptions/view";
const DEAD: &str = "events/Subscriptions/view/$DeadLetterQueue";

async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(20), future)
        .await
        .expect("the deadline passed")
}

fn entities(lock: &str) -> Entities {
    let subscription = format!(
        r#"{{"Name":"view","Properties":{{"LockDuration":"{lock}","MaxDeliveryCount":2,"RequiresSession":false}}}}"#
    );
    Entities::from_json(&format!(
        r#"{{"UserConfig":{{"Namespaces":[{{"Name":"n","Topics":[
            {{"Name":"events","Properties":{{}},"Subscriptions":[{subscription}]}}]}}]}}}}"#
    ))
    .expect("the configuration is valid")
}

struct Client {
    emulator: Emulator,
    session: SessionHandle<()>,
    _connection: ConnectionHandle<()>,
}

impl Client {
    async fn anonymous(lock: &str) -> Self {
        let address = "127.0.0.1:0".parse().unwrap();
        let emulator = Emulator::start(entities(lock), address).await.unwrap();
        let mut connection = within(
            Connection::builder()
                .container_id("test")
                .sasl_profile(SaslProfile::Anonymous)
                .open(format!("amqp://{}", emulator.address()).as_str()),
        )
        .await
        .unwrap();
        let session = within(Session::begin(&mut connection)).await.unwrap();
        Self {
            emulator,
            session,
            _connection: connection,
        }
    }

    async fn new(lock: &str) -> Self {
        let mut client = Self::anonymous(lock).await;
        client
            .put_token("SAS_KEY_VALUE", 4_000_000_000)
            .await
            .expect("the token is good");
        client
    }

    async fn put_token(&mut self, key: &str, expiry: i64) -> Result<(), String> {
        let audience = format!("sb://{}/{TOPIC}", self.emulator.address());
        let resource: String = url::form_urlencoded::byte_serialize(audience.as_bytes()).collect();
        let mut mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).unwrap();
        mac.update(format!("{resource}\n{expiry}").as_bytes());
        let signature = STANDARD.encode(mac.finalize().into_bytes());
        let signature: String = url::form_urlencoded::byte_serialize(signature.as_bytes()).collect();
        let token = format!(
            "SharedAccessSignature sr={resource}&sig={signature}&se={expiry}&skn=RootManageSharedAccessKey"
        );
        let mut cbs = within(CbsClient::attach(&mut self.session)).await.unwrap();
        let token = CbsToken::new(token, "servicebus.windows.net:sastoken", None);
        let result = within(cbs.put_token(audience, token))
            .await
            .map_err(|error| format!("{error:?}"));
        within(cbs.close()).await.unwrap();
        result
    }

    async fn sender(&mut self) -> Sender {
        within(Sender::attach(&mut self.session, "publisher", TOPIC))
            .await
            .unwrap()
    }

    async fn receiver(&mut self, address: &str) -> Receiver {
        within(Receiver::attach(
            &mut self.session,
            format!("from {address}"),
            address,
        ))
        .await
        .unwrap()
    }

    async fn send(&mut self, body: &str) {
        let mut sender = self.sender().await;
        let outcome = within(sender.send(message(body))).await.unwrap();
        assert!(matches!(outcome, Outcome::Accepted(_)));
        within(sender.close()).await.unwrap();
    }
}

fn message(body: &str) -> Message<Data> {
    Message::builder()
        .data(Binary::from(body.as_bytes().to_vec()))
        .build()
}

async fn next(receiver: &mut Receiver) -> Delivery<Data> {
    within(receiver.recv::<Data>()).await.unwrap()
}

fn text(delivery: &Delivery<Data>) -> String {
    String::from_utf8(delivery.body().0.to_vec()).unwrap()
}

fn failures(delivery: &Delivery<Data>) -> u32 {
    delivery
        .message()
        .header
        .as_ref()
        .map_or(0, |header| header.delivery_count)
}

fn property(delivery: &Delivery<Data>, name: &str) -> Option<String> {
    match delivery.message().application_properties.as_ref()?.0.get(name)? {
        SimpleValue::String(text) => Some(text.clone()),
        _ => None,
    }
}

fn failed() -> Modified {
    Modified {
        delivery_failed: Some(true),
        undeliverable_here: None,
        message_annotations: None,
    }
}

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

/// Calls `$management` and gives the status and the body.
async fn manage(client: &mut Client, operation: &str, body: Value) -> (i32, Value) {
    let node = format!("{SUBSCRIPTION}/$management");
    let mut sender = within(Sender::attach(&mut client.session, "ask", node.as_str()))
        .await
        .unwrap();
    let mut receiver = within(Receiver::attach(&mut client.session, "answer", node.as_str()))
        .await
        .unwrap();
    let request = Message::builder()
        .properties(Properties::builder().message_id(7_u64).reply_to("answer").build())
        .application_properties(
            ApplicationProperties::builder()
                .insert("operation", operation)
                .build(),
        )
        .value(body)
        .build();
    within(sender.send(request)).await.unwrap();
    let reply = within(receiver.recv::<AmqpValue<Value>>()).await.unwrap();
    let properties = reply.message().properties.clone().unwrap();
    assert_eq!(properties.correlation_id, Some(MessageId::Ulong(7)));
    let status = match reply
        .message()
        .application_properties
        .as_ref()
        .unwrap()
        .0
        .get("statusCode")
    {
        Some(SimpleValue::Int(status)) => *status,
        other => panic!("no status: {other:?}"),
    };
    let body = reply.into_body().0;
    within(sender.close()).await.unwrap();
    within(receiver.close()).await.unwrap();
    (status, body)
}

fn tokens(bytes: [u8; 16]) -> Value {
    let token = fe2o3_amqp::types::primitives::Uuid::from(bytes);
    let mut map = OrderedMap::new();
    map.insert(
        Value::String("lock-tokens".into()),
        Value::Array(Array(vec![Value::Uuid(token)])),
    );
    Value::Map(map)
}

#[tokio::test]
async fn a_lock_is_renewed_and_a_lost_one_is_gone() {
    let mut client = Client::new("PT1M").await;
    client.send("one").await;
    let mut receiver = client.receiver(SUBSCRIPTION).await;
    let first = next(&mut receiver).await;
    let tag: [u8; 16] = first.delivery_tag().as_slice().try_into().unwrap();
    // The tag is in .NET order; the request takes the order of RFC 4122.
    let token = *uuid::Uuid::from_bytes_le(tag).as_bytes();
    assert_eq!(
        manage(&mut client, "com.microsoft:renew-lock", tokens(token))
            .await
            .0,
        200
    );
    within(receiver.accept(&first)).await.unwrap();
    assert_eq!(
        manage(&mut client, "com.microsoft:renew-lock", tokens(token))
            .await
            .0,
        410
    );
}

#[tokio::test]
async fn an_operation_that_is_missing_is_answered_with_501() {
    let mut client = Client::new("PT1M").await;
    let body = Value::Map(OrderedMap::new());
    assert_eq!(
        manage(&mut client, "com.microsoft:schedule-message", body)
            .await
            .0,
        501
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

#[tokio::test]
async fn a_link_without_a_token_is_refused() {
    let mut client = Client::anonymous("PT1M").await;
    let error = within(Sender::attach(&mut client.session, "publisher", TOPIC))
        .await
        .unwrap_err();
    let expected = format!("{:?}", AmqpError::UnauthorizedAccess);
    assert!(format!("{error:?}").contains(&expected), "{error:?}");
    client.put_token("another key", 4_000_000_000).await.unwrap_err();
    client
        .put_token("SAS_KEY_VALUE", 1_000_000_000)
        .await
        .unwrap_err();
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

#[test]
fn a_configuration_with_sessions_is_refused_by_name() {
    let text = r#"{"UserConfig":{"Namespaces":[{"Name":"n","Queues":[
        {"Name":"q","Properties":{"RequiresSession":true}}]}]}}"#;
    assert!(
        Entities::from_json(text)
            .unwrap_err()
            .to_string()
            .contains("RequiresSession")
    );
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
