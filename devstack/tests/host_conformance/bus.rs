//! The bus of a row: the Service Bus emulator in this process, and an app that listens to it.
//! Never looks at a message: what a host makes of it is asked of the handler, and of the bus's counts.

use serde_json::json;

use crate::{
    app::App,
    broker::{Broker, TOPIC},
    runtime::wait,
};

/// The one function that listens.
pub(crate) const FUNCTION: &str = "Project";

/// A running bus with one subscription.
pub(crate) struct Bus {
    broker: Broker,
}

impl Bus {
    /// One whose locks last so long (`PT5S`), and whose messages are dead after so many deliveries.
    pub(crate) fn start(lock: &str, deliveries: u32) -> Self {
        let broker = wait(Broker::start(lock, deliveries));
        Self { broker }
    }

    /// An app that listens to it, with bodies as bytes.
    pub(crate) fn app(&self) -> App {
        let trigger = json!({
            "type": "serviceBusTrigger", "direction": "in", "name": "message",
            "topicName": TOPIC, "subscriptionName": "view", "connection": "Bus", "dataType": "binary",
        });
        let connection = self.broker.emulator.connection_string();
        App::whole()
            .function(FUNCTION, json!([trigger]))
            .setting("Bus", &connection)
    }

    pub(crate) fn send(&self, id: &str, body: &str) {
        wait(async { self.broker.client().await.send(id, body).await });
    }

    /// Messages that are not settled yet.
    pub(crate) fn held(&self) -> usize {
        let held = self.broker.emulator.switches().held("events/Subscriptions/view");
        held.expect("the subscription")
    }

    /// Deliveries so far, and messages that have become dead letters.
    pub(crate) fn counts(&self) -> (u64, u64) {
        let counts = self.broker.emulator.switches().counts();
        (counts.deliveries, counts.dead_letters)
    }
}
