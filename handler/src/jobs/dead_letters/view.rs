//! A dead letter in JSON, as lists say it and whole.
//! Never leaves anything out of the whole one: an operator decides by it.

use base64::{Engine, engine::general_purpose::STANDARD};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value};

use super::dead_letter::DeadLetter;
use crate::domain::timestamp::Timestamp;

/// A dead letter as lists show it.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "DeadLetter")]
pub struct DeadLetterView {
    /// MessageId.
    pub message_id: String,
    /// Its number in the queue.
    pub sequence: i64,
    /// Time at which it came onto the subscription (UTC).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enqueued_at: Option<Timestamp>,
    /// Deliveries that have failed.
    pub deliveries: u32,
    /// The reason why it was given up, in a word.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The same in a sentence.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Whom it was for: `none` is everybody.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replay: Option<String>,
    /// The event's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub r#type: Option<String>,
    /// The aggregate's id: an order id, a customer id or a SKU.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// The aggregate's version after the event.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<i64>,
    /// The event's own data.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event: Option<Value>,
    /// The part that cannot be read, if any: a section of the message, which can then not be resubmitted, and be deleted only by its
    /// sequence number; or the body as one of our events.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unreadable: Option<String>,
}

/// A dead letter with all its sections, and its body: as JSON, as text, or in base64.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct WholeDeadLetter {
    #[serde(flatten)]
    letter: DeadLetterView,
    /// The other sections of the message (AMQP 1.0 §3.2), by their names and the names of their fields.
    pub sections: Map<String, Value>,
    /// A body that is JSON.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body: Option<Value>,
    /// A body that is other text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body_text: Option<String>,
    /// Any other body, in base64.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body_base64: Option<String>,
}

impl DeadLetterView {
    /// Makes the view of a letter.
    #[must_use]
    pub fn of(letter: &DeadLetter) -> Self {
        let received = &letter.received;
        let event = letter.event.as_ref().ok();
        Self {
            message_id: received.message_id(),
            sequence: received.sequence(),
            enqueued_at: received.enqueued_at(),
            deliveries: received.deliveries(),
            reason: received.reason().map(str::to_owned),
            description: received.description().map(str::to_owned),
            replay: received.replay().map(str::to_owned),
            r#type: letter.kind().map(str::to_owned),
            subject: letter.subject().map(str::to_owned),
            version: event.and_then(|event| event.version.get()),
            event: event.map(|event| event.data["event"].clone()),
            unreadable: letter.unreadable(),
        }
    }
}

impl WholeDeadLetter {
    /// Makes the view of a letter.
    #[must_use]
    pub fn of(letter: &DeadLetter) -> Self {
        let bytes = letter.received.body();
        let (body, body_text, body_base64) =
            match (serde_json::from_slice(&bytes), std::str::from_utf8(&bytes)) {
                (Ok(value), _) => (Some(value), None, None),
                (_, Ok(text)) => (None, Some(text.to_owned()), None),
                _ => (None, None, Some(STANDARD.encode(&bytes))),
            };
        Self {
            letter: DeadLetterView::of(letter),
            sections: letter.received.sections(),
            body,
            body_text,
            body_base64,
        }
    }
}
