//! Serde attributes for times that are not yet a [`Timestamp`].
//! Never keeps an offset, and never lets in a time that could not be written again.

use serde::{Deserialize, Deserializer, Serializer, de, ser};
use time::OffsetDateTime;

pub use super::timestamp::{FIRST_YEAR, LAST_YEAR, normalised, normalised_json as any};
use super::{timestamp::Timestamp, value::Invalid};

/// The same moment in UTC.
///
/// # Errors
/// When that is before 1970 or after 9999.
pub fn checked(at: OffsetDateTime) -> Result<OffsetDateTime, Invalid> {
    Timestamp::try_from(at).map(Timestamp::utc)
}

/// Reads RFC 3339 with any offset.
///
/// # Errors
/// When it is something else, or see [`checked`].
pub fn parse(text: &str) -> Result<OffsetDateTime, Invalid> {
    text.parse().map(Timestamp::utc)
}

/// Writes RFC 3339 that ends in `Z`.
///
/// # Errors
/// See [`checked`].
pub fn text(at: OffsetDateTime) -> Result<String, Invalid> {
    Timestamp::try_from(at).map(|at| at.to_string())
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
