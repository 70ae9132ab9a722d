//! Reads the answer to a trigger's call by the rules of the real host.
//! It never looks at a status: by then it was one of success.

use hyper::{HeaderMap, header};
use serde_json::{Map, Value};

/// An answer that is not a failure.
#[derive(Debug, PartialEq)]
pub(crate) enum CallOutcome {
    /// The members of the answer.
    Success(Map<String, Value>),
    /// An empty body or `null`, on which the real host waits for ever.
    Nothing,
}

/// What the answer means; a reason when the real host cannot read it.
pub(crate) fn read(headers: &HeaderMap, body: &[u8]) -> Result<CallOutcome, String> {
    if body.iter().all(u8::is_ascii_whitespace) {
        return Ok(CallOutcome::Nothing);
    }
    let content_type = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or("");
    let media = content_type.split(';').next().unwrap_or("").trim();
    if !["application/json", "text/json"]
        .iter()
        .any(|json| media.eq_ignore_ascii_case(json))
    {
        let text = String::from_utf8_lossy(body);
        return Err(format!(
            "Invalid HttpResponseMessage: content type '{content_type}', body '{text}'"
        ));
    }
    match serde_json::from_slice(body) {
        Ok(Value::Null) => Ok(CallOutcome::Nothing),
        Ok(Value::Object(members)) => Ok(CallOutcome::Success(members)),
        Ok(_) => Err("the answer is no JSON object".to_owned()),
        Err(error) => Err(format!("the answer is no JSON: {error}")),
    }
}

/// The lines that the function wants logged.
pub(crate) fn logs(members: &Map<String, Value>) -> impl Iterator<Item = &str> {
    let logs = members.iter().find(|(key, _)| key.eq_ignore_ascii_case("Logs"));
    let logs = logs.and_then(|(_, logs)| logs.as_array()).into_iter().flatten();
    logs.filter_map(Value::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(content_type: &str, body: &str) -> Result<CallOutcome, String> {
        let headers = HeaderMap::from_iter([(header::CONTENT_TYPE, content_type.parse().expect("a value"))]);
        read(&headers, body.as_bytes())
    }

    #[test]
    fn only_a_json_object_is_a_success_and_nothing_hangs() {
        for (content_type, body, lines) in [
            ("application/json; charset=utf-8", "{}", &[][..]),
            ("text/json", r#"{"logs":["one"]}"#, &["one"]),
        ] {
            let Ok(CallOutcome::Success(members)) = outcome(content_type, body) else {
                panic!("{body}")
            };
            assert_eq!(logs(&members).collect::<Vec<_>>(), lines, "{body}");
        }
        for nothing in ["", " ", "null"] {
            assert_eq!(
                outcome("application/json", nothing),
                Ok(CallOutcome::Nothing),
                "{nothing:?}"
            );
        }
        for bad in ["[]", "\"text\"", "1", "{"] {
            assert!(outcome("application/json", bad).is_err(), "{bad}");
        }
        for other in ["text/plain", "application/problem+json", ""] {
            assert!(outcome(other, "{}").is_err(), "{other}");
        }
    }
}
