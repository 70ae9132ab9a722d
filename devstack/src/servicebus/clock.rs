//! The clock of the bus.
//! Never read by the broker or a connection's engine: they are told the time.

use std::time::Duration;

use time::OffsetDateTime;

/// Unix time in milliseconds.
pub(crate) fn now_ms() -> i64 {
    i64::try_from(OffsetDateTime::now_utc().unix_timestamp_nanos() / 1_000_000).unwrap_or(i64::MAX)
}

/// The time left until one in Unix milliseconds.
pub(crate) fn until(at: i64) -> Duration {
    Duration::from_millis((at - now_ms()).max(0).unsigned_abs())
}
