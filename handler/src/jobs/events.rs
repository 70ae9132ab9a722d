//! Rows of the log as jobs read them.
//! Never leaves one out: a row that is no event is an error that names it.

use super::engine::JobError;
use crate::{
    bus::CloudEvent,
    domain::event::RecordedEvent,
    log::{EntryResult, LogEntry},
    read::incoming::{IncomingEvent, decode},
};

/// Rows that are all events.
///
/// # Errors
/// The first row that is none.
pub(super) fn all_readable(rows: Vec<EntryResult>) -> Result<Vec<LogEntry>, JobError> {
    let read: Result<_, _> = rows.into_iter().collect();
    read.map_err(|row| JobError::refused(row.to_string()))
}

/// An event of the log as its message would bring it.
///
/// # Errors
/// When the projector could not read that message.
pub(super) fn incoming(event: &RecordedEvent) -> Result<IncomingEvent, JobError> {
    let broken = |why: String| JobError::refused(format!("event {}: {why}", event.event_id));
    let message = serde_json::to_value(CloudEvent::from(event)).map_err(|error| broken(error.to_string()))?;
    decode(message).map_err(|error| broken(error.to_string()))
}
