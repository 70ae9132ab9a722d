//! A client of the emulator and what tests ask of it.
//! Never retries: the first answer counts.

use std::future::Future;
use std::time::Duration;

use base64::{Engine, engine::general_purpose::STANDARD};
use devstack::servicebus::{Emulator, Entities};
use fe2o3_amqp::connection::ConnectionHandle;
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
use sha2::Sha256;

pub(crate) const TOPIC: &str = "events";
pub(crate) const SUBSCRIPTION: &str = "events/Subscriptions/view";
pub(crate) const DEAD: &str = "events/Subscriptions/view/$DeadLetterQueue";

pub(crate) async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(20), future)
        .await
        .expect("the deadline passed")
}

pub(crate) fn entities(lock: &str) -> Entities {
    let subscription = format!(
        r#"{{"Name":"view","Properties":{{"LockDuration":"{lock}","MaxDeliveryCount":2,"RequiresSession":false}}}}"#
    );
    Entities::from_json(&format!(
        r#"{{"UserConfig":{{"Namespaces":[{{"Name":"n","Topics":[
            {{"Name":"events","Properties":{{}},"Subscriptions":[{subscription}]}}]}}]}}}}"#
    ))
    .expect("the configuration is valid")
}

pub(crate) struct Client {
    pub(crate) emulator: Emulator,
    pub(crate) session: SessionHandle<()>,
    _connection: ConnectionHandle<()>,
}

impl Client {
    pub(crate) async fn anonymous(lock: &str) -> Self {
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

    pub(crate) async fn new(lock: &str) -> Self {
        let mut client = Self::anonymous(lock).await;
        client
            .put_token("SAS_KEY_VALUE", 4_000_000_000)
            .await
            .expect("the token is good");
        client
    }

    pub(crate) async fn put_token(&mut self, key: &str, expiry: i64) -> Result<(), String> {
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

    pub(crate) async fn sender(&mut self) -> Sender {
        within(Sender::attach(&mut self.session, "publisher", TOPIC))
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
        let mut sender = self.sender().await;
        let outcome = within(sender.send(message(body))).await.unwrap();
        assert!(matches!(outcome, Outcome::Accepted(_)));
        within(sender.close()).await.unwrap();
    }
}

pub(crate) fn message(body: &str) -> Message<Data> {
    Message::builder()
        .data(Binary::from(body.as_bytes().to_vec()))
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

/// Calls `$management` and gives the status and the body.
pub(crate) async fn manage(client: &mut Client, operation: &str, body: Value) -> (i32, Value) {
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

pub(crate) fn tokens(bytes: [u8; 16]) -> Value {
    let token = fe2o3_amqp::types::primitives::Uuid::from(bytes);
    let mut map = OrderedMap::new();
    map.insert(
        Value::String("lock-tokens".into()),
        Value::Array(Array(vec![Value::Uuid(token)])),
    );
    Value::Map(map)
}
