//! A message as it lies on a subscription or among its dead letters, received or only looked at.
//! Never fails on what is written in it: what a property should be and is not, is absent, and a section that cannot be read is
//! named.

use std::borrow::Cow;

use fe2o3_amqp::types::{
    messaging::{Body, Message, MessageId, annotations::OwnedKey},
    primitives::{SimpleValue, Symbol, Value},
};
use serde_json::{Map, Value as Json};
use time::OffsetDateTime;

use super::sections::{self, UnreadableSection};
use crate::domain::timestamp::Timestamp;

/// Application property that names the one subscription that a message is for; `none` for all of them.
pub(super) const REPLAY: &str = "replay";
/// Application properties of a dead letter (Microsoft: "Overview of Service Bus dead-letter queues").
pub(super) const REASON: &str = "DeadLetterReason";
pub(super) const DESCRIPTION: &str = "DeadLetterErrorDescription";

/// One message.
#[derive(Debug, Clone)]
pub struct ReceivedMessage {
    message: Message<Body<Value>>,
    /// Sections that are in it and not in `message`.
    unread: Vec<UnreadableSection>,
}

impl ReceivedMessage {
    pub(super) fn new(message: Message<Body<Value>>) -> Self {
        Self {
            message,
            unread: Vec::new(),
        }
    }

    /// Reads an encoded message, as far as it can be read.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Self {
        match sections::whole(bytes) {
            Ok(message) => Self::new(message),
            Err(_) => {
                let (message, unread) = sections::piecewise(bytes);
                Self { message, unread }
            }
        }
    }

    /// The reason why parts of it cannot be read, if so: it can then be looked at, and not be received.
    #[must_use]
    pub fn fault(&self) -> Option<String> {
        self.unread.first().map(UnreadableSection::words)
    }

    /// All of it but the body, for a person: section by section.
    #[must_use]
    pub fn sections(&self) -> Map<String, Json> {
        sections::shown(&self.message, &self.unread)
    }

    pub(super) fn message(&self) -> &Message<Body<Value>> {
        &self.message
    }

    /// Its number in the queue: unique there, and growing in the order of arrival.
    #[must_use]
    pub fn sequence(&self) -> i64 {
        match self.annotation("x-opt-sequence-number") {
            Some(Value::Long(number)) => *number,
            _ => 0,
        }
    }

    /// The time at which it came onto the subscription (UTC).
    #[must_use]
    pub fn enqueued_at(&self) -> Option<Timestamp> {
        self.time("x-opt-enqueued-time")
    }

    /// The end of its lock (UTC, by the clock of the bus).
    #[must_use]
    pub fn locked_until(&self) -> Option<Timestamp> {
        self.time("x-opt-locked-until")
    }

    /// The number of deliveries that have failed.
    #[must_use]
    pub fn deliveries(&self) -> u32 {
        self.message
            .header
            .as_ref()
            .map_or(0, |header| header.delivery_count)
    }

    /// MessageId; the bus gives one to each message that comes without.
    #[must_use]
    pub fn message_id(&self) -> String {
        match self.properties().and_then(|known| known.message_id.as_ref()) {
            Some(MessageId::String(id)) => id.clone(),
            Some(MessageId::Uuid(id)) => uuid::Uuid::from_bytes(id.clone().into_inner()).to_string(),
            Some(MessageId::Ulong(id)) => id.to_string(),
            Some(MessageId::Binary(id)) => String::from_utf8_lossy(id).into_owned(),
            None => match self.unread.iter().find_map(|part| part.first("properties")) {
                Some(Value::String(id)) => id.clone(),
                _ => String::new(),
            },
        }
    }

    /// Subject, which the relay sets to the type of the event.
    #[must_use]
    pub fn subject(&self) -> Option<&str> {
        self.properties()?.subject.as_deref()
    }

    /// SessionId, which the relay sets to the aggregate's id.
    #[must_use]
    pub fn session_id(&self) -> Option<&str> {
        self.properties()?.group_id.as_deref()
    }

    /// The reason why it was dead-lettered, in a word: `MaxDeliveryCountExceeded`, `TTLExpiredException`, or a receiver's own.
    #[must_use]
    pub fn reason(&self) -> Option<&str> {
        self.mark(REASON)
    }

    /// The same in a sentence.
    #[must_use]
    pub fn description(&self) -> Option<&str> {
        self.mark(DESCRIPTION)
    }

    /// The one subscription that it was for; `none` for all of them.
    #[must_use]
    pub fn replay(&self) -> Option<&str> {
        self.mark(REPLAY)
    }

    /// The bytes of the body; of a body that is no bytes, how it reads.
    #[must_use]
    pub fn body(&self) -> Cow<'_, [u8]> {
        match &self.message.body {
            Body::Data(sections) => {
                let mut sections = sections.iter();
                match (sections.next(), sections.as_slice()) {
                    (Some(only), []) => Cow::Borrowed(&only.0),
                    (first, rest) => first
                        .into_iter()
                        .chain(rest)
                        .flat_map(|data| data.0.iter().copied())
                        .collect(),
                }
            }
            Body::Value(value) => match &value.0 {
                Value::String(text) => Cow::Borrowed(text.as_bytes()),
                Value::Binary(bytes) => Cow::Borrowed(bytes),
                other => Cow::Owned(other.to_string().into_bytes()),
            },
            Body::Sequence(sections) => {
                let values = sections.iter().flat_map(|section| &section.0);
                Cow::Owned(
                    values
                        .map(|value| format!("{value}\n"))
                        .collect::<String>()
                        .into_bytes(),
                )
            }
            Body::Empty => Cow::Borrowed(&[]),
        }
    }

    fn properties(&self) -> Option<&fe2o3_amqp::types::messaging::Properties> {
        self.message.properties.as_ref()
    }

    fn annotation(&self, name: &str) -> Option<&Value> {
        let key = OwnedKey::Symbol(Symbol::from(name));
        let annotations = self.message.message_annotations.as_ref();
        let read = annotations.and_then(|annotations| annotations.0.get(&key));
        read.or_else(|| {
            let mut unread = self.unread.iter();
            unread.find_map(|part| part.field("messageAnnotations", name))
        })
    }

    fn time(&self, name: &str) -> Option<Timestamp> {
        let Value::Timestamp(at) = self.annotation(name)? else {
            return None;
        };
        let at = OffsetDateTime::from_unix_timestamp_nanos(i128::from(at.milliseconds()) * 1_000_000);
        Timestamp::try_from(at.ok()?).ok()
    }

    fn mark(&self, name: &str) -> Option<&str> {
        let marks = self.message.application_properties.as_ref();
        if let Some(SimpleValue::String(text)) = marks.and_then(|marks| marks.0.get(name)) {
            return Some(text);
        }
        let mut unread = self.unread.iter();
        match unread.find_map(|part| part.field("applicationProperties", name)) {
            Some(Value::String(text)) => Some(text),
            _ => None,
        }
    }
}
