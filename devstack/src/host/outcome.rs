//! Reads the answer to a trigger's call by the rules of the real host.
//! It never looks at a status: by then it was one of success.

use hyper::{HeaderMap, header};
use serde_json::Value;

/// An answer that is not a failure.
#[derive(Debug, PartialEq)]
pub(crate) enum CallOutcome {
    Success {
        /// The lines that the function wants logged.
        logs: Vec<String>,
    },
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
        Ok(Value::Object(members)) => {
            let logs = members.iter().find(|(key, _)| key.eq_ignore_ascii_case("Logs"));
            let logs = logs.and_then(|(_, logs)| logs.as_array()).into_iter().flatten();
            let logs = logs.filter_map(Value::as_str).map(str::to_owned).collect();
            Ok(CallOutcome::Success { logs })
        }
        Ok(_) => Err("the answer is no JSON object".to_owned()),
        Err(error) => Err(format!("the answer is no JSON: {error}")),
    }
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
        let success = |logs: &[&str]| {
            let logs = logs.iter().map(|line| (*line).to_owned()).collect();
            Ok(CallOutcome::Success { logs })
        };
        assert_eq!(outcome("application/json; charset=utf-8", "{}"), success(&[]));
        assert_eq!(outcome("text/json", r#"{"logs":["one"]}"#), success(&["one"]));
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
