//! A dead letter with the event in it, when there is one to be read.
//! Never refuses a message: one that cannot be read is still listed and shown.

use serde::Deserialize;
use serde_json::Value;

use crate::{
    bus::ReceivedMessage,
    domain::{quote, timestamp::Timestamp},
    json::{self, JsonError},
    read::incoming::StatedVersion,
};

/// One dead letter.
#[derive(Debug, Clone)]
pub struct DeadLetter {
    /// The message as it lies there.
    pub received: ReceivedMessage,
    /// The event, or why the body is none.
    pub event: Result<LetterEvent, String>,
}

/// The event as an operator needs it; CloudEvents 1.0, in the names of its JSON.
#[derive(Debug, Clone, Deserialize)]
pub struct LetterEvent {
    /// Identity of the event.
    pub id: String,
    /// Its name with its major version, such as `orders.OrderShipped.v1`.
    pub r#type: String,
    /// The aggregate's id: an order id, a customer id or a SKU.
    pub subject: String,
    /// Time of the event (UTC).
    pub time: Timestamp,
    /// The aggregate's version after it.
    #[serde(flatten)]
    pub version: StatedVersion,
    /// The event's own data (`event`), and the state after it (`state`, `stock`).
    #[serde(default)]
    pub data: Value,
}

impl DeadLetter {
    /// Reads what is in a message.
    #[must_use]
    pub fn read(received: ReceivedMessage) -> Self {
        let unreadable =
            |error: JsonError| format!("not one of our events: {}", quote::brief(&error.to_string()));
        Self {
            event: json::read(&received.body()).map_err(unreadable),
            received,
        }
    }

    /// The part of it that cannot be read, if any: a section of the message, or the body as an event.
    #[must_use]
    pub fn unreadable(&self) -> Option<String> {
        self.received
            .fault()
            .or_else(|| self.event.as_ref().err().cloned())
    }

    /// The aggregate's id; of a body that cannot be read, what the envelope says.
    #[must_use]
    pub fn subject(&self) -> Option<&str> {
        match &self.event {
            Ok(event) => Some(&event.subject),
            Err(_) => self.received.session_id(),
        }
    }

    /// The event's name; of a body that cannot be read, what the envelope says.
    #[must_use]
    pub fn kind(&self) -> Option<&str> {
        match &self.event {
            Ok(event) => Some(&event.r#type),
            Err(_) => self.received.subject(),
        }
    }
}
