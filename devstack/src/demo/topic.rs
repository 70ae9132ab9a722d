//! Receives from the topic over AMQP, on a subscription of its own.
//! It never competes with the app: each subscription has its own copy of a message.

use anyhow::{Result, anyhow};
use fe2o3_amqp::connection::ConnectionHandle;
use fe2o3_amqp::link::Receiver;
use fe2o3_amqp::sasl_profile::SaslProfile;
use fe2o3_amqp::session::SessionHandle;
use fe2o3_amqp::types::messaging::Data;
use fe2o3_amqp::{Connection, Session};
use serde_json::Value;

use crate::bus_address::Address;

/// An open receiver.
pub(super) struct TopicReceiver {
    receiver: Receiver,
    _session: SessionHandle<()>,
    _connection: ConnectionHandle<()>,
}

impl TopicReceiver {
    /// Opens a subscription of the topic that has no other receiver.
    pub(super) async fn open(connection_string: &str, subscription: &str) -> Result<Self> {
        let bus = Address::parse(connection_string).map_err(|problem| anyhow!("Service Bus: {problem}"))?;
        let profile = SaslProfile::Plain {
            username: bus.key_name.clone(),
            password: bus.key.clone(),
        };
        let mut connection = Connection::builder()
            .container_id("demo")
            .sasl_profile(profile)
            .open(bus.url().as_str())
            .await?;
        let mut session = Session::begin(&mut connection).await?;
        let address = format!("order-events/Subscriptions/{subscription}");
        let receiver = Receiver::attach(&mut session, subscription, address).await?;
        Ok(Self {
            receiver,
            _session: session,
            _connection: connection,
        })
    }

    /// The body of the next message.
    pub(super) async fn next(&mut self) -> Result<Value> {
        let delivery = self.receiver.recv::<Data>().await?;
        self.receiver.accept(&delivery).await?;
        Ok(serde_json::from_slice(&delivery.body().0)?)
    }
}
