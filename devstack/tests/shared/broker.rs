//! The Service Bus emulator with one subscription, and a sender for it.
//! Never looks inside the broker: what it holds is asked over AMQP.

use std::{net::SocketAddr, time::Duration};

use base64::{Engine, engine::general_purpose::STANDARD};
use devstack::servicebus::{Entities, ServiceBusEmulator};
use fe2o3_amqp::{
    Connection, Sender, Session,
    connection::ConnectionHandle,
    sasl_profile::SaslProfile,
    session::SessionHandle,
    types::{
        messaging::{ApplicationProperties, Data, Message, Properties},
        primitives::Binary,
    },
};
use fe2o3_amqp_cbs::{client::CbsClient, token::CbsToken};
use hmac::{Hmac, Mac};
use serde_json::json;
use sha2::Sha256;

pub(crate) const TOPIC: &str = "events";

/// Waits for this, and fails when it does not come.
pub(crate) async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(30), future)
        .await
        .expect("the deadline passed")
}

/// A running emulator.
pub(crate) struct Broker {
    pub(crate) emulator: ServiceBusEmulator,
}

/// A client connection; dropping it closes it.
pub(crate) struct Client {
    pub(crate) session: SessionHandle<()>,
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
}
