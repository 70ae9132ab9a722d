//! Times as they come in, are kept and go out: RFC 3339 in UTC, in a range that every store, header and client can hold.
//! Never keeps an offset, and never lets in a time that could not be written again.

use serde::{Deserialize, Deserializer, Serializer, de, ser};
use serde_json::Value;
use time::{OffsetDateTime, UtcOffset, format_description::well_known::Rfc3339};

use super::value::Invalid;

/// The first year: there HTTP dates and Unix time begin.
pub const FIRST_YEAR: i32 = 1970;
/// The last year: RFC 3339 has four digits for it.
pub const LAST_YEAR: i32 = 9999;

const RULE: Invalid =
    Invalid("a time is RFC 3339 such as 2026-11-24T10:00:00Z, and from 1970-01-01 to 9999-12-31 in UTC");

/// The same moment in UTC.
///
/// # Errors
/// When that is before 1970 or after 9999.
pub fn checked(at: OffsetDateTime) -> Result<OffsetDateTime, Invalid> {
    let utc = at.checked_to_offset(UtcOffset::UTC).ok_or(RULE)?;
    if (FIRST_YEAR..=LAST_YEAR).contains(&utc.year()) {
        Ok(utc)
    } else {
        Err(RULE)
    }
}

/// Reads RFC 3339 with any offset.
///
/// # Errors
/// When it is something else, or see [`checked`].
pub fn parse(text: &str) -> Result<OffsetDateTime, Invalid> {
    checked(OffsetDateTime::parse(text, &Rfc3339).map_err(|_| RULE)?)
}

/// Writes RFC 3339 that ends in `Z`.
///
/// # Errors
/// See [`checked`].
pub fn text(at: OffsetDateTime) -> Result<String, Invalid> {
    checked(at)?.format(&Rfc3339).map_err(|_| RULE)
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
                        if let Ok(utc) = parse(old).and_then(text) {
                            *old = utc;
                        }
                    }
                    other => normalise(other),
                }
            }
        }
        _ => {}
    }
}

/// For a field: `#[serde(with = "crate::domain::utc")]`.
///
/// # Errors
/// See [`checked`].
pub fn serialize<S: Serializer>(at: &OffsetDateTime, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&text(*at).map_err(ser::Error::custom)?)
}

/// The other way.
///
/// # Errors
/// See [`parse`].
pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<OffsetDateTime, D::Error> {
    parse(&String::deserialize(deserializer)?).map_err(de::Error::custom)
}

/// For JSON with times in it: `#[serde(deserialize_with = "utc::any")]`. See [`normalised`].
///
/// # Errors
/// When it is no JSON.
pub fn any<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Value, D::Error> {
    Value::deserialize(deserializer).map(normalised)
}

/// The same for a time that may be absent.
pub mod option {
    use super::{Deserialize, Deserializer, OffsetDateTime, Serializer, de, parse};

    /// For a field: `#[serde(with = "crate::domain::utc::option")]`.
    ///
    /// # Errors
    /// See [`super::checked`].
    pub fn serialize<S: Serializer>(at: &Option<OffsetDateTime>, serializer: S) -> Result<S::Ok, S::Error> {
        match at {
            Some(at) => super::serialize(at, serializer),
            None => serializer.serialize_none(),
        }
    }

    /// The other way.
    ///
    /// # Errors
    /// See [`super::parse`].
    pub fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<OffsetDateTime>, D::Error> {
        let text: Option<String> = Option::deserialize(deserializer)?;
        text.map(|text| parse(&text))
            .transpose()
            .map_err(de::Error::custom)
    }
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
            let read = parse(given).unwrap();
            assert_eq!(read.offset(), UtcOffset::UTC, "{given}");
            assert_eq!(text(read).as_deref(), Ok(utc));
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
            assert_eq!(parse(bad), Err(RULE), "{bad}");
        }
        let late = OffsetDateTime::parse("9999-12-31T23:59:59-05:00", &Rfc3339).unwrap();
        assert_eq!(text(late), Err(RULE));
        let before = OffsetDateTime::UNIX_EPOCH - time::Duration::SECOND;
        assert_eq!(text(before), Err(RULE));
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
}
