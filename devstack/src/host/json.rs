//! Reads JSON files field by field, so that an error names the file and the path of the field.
//! It never guesses: a value of the wrong type is an error, and names are compared without case as .NET does.

use std::{path::Path, time::Duration};

use serde_json::Value;

use super::error::Error;

/// One value of a JSON file, with the way to it.
#[derive(Clone, Debug)]
pub(crate) struct JsonNode<'a> {
    file: &'a str,
    path: String,
    value: Option<&'a Value>,
}

/// Reads and parses a file; `name` is what errors call it.
pub(crate) fn read(path: &Path, name: &str) -> Result<Value, Error> {
    let text = std::fs::read_to_string(path).map_err(|error| Error::file(name, error.to_string()))?;
    let text = text.trim_start_matches('\u{feff}');
    serde_json::from_str(text).map_err(|error| Error::file(name, format!("invalid JSON: {error}")))
}

impl<'a> JsonNode<'a> {
    pub(crate) fn root(file: &'a str, value: &'a Value) -> Self {
        Self {
            file,
            path: String::new(),
            value: Some(value),
        }
    }

    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    pub(crate) fn exists(&self) -> bool {
        self.value.is_some()
    }

    /// The member of this name; a missing one is a node without a value.
    pub(crate) fn get(&self, name: &str) -> JsonNode<'a> {
        let value = self.value.and_then(Value::as_object).and_then(|members| {
            members
                .iter()
                .find(|(key, _)| key.eq_ignore_ascii_case(name))
                .map(|(_, value)| value)
        });
        let path = if self.path.is_empty() {
            name.to_owned()
        } else {
            format!("{}.{name}", self.path)
        };
        JsonNode {
            file: self.file,
            path,
            value: value.filter(|value| !value.is_null()),
        }
    }

    pub(crate) fn members(&self) -> Vec<(&'a str, JsonNode<'a>)> {
        let members = self.value.and_then(Value::as_object);
        members
            .into_iter()
            .flatten()
            .map(|(key, _)| (key.as_str(), self.get(key)))
            .collect()
    }

    pub(crate) fn error(&self, problem: impl AsRef<str>) -> Error {
        let path = if self.path.is_empty() {
            "the document"
        } else {
            &self.path
        };
        Error::file(self.file, format!("{path} {}", problem.as_ref()))
    }

    pub(crate) fn unsupported(&self, reason: impl Into<String>) -> Error {
        Error::unsupported(self.file, self.path.clone(), reason)
    }

    pub(crate) fn items(&self) -> Result<Vec<JsonNode<'a>>, Error> {
        let Some(value) = self.value else {
            return Ok(Vec::new());
        };
        let items = value.as_array().ok_or_else(|| self.error("must be an array"))?;
        let item = |(index, value)| JsonNode {
            file: self.file,
            path: format!("{}[{index}]", self.path),
            value: Some(value),
        };
        Ok(items.iter().enumerate().map(item).collect())
    }

    pub(crate) fn text(&self) -> Result<Option<&'a str>, Error> {
        match self.value {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(self.error("must be a string")),
        }
    }

    pub(crate) fn required_text(&self) -> Result<&'a str, Error> {
        match self.text()? {
            Some(text) if !text.trim().is_empty() => Ok(text),
            _ => Err(self.error("is required and must not be empty")),
        }
    }

    pub(crate) fn texts(&self) -> Result<Vec<&'a str>, Error> {
        self.items()?
            .iter()
            .map(|item| item.text()?.ok_or_else(|| item.error("must be a string")))
            .collect()
    }

    pub(crate) fn flag(&self) -> Result<Option<bool>, Error> {
        match self.value {
            None => Ok(None),
            Some(Value::Bool(flag)) => Ok(Some(*flag)),
            // A setting that overrides host.json is always text.
            Some(Value::String(text)) if text.eq_ignore_ascii_case("true") => Ok(Some(true)),
            Some(Value::String(text)) if text.eq_ignore_ascii_case("false") => Ok(Some(false)),
            Some(_) => Err(self.error("must be true or false")),
        }
    }

    pub(crate) fn number(&self) -> Result<Option<u64>, Error> {
        let number = match self.value {
            None => return Ok(None),
            Some(Value::Number(number)) => number.as_u64(),
            Some(Value::String(text)) => text.parse().ok(),
            Some(_) => None,
        };
        number
            .map(Some)
            .ok_or_else(|| self.error("must be a whole number"))
    }

    pub(crate) fn duration(&self) -> Result<Option<Duration>, Error> {
        let Some(text) = self.text()? else { return Ok(None) };
        time_span(text)
            .map(Some)
            .ok_or_else(|| self.error("must be a time span (hh:mm:ss)"))
    }
}

/// Parses a .NET time span: `[d.]hh:mm[:ss[.fff]]`, or a number of days.
pub(crate) fn time_span(text: &str) -> Option<Duration> {
    let text = text.trim();
    if let Ok(days) = text.parse::<u32>() {
        return Some(Duration::from_secs(u64::from(days) * 86_400));
    }
    let mut parts: Vec<&str> = text.split(':').collect();
    if !(2..=3).contains(&parts.len()) {
        return None;
    }
    let (days, hours) = parts[0].split_once('.').unwrap_or(("0", parts[0]));
    parts[0] = hours;
    let days: u64 = days.parse().ok()?;
    let hours: u64 = parts[0].parse().ok().filter(|hours| *hours < 24)?;
    let minutes: u64 = parts[1].parse().ok().filter(|minutes| *minutes < 60)?;
    let seconds: f64 = parts
        .get(2)
        .unwrap_or(&"0")
        .parse()
        .ok()
        .filter(|s| (0.0..60.0).contains(s))?;
    Some(Duration::from_secs(days * 86_400 + hours * 3_600 + minutes * 60) + Duration::from_secs_f64(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_span_reads_as_dotnet_reads_it() {
        assert_eq!(time_span("00:05:00"), Some(Duration::from_secs(300)));
        assert_eq!(time_span("1.00:00:01"), Some(Duration::from_secs(86_401)));
        assert_eq!(time_span("00:00:00.25"), Some(Duration::from_millis(250)));
        assert_eq!(time_span("25:00:00"), None);
        assert_eq!(time_span("*/5 * * * * *"), None);
    }

    #[test]
    fn an_error_names_the_file_and_the_field() {
        let value = serde_json::json!({ "a": { "b": 1 } });
        let error = JsonNode::root("host.json", &value)
            .get("a")
            .get("b")
            .text()
            .expect_err("a number");
        assert_eq!(error.to_string(), "host.json: a.b must be a string");
    }
}
