//! The bodies of `POST /<Function>`: Data and Metadata in the encoding and the order of the real host.
//! It never decides about settling: a body is a value, and so is the answer.

use base64::{Engine, engine::general_purpose::STANDARD};
use serde::Serialize;
use serde_json::{Map, Value, json};
use time::{OffsetDateTime, macros::format_description};
use uuid::Uuid;

use super::members::Members;

/// The rule for every value that is neither bytes nor a JSON object: its JSON text, as a string.
pub(crate) fn encode(value: &Value) -> Value {
    match value {
        Value::Object(_) => value.clone(),
        other => Value::String(other.to_string()),
    }
}

/// A call with this value for its trigger; `sys` comes last.
pub(crate) fn body(
    function: &str,
    binding: &str,
    data: &impl Serialize,
    mut metadata: Members,
) -> Result<Vec<u8>, String> {
    let mut sys = Members::default();
    sys.put("MethodName", function)?;
    sys.put("UtcNow", &now())?;
    sys.put("RandGuid", &Uuid::new_v4())?;
    metadata.put("sys", &sys)?;
    let (mut values, mut body) = (Members::default(), Members::default());
    values.put(binding, data)?;
    body.put("Data", &values)?;
    body.put("Metadata", &metadata)?;
    serde_json::to_vec(&body).map_err(|error| error.to_string())
}

/// As .NET writes a time: up to seven digits of a second, without zeros at the end.
fn now() -> String {
    let format = format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:7]");
    let text = OffsetDateTime::now_utc().format(format).unwrap_or_default();
    format!("{}Z", text.trim_end_matches('0').trim_end_matches('.'))
}

/// The call of a timer function; `status` is null when the schedule is not monitored.
pub(crate) fn timer(function: &str, binding: &str, status: &Value) -> Result<Vec<u8>, String> {
    let mut timer = Members::default();
    timer.put("Schedule", &json!({ "AdjustForDST": true }))?;
    timer.put("ScheduleStatus", status)?;
    timer.put("IsPastDue", &false)?;
    body(function, binding, &timer, Members::default())
}

/// The call of a function with one message.
///
/// A text that is a JSON object overwrites the metadata of the same name, which the real host does as well.
pub(crate) fn message(
    function: &str,
    binding: &str,
    bytes: &[u8],
    binary: bool,
    mut metadata: Members,
) -> Result<Vec<u8>, String> {
    if binary {
        return body(function, binding, &STANDARD.encode(bytes), metadata);
    }
    let text = std::str::from_utf8(bytes).map_err(|_| "the message is not UTF-8 text".to_owned())?;
    if let Ok(Value::Object(members)) = serde_json::from_str::<Value>(text) {
        merge(&mut metadata, members)?;
    }
    let text = encode(&Value::String(text.to_owned()));
    body(function, binding, &text, metadata)
}

fn merge(metadata: &mut Members, members: Map<String, Value>) -> Result<(), String> {
    for (name, value) in members {
        match value {
            Value::Null | Value::Array(_) => metadata.remove(&name),
            Value::Object(_) => metadata.put(&name, &value)?,
            Value::String(_) => metadata.put(&name, &encode(&value))?,
            scalar => metadata.put(&name, &encode(&Value::String(scalar.to_string())))?,
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(body: Result<Vec<u8>, String>) -> Value {
        serde_json::from_slice(&body.expect("a body")).expect("JSON")
    }

    #[test]
    fn a_text_message_is_encoded_twice_and_merged_into_the_metadata() {
        let mut metadata = Members::default();
        metadata.put("MessageId", "\"m-1\"").expect("text");
        let body = json(message(
            "F",
            "message",
            br#"{"messageId":"x","qty":2}"#,
            false,
            metadata,
        ));
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
        let body = json(message("F", "message", br#"{"qty":2}"#, true, Members::default()));
        assert_eq!(body["Data"]["message"], json!("eyJxdHkiOjJ9"));
        assert!(body["Metadata"].get("qty").is_none());
    }

    #[test]
    fn members_come_in_the_order_of_the_real_host() {
        let body = timer("Tick", "timer", &Value::Null).expect("a body");
        let text = String::from_utf8(body).expect("text");
        let start = r#"{"Data":{"timer":{"Schedule":{"AdjustForDST":true},"ScheduleStatus":null,"IsPastDue":false}},"Metadata":{"sys":{"MethodName":"Tick","UtcNow":""#;
        assert!(text.starts_with(start), "{text}");
        assert!(text.contains(r#"Z","RandGuid":""#), "{text}");
    }
}
