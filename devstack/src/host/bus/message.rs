//! What the real host tells a function about a message: its bytes, and its Metadata.
//! It never invents a value: what the broker did not send is left out.

use fe2o3_amqp::types::{
    messaging::{AmqpValue, Body, Message, MessageId},
    primitives::{SimpleValue, Value},
};
use serde_json::{Map, Value as Json, json};
use time::{OffsetDateTime, macros::format_description};
use uuid::Uuid;

use crate::host::{members::Members, payload::encode};

/// The end of time in .NET, for a message that does not expire.
const NEVER_MS: i64 = 253_402_300_799_000;

/// The body as bytes: data sections joined, or a text value.
pub(crate) fn bytes(body: &Body<Value>) -> Result<Vec<u8>, String> {
    match body {
        Body::Data(sections) => Ok(sections.iter().flat_map(|data| data.0.iter().copied()).collect()),
        Body::Value(AmqpValue(Value::String(text))) => Ok(text.clone().into_bytes()),
        Body::Value(AmqpValue(Value::Binary(bytes))) => Ok(bytes.to_vec()),
        Body::Empty => Ok(Vec::new()),
        _ => Err("the body is neither bytes nor text".to_owned()),
    }
}

/// The end of the lock, in Unix milliseconds.
pub(crate) fn locked_until_ms<T>(message: &Message<T>) -> Option<i64> {
    match annotation(message, "x-opt-locked-until") {
        Some(Value::Timestamp(at)) => Some(at.milliseconds()),
        _ => None,
    }
}

/// Metadata in the encoding and the order of the real host, without `sys`; `client` is the receiver's name for itself.
pub(crate) fn metadata<T>(
    message: &Message<T>,
    lock: Uuid,
    namespace: &str,
    client: &str,
) -> Result<Members, String> {
    let mut out = Members::default();
    for name in [
        "MessageReceiver",
        "MessageSession",
        "MessageActions",
        "SessionActions",
        "ReceiveActions",
    ] {
        out.put(name, &json!({}))?;
    }
    let mut own = Members::default();
    own.put("FullyQualifiedNamespace", namespace)?;
    own.put("IsClosed", &false)?;
    own.put("TransportType", &0)?;
    own.put("Identifier", client)?;
    out.put("Client", &own)?;
    let deliveries = message.header.as_ref().map_or(0, |header| header.delivery_count);
    put(&mut out, "DeliveryCount", Some(json!(deliveries + 1)))?;
    put(
        &mut out,
        "DeadLetterSource",
        text(message, "x-opt-deadletter-source"),
    )?;
    put(&mut out, "LockToken", Some(json!(lock)))?;
    times(message, &mut out)?;
    named(message, &mut out)?;
    let properties = message.application_properties.as_ref();
    let properties: Map<String, Json> = properties
        .iter()
        .flat_map(|it| it.0.iter())
        .map(|(key, value)| (key.clone(), simple(value)))
        .collect();
    out.put("ApplicationProperties", &properties)?;
    out.put("UserProperties", &properties)?;
    let ids = message.properties.as_ref();
    let session = ids.and_then(|it| it.group_id.as_ref()).map(|text| json!(text));
    put(&mut out, "SessionId", session)?;
    let session = ids.and_then(|it| it.reply_to_group_id.as_ref());
    put(&mut out, "ReplyToSessionId", session.map(|text| json!(text)))?;
    put(&mut out, "PartitionKey", text(message, "x-opt-partition-key"))?;
    Ok(out)
}

fn put(out: &mut Members, name: &str, value: Option<Json>) -> Result<(), String> {
    value.map_or(Ok(()), |value| out.put(name, &encode(&value)))
}

/// The properties that have names of their own, and the number between them.
fn named<T>(message: &Message<T>, out: &mut Members) -> Result<(), String> {
    let it = message.properties.as_ref();
    let of_type = it.and_then(|it| it.content_type.as_ref());
    let reply_to = it.and_then(|it| it.reply_to.as_ref());
    let number = match annotation(message, "x-opt-sequence-number") {
        Some(Value::Long(number)) => Some(json!(number)),
        _ => None,
    };
    let to = it.and_then(|it| it.to.as_ref());
    let subject = it.and_then(|it| it.subject.as_ref()).map(|text| json!(text));
    let correlation = it.and_then(|it| it.correlation_id.as_ref());
    for (name, value) in [
        ("MessageId", it.and_then(|it| it.message_id.as_ref()).map(id)),
        ("ContentType", of_type.map(|symbol| json!(symbol.as_str()))),
        ("ReplyTo", reply_to.map(|text| json!(text))),
        ("SequenceNumber", number),
        ("To", to.map(|text| json!(text))),
        ("Subject", subject.clone()),
        ("Label", subject),
        ("CorrelationId", correlation.map(id)),
    ] {
        put(out, name, value)?;
    }
    Ok(())
}

fn annotation<'a, T>(message: &'a Message<T>, name: &str) -> Option<&'a Value> {
    let annotations = message.message_annotations.as_ref()?;
    annotations
        .0
        .get(&fe2o3_amqp::types::messaging::annotations::OwnedKey::from(name))
}

fn text<T>(message: &Message<T>, annotated: &str) -> Option<Json> {
    match annotation(message, annotated) {
        Some(Value::String(text)) => Some(json!(text)),
        _ => None,
    }
}

/// Times are cut to seconds; the ones in UTC have no offset at their end.
fn times<T>(message: &Message<T>, out: &mut Members) -> Result<(), String> {
    let Some(Value::Timestamp(enqueued)) = annotation(message, "x-opt-enqueued-time") else {
        return Ok(());
    };
    let enqueued = enqueued.milliseconds();
    let ttl = message.header.as_ref().and_then(|header| header.ttl);
    let absolute = message
        .properties
        .as_ref()
        .and_then(|it| it.absolute_expiry_time.as_ref());
    let expiry = absolute
        .map(|at| at.milliseconds())
        .or_else(|| ttl.map(|ttl| enqueued + i64::from(ttl)))
        .unwrap_or(NEVER_MS);
    for (name, ms) in [("ExpiresAt", expiry), ("EnqueuedTime", enqueued)] {
        let format = format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]");
        let text = OffsetDateTime::from_unix_timestamp(ms.div_euclid(1_000)).ok();
        if let Some(text) = text.and_then(|at| at.format(format).ok()) {
            out.put(&format!("{name}Utc"), &text)?;
            out.put(name, &format!("{text}+00:00"))?;
        }
    }
    Ok(())
}

fn id(id: &MessageId) -> Json {
    match id {
        MessageId::String(text) => json!(text),
        MessageId::Ulong(number) => json!(number.to_string()),
        MessageId::Uuid(id) => json!(Uuid::from_bytes(*id.as_inner())),
        MessageId::Binary(bytes) => json!(String::from_utf8_lossy(bytes)),
    }
}

fn simple(value: &SimpleValue) -> Json {
    match value {
        SimpleValue::Null => Json::Null,
        SimpleValue::Bool(it) => json!(it),
        SimpleValue::Ubyte(it) => json!(it),
        SimpleValue::Ushort(it) => json!(it),
        SimpleValue::Uint(it) => json!(it),
        SimpleValue::Ulong(it) => json!(it),
        SimpleValue::Byte(it) => json!(it),
        SimpleValue::Short(it) => json!(it),
        SimpleValue::Int(it) => json!(it),
        SimpleValue::Long(it) => json!(it),
        SimpleValue::Float(it) => json!(it.into_inner()),
        SimpleValue::Double(it) => json!(it.into_inner()),
        SimpleValue::String(it) => json!(it),
        SimpleValue::Symbol(it) => json!(it.as_str()),
        SimpleValue::Char(it) => json!(it),
        SimpleValue::Uuid(it) => json!(Uuid::from_bytes(*it.as_inner())),
        SimpleValue::Timestamp(it) => json!(it.milliseconds()),
        other => json!(format!("{other:?}")),
    }
}
