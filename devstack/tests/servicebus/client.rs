//! A client of the emulator and what tests ask of it.
//! Never retries: the first answer counts.

use std::future::Future;
use std::time::Duration;

use base64::{Engine, engine::general_purpose::STANDARD};
use devstack::servicebus::{Entities, ServiceBusEmulator};
use fe2o3_amqp::connection::{ConnectionHandle, OpenError};
use fe2o3_amqp::link::{Receiver, Sender, delivery::Delivery};
use fe2o3_amqp::sasl_profile::SaslProfile;
use fe2o3_amqp::session::SessionHandle;
use fe2o3_amqp::types::messaging::{
    AmqpValue, ApplicationProperties, Data, Message, MessageId, Modified, Outcome, Properties,
};
use fe2o3_amqp::types::primitives::{Array, Binary, OrderedMap, SimpleValue, Value};
use fe2o3_amqp::{Connection, Session};
use fe2o3_amqp_cbs::{client::CbsClient, token::CbsToken};
use hmac::{Hmac, Mac};
use serde_json::{Value as Json, json};
use sha2::Sha256;

pub(crate) const TOPIC: &str = "events";
pub(crate) const SUBSCRIPTION: &str = "events/Subscriptions/view";
pub(crate) const DEAD: &str = "events/Subscriptions/view/$DeadLetterQueue";

pub(crate) async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(20), future)
        .await
        .expect("the deadline passed")
}

/// The topic with its subscription, and a queue beside it.
pub(crate) fn entities(lock: &str) -> Entities {
    let properties = json!({ "LockDuration": lock, "MaxDeliveryCount": 2, "RequiresSession": false });
    namespace(
        json!([{ "Name": "events", "Properties": {},
            "Subscriptions": [{ "Name": "view", "Properties": properties }] }]),
        json!([{ "Name": "work", "Properties": properties }]),
    )
}

pub(crate) fn namespace(topics: Json, queues: Json) -> Entities {
    let namespace = json!({ "Name": "n", "Topics": topics, "Queues": queues });
    let config = json!({ "UserConfig": { "Namespaces": [namespace] } });
    Entities::from_json(&config.to_string()).expect("the configuration is valid")
}

pub(crate) async fn connect(emulator: &ServiceBusEmulator) -> Result<ConnectionHandle<()>, OpenError> {
    let address = format!("amqp://{}", emulator.address());
    let connection = Connection::builder()
        .container_id("test")
        .sasl_profile(SaslProfile::Anonymous);
    within(connection.open(address.as_str())).await
}

pub(crate) struct Client {
    pub(crate) emulator: ServiceBusEmulator,
    pub(crate) session: SessionHandle<()>,
    pub(crate) connection: ConnectionHandle<()>,
}

impl Client {
    pub(crate) async fn anonymous(entities: Entities) -> Self {
        let address = "127.0.0.1:0".parse().unwrap();
        let emulator = ServiceBusEmulator::start(entities, address).await.unwrap();
        let mut connection = connect(&emulator).await.unwrap();
        let session = within(Session::begin(&mut connection)).await.unwrap();
        Self {
            emulator,
            session,
            connection,
        }
    }

    /// A new connection to the same emulator, in place of the one there was.
    pub(crate) async fn reconnect(&mut self) {
        self.connection = connect(&self.emulator).await.unwrap();
        self.begin().await;
        self.authorize().await;
    }

    /// A new session on the same connection.
    pub(crate) async fn begin(&mut self) {
        self.session = within(Session::begin(&mut self.connection)).await.unwrap();
    }

    pub(crate) async fn authorize(&mut self) {
        self.put_token("SAS_KEY_VALUE", 4_000_000_000)
            .await
            .expect("the token is good");
    }

    pub(crate) async fn new(lock: &str) -> Self {
        Self::over(entities(lock)).await
    }

    pub(crate) async fn over(entities: Entities) -> Self {
        let mut client = Self::anonymous(entities).await;
        client.authorize().await;
        client
    }

    pub(crate) async fn put_token(&mut self, key: &str, expiry: i64) -> Result<(), String> {
        let audience = format!("sb://{}/", self.emulator.address());
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

    pub(crate) async fn sender(&mut self) -> Sender {
        self.sender_to(TOPIC).await
    }

    pub(crate) async fn sender_to(&mut self, address: &str) -> Sender {
        within(Sender::attach(&mut self.session, "publisher", address))
            .await
            .unwrap()
    }

    pub(crate) async fn receiver(&mut self, address: &str) -> Receiver {
        within(Receiver::attach(
            &mut self.session,
            format!("from {address}"),
            address,
        ))
        .await
        .unwrap()
    }

    pub(crate) async fn send(&mut self, body: &str) {
        self.send_to(TOPIC, message(body)).await;
    }

    pub(crate) async fn send_to(&mut self, address: &str, message: Message<Data>) {
        let mut sender = self.sender_to(address).await;
        let outcome = within(sender.send(message)).await.unwrap();
        assert!(matches!(outcome, Outcome::Accepted(_)));
        within(sender.close()).await.unwrap();
    }
}

pub(crate) fn message(body: &str) -> Message<Data> {
    Message::builder()
        .data(Binary::from(body.as_bytes().to_vec()))
        .build()
}

/// A message with an id, and with this application property `replay`.
pub(crate) fn marked(id: &str, replay: &str) -> Message<Data> {
    Message::builder()
        .properties(Properties::builder().message_id(id.to_owned()).build())
        .application_properties(ApplicationProperties::builder().insert("replay", replay).build())
        .data(Binary::from(id.as_bytes().to_vec()))
        .build()
}

pub(crate) async fn next(receiver: &mut Receiver) -> Delivery<Data> {
    within(receiver.recv::<Data>()).await.unwrap()
}

pub(crate) fn text(delivery: &Delivery<Data>) -> String {
    String::from_utf8(delivery.body().0.to_vec()).unwrap()
}

pub(crate) fn failures(delivery: &Delivery<Data>) -> u32 {
    delivery
        .message()
        .header
        .as_ref()
        .map_or(0, |header| header.delivery_count)
}

pub(crate) fn property(delivery: &Delivery<Data>, name: &str) -> Option<String> {
    match delivery.message().application_properties.as_ref()?.0.get(name)? {
        SimpleValue::String(text) => Some(text.clone()),
        _ => None,
    }
}

pub(crate) fn failed() -> Modified {
    Modified {
        delivery_failed: Some(true),
        undeliverable_here: None,
        message_annotations: None,
    }
}

/// Calls the `$management` of an entity and gives the status and the body.
pub(crate) async fn manage(client: &mut Client, entity: &str, operation: &str, body: Value) -> (i32, Value) {
    manage_on(&mut client.session, entity, operation, body).await
}

/// The same on a session.
pub(crate) async fn manage_on(
    session: &mut SessionHandle<()>,
    entity: &str,
    operation: &str,
    body: Value,
) -> (i32, Value) {
    manage_within(session, entity, operation, body, 0).await
}

/// The same where an answer may have so many bytes; 0 sets no limit.
pub(crate) async fn manage_within(
    session: &mut SessionHandle<()>,
    entity: &str,
    operation: &str,
    body: Value,
    limit: u64,
) -> (i32, Value) {
    let node = format!("{entity}/$management");
    let mut sender = within(Sender::attach(session, "ask", node.as_str()))
        .await
        .unwrap();
    let receiver = Receiver::builder().name("answer").source(node.as_str());
    let mut receiver = within(receiver.max_message_size(limit).attach(session))
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

/// A request's body.
pub(crate) fn map<const N: usize>(entries: [(&str, Value); N]) -> Value {
    let mut map = OrderedMap::new();
    for (name, value) in entries {
        map.insert(Value::String(name.into()), value);
    }
    Value::Map(map)
}

/// The lock token of a delivery, in the order of RFC 4122: the tag is in .NET's.
pub(crate) fn lock(delivery: &Delivery<Data>) -> [u8; 16] {
    let tag: [u8; 16] = delivery.delivery_tag().as_slice().try_into().unwrap();
    *uuid::Uuid::from_bytes_le(tag).as_bytes()
}

pub(crate) fn tokens(bytes: [u8; 16]) -> Value {
    let token = fe2o3_amqp::types::primitives::Uuid::from(bytes);
    map([("lock-tokens", Value::Array(Array(vec![Value::Uuid(token)])))])
}
