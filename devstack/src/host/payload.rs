//! The bodies of `POST /<Function>`: Data and Metadata in the encoding of the real host.
//! It never decides about settling: a body is a value, and so is the answer.

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Map, Value, json};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use uuid::Uuid;

/// The rule for every value that is neither bytes nor a JSON object: its JSON text, as a string.
pub(crate) fn encode(value: &Value) -> Value {
    match value {
        Value::Object(_) => value.clone(),
        other => Value::String(other.to_string()),
    }
}

fn body(function: &str, binding: &str, data: Value, mut metadata: Map<String, Value>) -> Value {
    let now = OffsetDateTime::now_utc().format(&Rfc3339).unwrap_or_default();
    let sys = json!({ "MethodName": function, "UtcNow": now, "RandGuid": Uuid::new_v4() });
    metadata.insert("sys".to_owned(), sys);
    json!({ "Data": { binding: data }, "Metadata": metadata })
}

/// The call of a timer function; `status` is null when the schedule is not monitored.
pub(crate) fn timer(function: &str, binding: &str, status: Value) -> Value {
    let timer = json!({ "Schedule": { "AdjustForDST": true }, "ScheduleStatus": status, "IsPastDue": false });
    body(function, binding, timer, Map::new())
}

/// The call of a function with one message.
///
/// A text that is a JSON object overwrites the metadata of the same name, which the real host does as well.
pub(crate) fn message(
    function: &str,
    binding: &str,
    bytes: &[u8],
    binary: bool,
    mut metadata: Map<String, Value>,
) -> Result<Value, String> {
    if binary {
        return Ok(body(
            function,
            binding,
            Value::String(STANDARD.encode(bytes)),
            metadata,
        ));
    }
    let text = std::str::from_utf8(bytes).map_err(|_| "the message is not UTF-8 text".to_owned())?;
    if let Ok(Value::Object(members)) = serde_json::from_str::<Value>(text) {
        for (name, value) in members {
            metadata.retain(|key, _| !key.eq_ignore_ascii_case(&name));
            match value {
                Value::Null | Value::Array(_) => {}
                Value::Object(_) => drop(metadata.insert(name, value)),
                Value::String(text) => drop(metadata.insert(name, encode(&Value::String(text)))),
                scalar => drop(metadata.insert(name, encode(&Value::String(scalar.to_string())))),
            }
        }
    }
    Ok(body(
        function,
        binding,
        encode(&Value::String(text.to_owned())),
        metadata,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_message_is_encoded_twice_and_merged_into_the_metadata() {
        let metadata = Map::from_iter([("MessageId".to_owned(), json!("\"m-1\""))]);
        let body = message("F", "message", br#"{"messageId":"x","qty":2}"#, false, metadata).expect("text");
        assert_eq!(
            body["Data"]["message"],
            json!(r#""{\"messageId\":\"x\",\"qty\":2}""#)
        );
        assert_eq!(body["Metadata"]["messageId"], json!("\"x\""));
        assert_eq!(body["Metadata"]["qty"], json!("\"2\""));
        assert!(body["Metadata"].get("MessageId").is_none());
        assert_eq!(body["Metadata"]["sys"]["MethodName"], json!("F"));
    }

    #[test]
    fn a_binary_message_is_base64_and_touches_no_metadata() {
        let body = message("F", "message", br#"{"qty":2}"#, true, Map::new()).expect("bytes");
        assert_eq!(body["Data"]["message"], json!("eyJxdHkiOjJ9"));
        assert!(body["Metadata"].get("qty").is_none());
    }
}
