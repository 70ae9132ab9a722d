//! Messages as they arrive: one, or every one of a batch.
//! Never lets a message in that AMQP or Service Bus does not allow.

use bytes::Bytes;
use uuid::Uuid;

use super::super::amqp::{AmqpError, Value, code, decode, encode_described};
use super::Message;

/// Reads the messages of a delivery: one, or every one of a batch.
pub(crate) fn read(
    now: i64,
    format: u32,
    payload: &Bytes,
    id: &mut dyn FnMut() -> Uuid,
) -> Result<Vec<Message>, AmqpError> {
    match format {
        0 => Ok(vec![Message::read(now, payload, id)?]),
        code::BATCH_FORMAT => {
            let messages = batch(payload)?;
            messages.iter().map(|one| Message::read(now, one, id)).collect()
        }
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

/// Most characters of a message's id, session or partition key.
const LONGEST_ID: usize = 128;
/// The place of the session among the properties (AMQP 1.0, section 3.2.4).
const GROUP_ID: usize = 10;

impl Message {
    fn read(now: i64, bytes: &Bytes, id: &mut dyn FnMut() -> Uuid) -> Result<Self, AmqpError> {
        let malformed = |text: &str| AmqpError::new(code::DECODE_ERROR, text);
        let mut message = Self::default();
        let mut body = Vec::new();
        let mut identified = false;
        let mut last = code::HEADER;
        for (section, value, raw) in sections(bytes)? {
            // Microsoft's Python client writes these behind all other sections.
            if section == code::DELIVERY_ANNOTATIONS && value.map().is_some() {
                message.delivery = raw;
                continue;
            }
            if section < last {
                return Err(malformed("the sections are out of order"));
            }
            last = section;
            match (section, value) {
                (code::HEADER, Value::List(fields)) => message.header = fields,
                (code::MESSAGE_ANNOTATIONS, Value::Map(pairs)) => {
                    let key = pairs
                        .iter()
                        .find(|(key, _)| key.text() == Some("x-opt-partition-key"));
                    short("PartitionKey", key.map(|(_, value)| value))?;
                    message.annotations = pairs;
                }
                (code::PROPERTIES, Value::List(fields)) => {
                    identified = true;
                    short("MessageId", fields.first())?;
                    short("SessionId", fields.get(GROUP_ID))?;
                    message.properties = identify(fields, raw, id);
                }
                (code::APPLICATION_PROPERTIES, Value::Map(pairs)) => {
                    simple(&pairs)?;
                    message.application = raw;
                }
                (code::DATA | code::SEQUENCE | code::VALUE, _) => body.extend(raw),
                (code::FOOTER, _) => message.footer = raw,
                _ => return Err(malformed("an unknown section")),
            }
        }
        if !identified {
            message.properties = identify(Vec::new(), Bytes::new(), id);
        }
        message.due(now)?;
        message.body = body.into();
        Ok(message)
    }

    /// Refuses a message that is to be enqueued later; a time that has passed is now.
    fn due(&self, now: i64) -> Result<(), AmqpError> {
        let scheduled = |(key, value): &(Value, Value)| {
            let named = key.text() == Some("x-opt-scheduled-enqueue-time");
            let due = match value {
                Value::Timestamp(at) => *at <= now,
                other => *other == Value::Null,
            };
            named && !due
        };
        if self.annotations.iter().any(scheduled) {
            let text = "scheduled messages are not supported";
            return Err(AmqpError::new(code::NOT_IMPLEMENTED, text));
        }
        Ok(())
    }
}

/// Refuses an id or a key of more than 128 characters (Microsoft: "Service Bus quotas").
fn short(name: &str, value: Option<&Value>) -> Result<(), AmqpError> {
    let length = value.and_then(Value::text).map_or(0, |text| text.chars().count());
    if length <= LONGEST_ID {
        return Ok(());
    }
    let text = format!("{name} has {length} characters, and at most {LONGEST_ID} are allowed.");
    Err(AmqpError::new(code::INVALID_FIELD, text))
}

/// Refuses application properties that are maps, lists or arrays: AMQP 1.0 section 3.2.5.
///
/// A described simple value is one: Microsoft's clients send a `DateTimeOffset`, a `TimeSpan` and a `Uri` so.
pub(crate) fn simple(properties: &[(Value, Value)]) -> Result<(), AmqpError> {
    fn compound(value: &Value) -> bool {
        match value {
            Value::Map(_) | Value::List(_) | Value::Array(..) => true,
            Value::Described(pair) => compound(&pair.1),
            _ => false,
        }
    }
    let Some((name, _)) = properties.iter().find(|(_, value)| compound(value)) else {
        return Ok(());
    };
    let name: String = name.text().unwrap_or_default().chars().take(100).collect();
    let text = format!(
        "The application property '{name}' is no simple value: maps, lists and arrays are not allowed."
    );
    Err(AmqpError::new(code::INVALID_FIELD, text))
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
