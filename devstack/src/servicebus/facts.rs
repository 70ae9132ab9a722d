//! What a message says of itself outside its body, for rules and duplicate detection.
//! Never looks at the body.

use bytes::Bytes;

use super::amqp::{Value, decode};

/// A message's properties, by position and by name.
#[derive(Debug)]
pub(crate) struct MessageFacts {
    properties: Value,
    application: Value,
}

impl MessageFacts {
    /// Reads two encoded sections, either of which may be missing.
    pub(crate) fn read(properties: &Bytes, application: &Bytes) -> Self {
        Self {
            properties: content(properties),
            application: content(application),
        }
    }

    /// The message's id, which every stored message has.
    pub(crate) fn message_id(&self) -> Option<String> {
        self.property(0)
    }

    /// A field of the properties section as the text it stands for: ids may be numbers or UUIDs on the wire.
    pub(crate) fn property(&self, field: usize) -> Option<String> {
        match self.properties.items()?.get(field)? {
            Value::String(text) | Value::Symbol(text) => Some(text.clone()),
            Value::Uuid(uuid) => Some(uuid.to_string()),
            Value::Ulong(number) => Some(number.to_string()),
            Value::Binary(bytes) => Some(bytes.iter().map(|byte| format!("{byte:02x}")).collect()),
            _ => None,
        }
    }

    /// An application property.
    pub(crate) fn application(&self, name: &str) -> Option<&Value> {
        self.application.get(name)
    }
}

fn content(section: &Bytes) -> Value {
    match decode(section) {
        Ok((Value::Described(pair), _)) => pair.1,
        _ => Value::Null,
    }
}
