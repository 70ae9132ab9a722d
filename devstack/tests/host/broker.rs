//! The Service Bus emulator with one queue, and a sender and a peeking receiver for it.
//! Never looks inside the broker: what it holds is asked over AMQP.

use std::net::SocketAddr;

use base64::{Engine, engine::general_purpose::STANDARD};
use devstack::servicebus::{Entities, ServiceBusEmulator};
use fe2o3_amqp::{
    Connection, Receiver, Sendable, Sender, Session,
    connection::ConnectionHandle,
    sasl_profile::SaslProfile,
    session::SessionHandle,
    types::{
        messaging::{ApplicationProperties, Body, Data, Message, Properties},
        primitives::{Array, Binary, OrderedMap, SimpleValue, Value},
    },
};
use fe2o3_amqp_cbs::{client::CbsClient, token::CbsToken};
use hmac::{Hmac, Mac};
use serde_json::json;
use sha2::Sha256;
use uuid::Uuid;

use crate::app::within;

pub(crate) const TOPIC: &str = "events";
/// The format of a delivery whose data sections are messages.
const BATCH_FORMAT: u32 = 0x8001_3700;
const DEAD: &str = "events/Subscriptions/view/$DeadLetterQueue";

/// A running emulator.
pub(crate) struct Broker {
    pub(crate) emulator: ServiceBusEmulator,
}

/// A client connection; dropping it closes it.
pub(crate) struct Client {
    session: SessionHandle<()>,
    _connection: ConnectionHandle<()>,
}

impl Broker {
    pub(crate) async fn start(lock: &str, deliveries: u32) -> Self {
        Self::start_at("127.0.0.1:0".parse().expect("an address"), lock, deliveries).await
    }

    pub(crate) async fn start_at(address: SocketAddr, lock: &str, deliveries: u32) -> Self {
        let properties =
            json!({ "LockDuration": lock, "MaxDeliveryCount": deliveries, "RequiresSession": false });
        let topic = json!({ "Name": TOPIC, "Properties": {},
            "Subscriptions": [{ "Name": "view", "Properties": properties }] });
        let config = json!({ "UserConfig": { "Namespaces": [{ "Name": "n", "Topics": [topic] }] } });
        let entities = Entities::from_json(&config.to_string()).expect("a valid configuration");
        Self {
            emulator: ServiceBusEmulator::start(entities, address)
                .await
                .expect("a free port"),
        }
    }

    pub(crate) async fn client(&self) -> Client {
        let address = self.emulator.address();
        let connection = Connection::builder()
            .container_id("test")
            .sasl_profile(SaslProfile::Anonymous);
        let mut connection = within(connection.open(format!("amqp://{address}").as_str()))
            .await
            .expect("to open");
        let mut session = within(Session::begin(&mut connection)).await.expect("a session");
        let mut cbs = within(CbsClient::attach(&mut session))
            .await
            .expect("the token link");
        let audience = format!("sb://{address}/{TOPIC}");
        let token = CbsToken::new(token(&audience), "servicebus.windows.net:sastoken", None);
        within(cbs.put_token(audience, token))
            .await
            .expect("a good token");
        within(cbs.close()).await.expect("to close");
        Client {
            session,
            _connection: connection,
        }
    }
}

fn token(audience: &str) -> String {
    let escape = |text: &str| url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    let resource = escape(audience);
    let mut mac = Hmac::<Sha256>::new_from_slice(b"SAS_KEY_VALUE").expect("a key");
    mac.update(format!("{resource}\n4000000000").as_bytes());
    let signature = escape(&STANDARD.encode(mac.finalize().into_bytes()));
    format!("SharedAccessSignature sr={resource}&sig={signature}&se=4000000000&skn=RootManageSharedAccessKey")
}

impl Client {
    pub(crate) async fn send(&mut self, id: &str, body: &str) {
        let message = Message::builder()
            .properties(
                Properties::builder()
                    .message_id(id.to_owned())
                    .subject("order.created")
                    .build(),
            )
            .application_properties(ApplicationProperties::builder().insert("attempt", 1_i32).build())
            .body(Data(Binary::from(body.as_bytes().to_vec())))
            .build();
        let mut sender = within(Sender::attach(&mut self.session, format!("to-{id}"), TOPIC))
            .await
            .expect("a link");
        within(sender.send(message))
            .await
            .expect("to be taken")
            .accepted_or("refused")
            .expect("to be accepted");
        within(sender.close()).await.expect("to close");
    }

    /// Sends a message that no AMQP library can decode, though the bus takes it: its Subject is a number.
    ///
    /// It is the one message of a batch, whose messages a client encodes by itself.
    pub(crate) async fn send_unreadable(&mut self) {
        let properties = [0x00, 0x53, 0x73, 0xc0, 6, 4, 0x40, 0x40, 0x40, 0x52, 7];
        let data = [0x00, 0x53, 0x75, 0xa0, 2, b'h', b'i'];
        let encoded = [&properties[..], &data].concat();
        let batch = Message::builder().body(Data(Binary::from(encoded))).build();
        let batch = Sendable::builder()
            .message(batch)
            .message_format(BATCH_FORMAT)
            .build();
        let mut sender = within(Sender::attach(&mut self.session, "to-batch", TOPIC))
            .await
            .expect("a link");
        within(sender.send(batch))
            .await
            .expect("to be taken")
            .accepted_or("refused")
            .expect("to be accepted");
        within(sender.close()).await.expect("to close");
    }

    /// Makes a dead letter of what another receiver has, by its lock token.
    pub(crate) async fn suspend(&mut self, lock: Uuid) {
        let node = format!("{TOPIC}/Subscriptions/view/$management");
        let mut sender = within(Sender::attach(&mut self.session, "ask", node.as_str()))
            .await
            .expect("a link");
        let mut receiver = within(Receiver::attach(&mut self.session, "answer", node.as_str()))
            .await
            .expect("a link");
        let lock = Value::Uuid(lock.into_bytes().into());
        let mut body = OrderedMap::new();
        for (name, value) in [
            ("lock-tokens", Value::Array(Array(vec![lock]))),
            ("disposition-status", Value::String("suspended".into())),
        ] {
            body.insert(Value::String(name.into()), value);
        }
        let operation =
            ApplicationProperties::builder().insert("operation", "com.microsoft:update-disposition");
        let request = Message::builder()
            .properties(Properties::builder().message_id(1_u64).reply_to("answer").build())
            .application_properties(operation.build())
            .value(Value::Map(body))
            .build();
        within(sender.send(request)).await.expect("to be taken");
        let reply = within(receiver.recv::<Body<Value>>()).await.expect("a reply");
        let status = reply.message().application_properties.as_ref();
        let status = status.and_then(|properties| properties.0.get("statusCode"));
        assert_eq!(status, Some(&SimpleValue::Int(200)));
    }

    /// Waits for a dead letter and gives its text.
    pub(crate) async fn dead_letter(&mut self) -> String {
        let mut receiver = within(Receiver::attach(&mut self.session, "dead", DEAD))
            .await
            .expect("a link");
        let delivery = within(receiver.recv::<Body<Value>>())
            .await
            .expect("a dead letter");
        within(receiver.accept(&delivery)).await.expect("to settle");
        let Body::Data(data) = delivery.body() else {
            panic!("no data")
        };
        let text = data.iter().flat_map(|data| data.0.to_vec()).collect();
        within(receiver.close()).await.expect("to close");
        String::from_utf8(text).expect("text")
    }
}
