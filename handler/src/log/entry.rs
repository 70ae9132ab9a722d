//! One row of the log, as every reader selects and reads it.
//! Never fails for a whole page: a row that is no event is named, and its reader goes on with the others.

use tokio_postgres::{Row, types::FromSql};
use uuid::Uuid;

use crate::{
    domain::{event::RecordedEvent, timestamp},
    error_chain::chain,
};

/// The select list of an entry. Only tables whose other columns have other names may be joined to `write_model.events`.
pub const EVENT_COLUMNS: &str =
    "position, event_id, stream, version, type, data, state, coalesce(stock, 'null') as stock,
    metadata->>'traceparent' as traceparent, occurred_at";

/// An event and its place in the log.
#[derive(Debug)]
pub struct LogEntry {
    /// Grows with every event; gaps are left by what was rolled back.
    pub position: i64,
    /// The event.
    pub event: RecordedEvent,
}

/// A row of the log that is no event.
#[derive(Debug, Clone, thiserror::Error)]
#[error("event {event_id} at position {position} of the log cannot be read: {why}")]
pub struct UnreadableEntry {
    /// Its place in the log.
    pub position: i64,
    /// The event's id.
    pub event_id: Uuid,
    /// The column, and what is wrong with it.
    pub why: String,
}

/// An entry of the log, or the row that should be one.
pub type EntryResult = Result<LogEntry, UnreadableEntry>;

/// Reads a row of [`EVENT_COLUMNS`].
///
/// # Errors
/// [`UnreadableEntry`]: `infinity` is a time for PostgreSQL, and JSON may be deeper or its numbers larger than any reader takes.
pub fn read_entry(row: &Row) -> EntryResult {
    let position = row.try_get("position").unwrap_or_default();
    let event = read_event(row).map_err(|why| UnreadableEntry {
        position,
        event_id: row.try_get("event_id").unwrap_or_default(),
        why,
    })?;
    Ok(LogEntry { position, event })
}

fn read_event(row: &Row) -> Result<RecordedEvent, String> {
    Ok(RecordedEvent {
        event_id: column(row, "event_id")?,
        subject: column(row, "stream")?,
        version: column(row, "version")?,
        kind: column(row, "type")?,
        data: timestamp::normalised(column(row, "data")?),
        state: timestamp::normalised(column(row, "state")?),
        stock: column(row, "stock")?,
        traceparent: column(row, "traceparent")?,
        occurred_at: column(row, "occurred_at")?,
    })
}

fn column<'a, T: FromSql<'a>>(row: &'a Row, name: &str) -> Result<T, String> {
    row.try_get(name)
        .map_err(|error| format!("{name}: {}", chain(&error)))
}
