//! A message as its encoded sections: taken apart when it arrives, put together for each delivery.
//! Never re-encodes a section it has no reason to change.

mod life;
mod read;

use bytes::Bytes;

use super::amqp::{Value, code, decode, encode_described};
use super::facts::MessageFacts;
pub(crate) use read::{read, sections, simple};

/// The encoded sections of one message.
#[derive(Debug, Clone, Default)]
pub(crate) struct Message {
    header: Vec<Value>,
    /// As they came: the service hands on what is meant for the next node.
    delivery: Bytes,
    annotations: Vec<(Value, Value)>,
    properties: Bytes,
    application: Bytes,
    body: Bytes,
    footer: Bytes,
}

/// The broker's additions to a message that it hands out.
#[derive(Debug, Clone, Default)]
pub(crate) struct DeliveryStamp {
    pub(crate) delivery_count: u32,
    pub(crate) sequence: i64,
    pub(crate) enqueued_at: i64,
    pub(crate) locked_until: Option<i64>,
    pub(crate) peeked: bool,
}

impl Message {
    /// The values that rules and duplicate detection look at.
    pub(crate) fn facts(&self) -> MessageFacts {
        MessageFacts::read(&self.properties, &self.application)
    }

    /// Sets application properties, as dead-lettering and abandoning do.
    pub(crate) fn merge(&mut self, changes: &[(Value, Value)]) {
        if changes.is_empty() {
            return;
        }
        let mut pairs = match decode(&self.application) {
            Ok((Value::Described(pair), _)) => pair.1.map().unwrap_or_default().to_vec(),
            _ => Vec::new(),
        };
        for (key, value) in changes {
            let Some(name) = key.text() else { continue };
            pairs.retain(|(known, _)| known.text() != Some(name));
            pairs.push((Value::string(name), value.clone()));
        }
        let mut bytes = Vec::new();
        encode_described(code::APPLICATION_PROPERTIES, &Value::Map(pairs), &mut bytes);
        self.application = bytes.into();
    }

    /// The message as one delivery carries it.
    pub(crate) fn render(&self, stamp: &DeliveryStamp) -> Bytes {
        let mut out = Vec::with_capacity(self.body.len() + self.application.len() + 256);
        let mut header = self.header.clone();
        header.resize(5, Value::Null);
        header[4] = Value::Uint(stamp.delivery_count);
        encode_described(code::HEADER, &Value::List(header), &mut out);
        out.extend(&self.delivery);
        let mut annotations = self.annotations.clone();
        let mut set = |name: &str, value: Value| {
            annotations.retain(|(key, _)| key.text() != Some(name));
            annotations.push((Value::symbol(name), value));
        };
        set("x-opt-sequence-number", Value::Long(stamp.sequence));
        set("x-opt-enqueue-sequence-number", Value::Long(stamp.sequence));
        set("x-opt-enqueued-time", Value::Timestamp(stamp.enqueued_at));
        if let Some(until) = stamp.locked_until {
            set("x-opt-locked-until", Value::Timestamp(until));
        }
        if stamp.peeked {
            set("x-opt-message-state", Value::Int(0));
        }
        encode_described(code::MESSAGE_ANNOTATIONS, &Value::Map(annotations), &mut out);
        for section in [&self.properties, &self.application, &self.body, &self.footer] {
            out.extend(section);
        }
        out.into()
    }
}
