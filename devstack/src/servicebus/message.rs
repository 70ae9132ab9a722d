//! A message as its encoded sections: taken apart when it arrives, put together for each delivery.
//! Never re-encodes a section it has no reason to change.

use std::sync::Arc;

use bytes::Bytes;
use uuid::Uuid;

use super::amqp::{AmqpError, Value, code, decode, encode_described};
use super::facts::Facts;

/// The encoded sections of one message.
#[derive(Debug, Clone, Default)]
pub(crate) struct Message {
    header: Vec<Value>,
    annotations: Vec<(Value, Value)>,
    properties: Bytes,
    application: Bytes,
    body: Bytes,
    footer: Bytes,
}

/// What the broker adds to a message when it hands it out.
#[derive(Debug, Clone, Default)]
pub(crate) struct Stamp {
    pub(crate) delivery_count: u32,
    pub(crate) sequence: i64,
    pub(crate) enqueued_at: i64,
    pub(crate) locked_until: Option<i64>,
    pub(crate) dead_letter_source: Option<Arc<str>>,
    pub(crate) peeked: bool,
}

/// Reads the messages of a delivery: one, or every one of a batch.
pub(crate) fn read(
    format: u32,
    payload: &Bytes,
    id: &mut dyn FnMut() -> Uuid,
) -> Result<Vec<Message>, AmqpError> {
    match format {
        0 => Ok(vec![Message::read(payload, id)?]),
        code::BATCH_FORMAT => batch(payload)?.iter().map(|one| Message::read(one, id)).collect(),
        _ => Err(AmqpError::new(
            code::NOT_IMPLEMENTED,
            format!("message format {format:#x} is unknown"),
        )),
    }
}

fn batch(payload: &Bytes) -> Result<Vec<Bytes>, AmqpError> {
    let mut messages = Vec::new();
    for section in sections(payload)? {
        match section {
            (code::DATA, Value::Binary(message), _) => messages.push(message),
            (code::SEQUENCE | code::VALUE, ..) => {
                return Err(AmqpError::new(
                    code::DECODE_ERROR,
                    "a batch has data sections only",
                ));
            }
            _ => {}
        }
    }
    Ok(messages)
}

/// A section's code, its value and its bytes.
pub(crate) type Section = (u64, Value, Bytes);

/// Takes an encoded message apart.
pub(crate) fn sections(bytes: &Bytes) -> Result<Vec<Section>, AmqpError> {
    let mut sections = Vec::new();
    let mut rest = bytes.clone();
    while !rest.is_empty() {
        let (value, used) = decode(&rest)?;
        let raw = rest.split_to(used);
        match value {
            Value::Described(pair) => match *pair {
                (Value::Ulong(code), value) => sections.push((code, value, raw)),
                _ => {
                    return Err(AmqpError::new(
                        code::DECODE_ERROR,
                        "a section has no numeric descriptor",
                    ));
                }
            },
            _ => {
                return Err(AmqpError::new(
                    code::DECODE_ERROR,
                    "a message consists of sections",
                ));
            }
        }
    }
    Ok(sections)
}

impl Message {
    fn read(bytes: &Bytes, id: &mut dyn FnMut() -> Uuid) -> Result<Self, AmqpError> {
        let mut message = Self::default();
        let mut body = Vec::new();
        let mut identified = false;
        let mut last = code::HEADER;
        for (section, value, raw) in sections(bytes)? {
            if section < last {
                return Err(AmqpError::new(
                    code::DECODE_ERROR,
                    "the sections are out of order",
                ));
            }
            last = section;
            match (section, value) {
                (code::HEADER, Value::List(fields)) => message.header = fields,
                (code::DELIVERY_ANNOTATIONS, _) => {}
                (code::MESSAGE_ANNOTATIONS, Value::Map(pairs)) => message.annotations = pairs,
                (code::PROPERTIES, Value::List(fields)) => {
                    identified = true;
                    message.properties = identify(fields, raw, id);
                }
                (code::APPLICATION_PROPERTIES, Value::Map(_)) => message.application = raw,
                (code::DATA | code::SEQUENCE | code::VALUE, _) => body.extend(raw),
                (code::FOOTER, _) => message.footer = raw,
                _ => return Err(AmqpError::new(code::DECODE_ERROR, "an unknown section")),
            }
        }
        if !identified {
            message.properties = identify(Vec::new(), Bytes::new(), id);
        }
        let scheduled = |(key, value): &(Value, Value)| {
            key.text() == Some("x-opt-scheduled-enqueue-time") && *value != Value::Null
        };
        if message.annotations.iter().any(scheduled) {
            return Err(AmqpError::new(
                code::NOT_IMPLEMENTED,
                "scheduled messages are not supported",
            ));
        }
        message.body = body.into();
        Ok(message)
    }

    /// The sender's time to live, when it set one.
    pub(crate) fn ttl_ms(&self) -> Option<i64> {
        self.header.get(2).and_then(Value::small).map(i64::from)
    }

    /// What rules and duplicate detection look at.
    pub(crate) fn facts(&self) -> Facts {
        Facts::read(&self.properties, &self.application)
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
    pub(crate) fn render(&self, stamp: &Stamp) -> Bytes {
        let mut out = Vec::with_capacity(self.body.len() + self.application.len() + 256);
        let mut header = self.header.clone();
        header.resize(5, Value::Null);
        header[4] = Value::Uint(stamp.delivery_count);
        encode_described(code::HEADER, &Value::List(header), &mut out);
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
        if let Some(source) = &stamp.dead_letter_source {
            set("x-opt-deadletter-source", Value::string(source.as_ref()));
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

/// The properties section, with a message id where the sender left it out.
fn identify(mut fields: Vec<Value>, raw: Bytes, id: &mut dyn FnMut() -> Uuid) -> Bytes {
    if fields.first().is_some_and(|known| *known != Value::Null) {
        return raw;
    }
    if fields.is_empty() {
        fields.push(Value::Null);
    }
    fields[0] = Value::string(id().simple().to_string());
    let mut bytes = Vec::new();
    encode_described(code::PROPERTIES, &Value::List(fields), &mut bytes);
    bytes.into()
}
