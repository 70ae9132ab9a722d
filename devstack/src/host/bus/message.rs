//! What the real host tells a function about a message: its bytes, and its Metadata.
//! It never invents a value: what the broker did not send is left out.

use fe2o3_amqp::types::{
    messaging::{AmqpValue, Body, Message, MessageId},
    primitives::{SimpleValue, Value},
};
use serde_json::{Map, Value as Json, json};
use time::{OffsetDateTime, macros::format_description};
use uuid::Uuid;

use crate::host::payload::encode;

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

/// Metadata in the encoding of the real host, without `sys`.
pub(crate) fn metadata<T>(message: &Message<T>, lock: Uuid, namespace: &str) -> Map<String, Json> {
    let mut out = Map::new();
    for name in [
        "MessageReceiver",
        "MessageSession",
        "MessageActions",
        "SessionActions",
        "ReceiveActions",
    ] {
        out.insert(name.to_owned(), json!({}));
    }
    let client = json!({
        "FullyQualifiedNamespace": namespace, "IsClosed": false, "TransportType": 0, "Identifier": namespace,
    });
    out.insert("Client".to_owned(), client);
    let mut put = |name: &str, value: Option<Json>| {
        if let Some(value) = value {
            out.insert(name.to_owned(), encode(&value));
        }
    };
    let header = message.header.as_ref();
    put(
        "DeliveryCount",
        Some(json!(header.map_or(0, |header| header.delivery_count) + 1)),
    );
    put("LockToken", Some(json!(lock)));
    if let Some(Value::Long(number)) = annotation(message, "x-opt-sequence-number") {
        put("SequenceNumber", Some(json!(number)));
    }
    for (name, key) in [
        ("PartitionKey", "x-opt-partition-key"),
        ("DeadLetterSource", "x-opt-deadletter-source"),
    ] {
        if let Some(Value::String(text)) = annotation(message, key) {
            put(name, Some(json!(text)));
        }
    }
    named(message, &mut put);
    times(message, &mut out);
    let properties = message.application_properties.as_ref();
    let properties: Map<String, Json> = properties
        .iter()
        .flat_map(|it| it.0.iter())
        .map(|(key, value)| (key.clone(), simple(value)))
        .collect();
    out.insert(
        "ApplicationProperties".to_owned(),
        Json::Object(properties.clone()),
    );
    out.insert("UserProperties".to_owned(), Json::Object(properties));
    out
}

/// The properties that have names of their own.
fn named<T>(message: &Message<T>, put: &mut impl FnMut(&str, Option<Json>)) {
    if let Some(it) = &message.properties {
        put("MessageId", it.message_id.as_ref().map(id));
        put("CorrelationId", it.correlation_id.as_ref().map(id));
        put(
            "ContentType",
            it.content_type.as_ref().map(|symbol| json!(symbol.as_str())),
        );
        put("Subject", it.subject.as_ref().map(|text| json!(text)));
        put("Label", it.subject.as_ref().map(|text| json!(text)));
        put("SessionId", it.group_id.as_ref().map(|text| json!(text)));
        put("ReplyTo", it.reply_to.as_ref().map(|text| json!(text)));
        put("To", it.to.as_ref().map(|text| json!(text)));
        put(
            "ReplyToSessionId",
            it.reply_to_group_id.as_ref().map(|text| json!(text)),
        );
    }
}

fn annotation<'a, T>(message: &'a Message<T>, name: &str) -> Option<&'a Value> {
    let annotations = message.message_annotations.as_ref()?;
    annotations
        .0
        .get(&fe2o3_amqp::types::messaging::annotations::OwnedKey::from(name))
}

/// Times are cut to seconds; the ones in UTC have no offset at their end.
fn times<T>(message: &Message<T>, out: &mut Map<String, Json>) {
    let Some(Value::Timestamp(enqueued)) = annotation(message, "x-opt-enqueued-time") else {
        return;
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
    for (name, ms) in [("EnqueuedTime", enqueued), ("ExpiresAt", expiry)] {
        let format = format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]");
        let text = OffsetDateTime::from_unix_timestamp(ms.div_euclid(1_000)).ok();
        if let Some(text) = text.and_then(|at| at.format(format).ok()) {
            out.insert(name.to_owned(), json!(format!("{text}+00:00")));
            out.insert(format!("{name}Utc"), json!(text));
        }
    }
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
