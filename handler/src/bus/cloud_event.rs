//! The body of a message: CloudEvents 1.0 in JSON, a pure function of a recorded event.
//! Never holds anything that the log does not: a replay makes the same bytes.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use crate::domain::{event::RecordedEvent, timestamp::Timestamp};

/// Media type of the body (CloudEvents JSON format 1.0, structured mode).
pub const CONTENT_TYPE: &str = "application/cloudevents+json; charset=utf-8";
/// The source of all our events.
const SOURCE: &str = "/orders/write-model";

/// A CloudEvents 1.0 envelope with the extensions `aggregateversion` and `traceparent`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CloudEvent {
    /// Always "1.0".
    pub specversion: String,
    /// The event's id; also the MessageId.
    pub id: Uuid,
    /// The sender.
    pub source: String,
    /// Name of the event with its major version, such as `orders.OrderShipped.v1`.
    pub r#type: String,
    /// The aggregate's id: an order id, a customer id or a SKU.
    pub subject: String,
    /// The time at which it happened (RFC 3339, UTC).
    pub time: Timestamp,
    /// Always "application/json".
    pub datacontenttype: String,
    /// The aggregate's version after the event. An extension of our own: the standard's `sequence` counts what a source
    /// sends, and sorts as text.
    pub aggregateversion: i64,
    /// W3C trace context of the request that caused it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
    /// The event and the state after it.
    pub data: EventData,
}

/// The data of a message. State travels with the event, so a projection never needs an earlier message.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EventData {
    /// The event.
    pub event: Value,
    /// The aggregate after it.
    pub state: Value,
    /// Stock levels after it, `[{"sku", "available", "seq"}]`; null when no stock moved.
    pub stock: Value,
}

impl From<&RecordedEvent> for CloudEvent {
    fn from(event: &RecordedEvent) -> Self {
        Self {
            specversion: "1.0".to_owned(),
            id: event.event_id,
            source: SOURCE.to_owned(),
            r#type: event.kind.clone(),
            subject: event.subject.clone(),
            time: event.occurred_at,
            datacontenttype: "application/json".to_owned(),
            aggregateversion: event.version,
            traceparent: event.traceparent.clone(),
            data: EventData {
                event: event.data.clone(),
                state: event.state.clone(),
                stock: event.stock.clone(),
            },
        }
    }
}
