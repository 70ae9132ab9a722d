//! A value of AMQP as JSON, for a person who reads it.
//! Never read back: a symbol is as good as a text here.

use base64::{Engine, engine::general_purpose::STANDARD};
use fe2o3_amqp::types::primitives::Value;
use serde_amqp::descriptor::Descriptor;
use serde_json::{Value as Json, json};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use uuid::Uuid;

/// Values within values are shown to this depth.
const DEEPEST: usize = 16;

/// The value, down to a depth at which it is cut.
pub(super) fn json_of(value: &Value) -> Json {
    plain(value, DEEPEST)
}

/// Bytes that are no text.
pub(super) fn base64(bytes: &[u8]) -> Json {
    json!({ "base64": STANDARD.encode(bytes) })
}

fn plain(value: &Value, depth: usize) -> Json {
    let Some(deeper) = depth.checked_sub(1) else {
        return json!("\u{2026}");
    };
    let all = |values: &[Value]| values.iter().map(|value| plain(value, deeper)).collect();
    match value {
        Value::Null => Json::Null,
        Value::Bool(it) => json!(it),
        Value::Ubyte(it) => json!(it),
        Value::Ushort(it) => json!(it),
        Value::Uint(it) => json!(it),
        Value::Ulong(it) => json!(it),
        Value::Byte(it) => json!(it),
        Value::Short(it) => json!(it),
        Value::Int(it) => json!(it),
        Value::Long(it) => json!(it),
        Value::Float(it) => json!(it.into_inner()),
        Value::Double(it) => json!(it.into_inner()),
        Value::Char(it) => json!(it),
        Value::String(it) => json!(it),
        Value::Symbol(it) => json!(it.as_str()),
        Value::Uuid(it) => json!(Uuid::from_bytes(*it.as_inner())),
        Value::Binary(it) => base64(it),
        Value::Timestamp(it) => {
            let at = OffsetDateTime::from_unix_timestamp_nanos(i128::from(it.milliseconds()) * 1_000_000);
            let text = at.ok().and_then(|at| at.format(&Rfc3339).ok());
            text.map_or_else(|| json!(it.milliseconds()), Json::from)
        }
        Value::List(values) => Json::Array(all(values)),
        Value::Array(values) => Json::Array(all(&values.0)),
        Value::Map(pairs) => {
            let key = |key: &Value| match key {
                Value::String(key) => key.clone(),
                Value::Symbol(key) => key.as_str().to_owned(),
                other => plain(other, deeper).to_string(),
            };
            let pairs = pairs
                .iter()
                .map(|(name, value)| (key(name), plain(value, deeper)));
            Json::Object(pairs.collect())
        }
        Value::Described(described) => {
            let descriptor = match &described.descriptor {
                Descriptor::Code(code) => json!(code),
                Descriptor::Name(name) => json!(name.as_str()),
            };
            json!({ "descriptor": descriptor, "value": plain(&described.value, deeper) })
        }
        // Decimals are bytes that nobody here counts with.
        other => json!(format!("{other:?}")),
    }
}
