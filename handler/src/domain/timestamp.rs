//! Timestamps as they come in, are kept and go out: RFC 3339 in UTC, in a range that every store, header and client can hold.
//! Never keeps an offset, and never lets in a time that could not be written again.

use std::{borrow::Cow, fmt, str::FromStr};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use serde_json::Value;
use time::{OffsetDateTime, UtcOffset, format_description::well_known::Rfc3339};

use super::value::InvalidValue;

/// The first year: there HTTP dates and Unix time begin.
pub const FIRST_YEAR: i32 = 1970;
/// The last year: RFC 3339 has four digits for it.
pub const LAST_YEAR: i32 = 9999;

const RULE: InvalidValue =
    InvalidValue("a time is RFC 3339 such as 2026-11-24T10:00:00Z, and from 1970-01-01 to 9999-12-31 in UTC");

/// A moment in UTC, from 1970 to 9999. JSON: RFC 3339 that ends in `Z`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(OffsetDateTime);

impl Timestamp {
    /// The beginning of 1970.
    pub const UNIX_EPOCH: Self = Self(OffsetDateTime::UNIX_EPOCH);

    /// The moment for all that computes with times; its offset is UTC.
    #[must_use]
    pub const fn utc(self) -> OffsetDateTime {
        self.0
    }
}

impl TryFrom<OffsetDateTime> for Timestamp {
    type Error = InvalidValue;

    fn try_from(at: OffsetDateTime) -> Result<Self, InvalidValue> {
        let utc = at.checked_to_offset(UtcOffset::UTC).ok_or(RULE)?;
        if (FIRST_YEAR..=LAST_YEAR).contains(&utc.year()) {
            Ok(Self(utc))
        } else {
            Err(RULE)
        }
    }
}

impl From<Timestamp> for OffsetDateTime {
    fn from(at: Timestamp) -> Self {
        at.0
    }
}

/// Reads RFC 3339 with any offset.
impl FromStr for Timestamp {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        OffsetDateTime::parse(text, &Rfc3339)
            .map_err(|_| RULE)?
            .try_into()
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.format(&Rfc3339).map_err(|_| fmt::Error)?)
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(de::Error::custom)
    }
}

impl JsonSchema for Timestamp {
    fn schema_name() -> Cow<'static, str> {
        "Timestamp".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A time: RFC 3339, UTC, from 1970 to 9999.",
            "type": "string",
            "format": "date-time"
        })
    }
}

/// Takes all times of an event or a state to UTC: what `at` or a name that ends in `At` holds. Writers have left offsets in
/// them when the database's session had a time zone; what is no time stays as it is.
#[must_use]
pub fn normalised(mut json: Value) -> Value {
    normalise(&mut json);
    json
}

fn normalise(json: &mut Value) {
    match json {
        Value::Array(items) => items.iter_mut().for_each(normalise),
        Value::Object(members) => {
            for (name, member) in members {
                match member {
                    Value::String(old) if (name == "at" || name.ends_with("At")) && !old.ends_with('Z') => {
                        if let Ok(utc) = old.parse::<Timestamp>() {
                            *old = utc.to_string();
                        }
                    }
                    other => normalise(other),
                }
            }
        }
        _ => {}
    }
}

/// For JSON with times in it: `#[serde(deserialize_with = "timestamp::normalised_json")]`. See [`normalised`].
///
/// # Errors
/// When it is no JSON.
pub fn normalised_json<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Value, D::Error> {
    Value::deserialize(deserializer).map(normalised)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_time_of_any_offset_is_taken_to_utc() {
        for (given, utc) in [
            ("2026-11-24T05:00:00-05:00", "2026-11-24T10:00:00Z"),
            ("2026-11-24T15:30:00.25+05:30", "2026-11-24T10:00:00.25Z"),
            ("1970-01-01T01:00:00+01:00", "1970-01-01T00:00:00Z"),
            ("9999-12-31T23:59:59.999999Z", "9999-12-31T23:59:59.999999Z"),
        ] {
            let read: Timestamp = given.parse().unwrap();
            assert_eq!(read.utc().offset(), UtcOffset::UTC, "{given}");
            assert_eq!(read.to_string(), utc);
        }
    }

    #[test]
    fn what_is_before_1970_or_after_9999_in_utc_is_refused_and_nothing_panics() {
        for bad in [
            "9999-12-31T23:59:59-05:00",
            "9999-12-31T23:59:60-00:01",
            "1970-01-01T00:00:00+00:01",
            "1969-12-31T23:59:59Z",
            "0000-01-01T00:00:00+14:00",
            "10000-01-01T00:00:00Z",
            "2026-02-30T00:00:00Z",
            "2026-11-24 10:00",
            "infinity",
            "",
        ] {
            assert_eq!(bad.parse::<Timestamp>(), Err(RULE), "{bad}");
        }
        let late = OffsetDateTime::parse("9999-12-31T23:59:59-05:00", &Rfc3339).unwrap();
        assert_eq!(Timestamp::try_from(late), Err(RULE));
        let before = OffsetDateTime::UNIX_EPOCH - time::Duration::SECOND;
        assert_eq!(Timestamp::try_from(before), Err(RULE));
    }

    #[test]
    fn stored_times_are_taken_to_utc_and_names_like_times_are_not() {
        let stored = json!({
            "placedAt": "2026-11-24T05:00:00.5-05:00", "paidAt": "2026-11-24T10:00:00.500Z", "at": "long ago",
            "customer": { "name": "2026-11-24T05:00:00-05:00" }, "lines": [{ "at": "2026-11-24T12:00:00+02:00" }],
        });
        assert_eq!(
            normalised(stored),
            json!({
                "placedAt": "2026-11-24T10:00:00.5Z", "paidAt": "2026-11-24T10:00:00.500Z", "at": "long ago",
                "customer": { "name": "2026-11-24T05:00:00-05:00" }, "lines": [{ "at": "2026-11-24T10:00:00Z" }],
            })
        );
    }

    /// Stored events, messages, documents and answers are compared by their bytes.
    #[test]
    fn a_timestamp_is_written_byte_for_byte_as_the_time_crate_writes_rfc_3339() {
        for text in [
            "1970-01-01T00:00:00Z",
            "2026-11-24T10:00:00.25Z",
            "2026-11-24T10:00:00.000001Z",
            "9999-12-31T23:59:59.999999999Z",
        ] {
            let at: Timestamp = text.parse().unwrap();
            let written = serde_json::to_string(&at).unwrap();
            assert_eq!(written, format!("\"{}\"", at.utc().format(&Rfc3339).unwrap()));
            assert_eq!(written, format!("\"{text}\""));
            assert_eq!(serde_json::from_str::<Timestamp>(&written).unwrap(), at);
        }
    }
}
