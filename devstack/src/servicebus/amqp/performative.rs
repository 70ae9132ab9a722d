//! A performative as a code with its fields, and the AMQP error composite.
//! Never validates fields against a session's or link's state.

use bytes::Bytes;

use super::{Malformed, Value, code, decode};

/// The described list at the start of a frame's body.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Performative {
    pub(crate) code: u64,
    pub(crate) fields: Vec<Value>,
}

impl Performative {
    /// Drops trailing nulls, as every encoder on the wire does.
    pub(crate) fn new(code: u64, mut fields: Vec<Value>) -> Self {
        while fields.last() == Some(&Value::Null) {
            fields.pop();
        }
        Self { code, fields }
    }

    /// Reads a frame's body; what follows the performative is the payload.
    pub(crate) fn read(body: &Bytes) -> Result<(Self, Bytes), Malformed> {
        let (value, used) = decode(body)?;
        let Value::Described(pair) = value else {
            return Err(Malformed);
        };
        match *pair {
            (Value::Ulong(code), Value::List(fields)) => Ok((Self { code, fields }, body.slice(used..))),
            _ => Err(Malformed),
        }
    }

    pub(crate) fn field(&self, index: usize) -> &Value {
        self.fields.get(index).unwrap_or(&Value::Null)
    }

    /// A mandatory unsigned field.
    pub(crate) fn uint(&self, index: usize) -> Result<u32, Malformed> {
        self.field(index).small().ok_or(Malformed)
    }
}

/// An AMQP error: a condition, a sentence, and no more information.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{condition}: {description}")]
pub(crate) struct AmqpError {
    pub(crate) condition: &'static str,
    pub(crate) description: String,
}

impl AmqpError {
    pub(crate) fn new(condition: &'static str, description: impl Into<String>) -> Self {
        Self {
            condition,
            description: description.into(),
        }
    }

    /// Tells in the log why a client was refused; what it wrote itself is quoted.
    pub(crate) fn log(&self, what: &str) {
        tracing::warn!(condition = self.condition, why = ?self.description, "{what}");
    }

    pub(crate) fn value(&self) -> Value {
        // The third field is optional, and Microsoft's Python client waits for ever on an error without it.
        let fields = vec![
            Value::symbol(self.condition),
            Value::string(&self.description),
            Value::Map(Vec::new()),
        ];
        Value::composite(code::ERROR, fields)
    }
}

impl From<Malformed> for AmqpError {
    fn from(error: Malformed) -> Self {
        Self::new(code::DECODE_ERROR, error.to_string())
    }
}
