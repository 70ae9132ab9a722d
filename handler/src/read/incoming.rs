//! Decodes a message of the bus, however the host has wrapped it, into an event to project.
//! Never trusts a message: one that does not decode into a known shape is a [`DecodeError`].

use base64::{Engine, engine::general_purpose::STANDARD};
use serde::Deserialize;
use serde_json::Value;

use uuid::Uuid;

use super::plausible;
use crate::{
    domain::{
        aggregate::Aggregate,
        event::{EventType, StockLevel, UnknownEventType},
        quote,
        timestamp::{self, Timestamp},
    },
    json,
};

/// Most wrappings of a body: the host encodes a binary body once, and a text body twice.
const MOST_WRAPPINGS: usize = 4;

/// The only source whose events are projected (CloudEvents 1.0, `source`).
const SOURCE: &str = "/orders/write-model";

/// A message that no later delivery will make readable.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct DecodeError(String);

/// An event with all that a document can need of it.
#[derive(Debug, Clone)]
pub struct IncomingEvent {
    /// Identity of the event.
    pub event_id: Uuid,
    /// Its type.
    pub event_type: EventType,
    /// Time of the event (UTC).
    pub at: Timestamp,
    /// The aggregate's version after it.
    pub version: i64,
    /// The event's own data.
    pub data: Value,
    /// The aggregate after it.
    pub state: Aggregate,
    /// The stock it moved, as it was right after it.
    pub stock: Vec<StockLevel>,
}

/// The attributes that a projection reads (CloudEvents 1.0); others are none of its business.
#[derive(Deserialize)]
struct EventEnvelope {
    specversion: String,
    id: Uuid,
    source: String,
    r#type: String,
    subject: String,
    time: Timestamp,
    #[serde(flatten)]
    version: StatedVersion,
    data: MessageData,
}

#[derive(Deserialize)]
struct MessageData {
    event: Value,
    state: Value,
    stock: Option<Vec<StockLevel>>,
}

/// The aggregate's version after an event, where our messages say it.
#[derive(Debug, Clone, Deserialize)]
pub struct StatedVersion {
    aggregateversion: Option<i64>,
    /// The attribute of earlier releases: their messages and dead letters may still come.
    sequence: Option<String>,
}

impl StatedVersion {
    /// The version, if the event says one.
    #[must_use]
    pub fn get(&self) -> Option<i64> {
        match &self.sequence {
            Some(text) if self.aggregateversion.is_none() => text.parse().ok(),
            _ => self.aggregateversion,
        }
    }
}

/// Reads the trigger's `Data` value: JSON as it is, JSON as text, or either in base64.
///
/// # Errors
/// [`DecodeError`], with what was found instead.
pub fn decode(body: Value) -> Result<IncomingEvent, DecodeError> {
    let event: EventEnvelope = json::from_value(unwrapped(body)?).map_err(|error| {
        DecodeError(format!(
            "not one of our events: {}",
            quote::brief(&error.to_string())
        ))
    })?;
    if event.specversion != "1.0" {
        return Err(DecodeError(format!(
            "CloudEvents {} is unknown",
            quote::brief(&event.specversion)
        )));
    }
    if event.source != SOURCE {
        return Err(DecodeError("the source is not ours".to_owned()));
    }
    let MessageData {
        event: data,
        state,
        stock,
    } = event.data;
    let event_type: EventType = event
        .r#type
        .parse()
        .map_err(|unknown: UnknownEventType| DecodeError(unknown.to_string()))?;
    let state = Aggregate::from_json(event_type.aggregate(), state).map_err(|error| {
        DecodeError(format!(
            "the state cannot be: {}",
            quote::brief(&error.to_string())
        ))
    })?;
    let version = state.version();
    if state.id().to_string() != event.subject || event.version.get() != Some(version) {
        return Err(DecodeError(
            "subject and aggregateversion are not those of the state".to_owned(),
        ));
    }
    let stock = stock.unwrap_or_default();
    plausible::check(event_type, &state, &stock).map_err(DecodeError)?;
    Ok(IncomingEvent {
        event_id: event.id,
        event_type,
        at: event.time,
        version,
        data: timestamp::normalised(data),
        state,
        stock,
    })
}

fn unwrapped(body: Value) -> Result<Value, DecodeError> {
    let mut value = body;
    for _ in 0..MOST_WRAPPINGS {
        let Value::String(text) = value else { break };
        value = match serde_json::from_str(&text) {
            Ok(inner) => inner,
            Err(_) => STANDARD
                .decode(&text)
                .ok()
                .and_then(|bytes| serde_json::from_slice(&bytes).ok())
                .ok_or_else(|| DecodeError("the body is neither JSON nor base64 of JSON".to_owned()))?,
        };
    }
    if value.is_object() {
        Ok(value)
    } else {
        Err(DecodeError("the body is no JSON object".to_owned()))
    }
}

#[cfg(test)]
#[path = "incoming_tests.rs"]
mod tests;
