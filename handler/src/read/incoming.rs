//! What comes off the bus: the bytes of a message, however the host has wrapped them, as a change to project.
//! Never trusts a message: whatever does not decode into a known shape is refused as [`Undecodable`].

use base64::{Engine, engine::general_purpose::STANDARD};
use serde::Deserialize;
use serde_json::Value;

use time::OffsetDateTime;
use uuid::Uuid;

use super::plausible;
use crate::domain::{customer::Customer, event::StockLevel, order::Order, product::Product, quote, utc};

/// How often a body may be wrapped: the host encodes a binary body once, and a text body twice.
const MOST_WRAPPINGS: usize = 4;

/// The only source whose events are projected (CloudEvents 1.0, `source`).
const SOURCE: &str = "/orders/write-model";

/// A message that no later delivery will make readable.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Undecodable(String);

/// An event with all that a document can need of it.
#[derive(Debug, Clone)]
pub struct Incoming {
    /// Identity of the event.
    pub event_id: Uuid,
    /// Its name with its major version.
    pub kind: String,
    /// When it happened (UTC).
    pub at: OffsetDateTime,
    /// The aggregate's version after it.
    pub version: i64,
    /// What happened.
    pub data: Value,
    /// The aggregate after it.
    pub state: State,
    /// The stock it moved, as it was right after it.
    pub stock: Vec<StockLevel>,
}

/// The aggregate after an event.
#[derive(Debug, Clone)]
pub enum State {
    /// An order.
    Order(Box<Order>),
    /// A customer.
    Customer(Customer),
    /// A product.
    Product(Product),
}

/// The attributes that a projection reads (CloudEvents 1.0); others are none of its business.
#[derive(Deserialize)]
struct CloudEvent {
    specversion: String,
    id: Uuid,
    source: String,
    r#type: String,
    subject: String,
    #[serde(with = "crate::domain::utc")]
    time: OffsetDateTime,
    #[serde(flatten)]
    version: StatedVersion,
    data: Data,
}

#[derive(Deserialize)]
struct Data {
    event: Value,
    state: Value,
    stock: Option<Vec<StockLevel>>,
}

/// The aggregate's version after an event, where our messages say it.
#[derive(Debug, Clone, Deserialize)]
pub struct StatedVersion {
    aggregateversion: Option<i64>,
    /// Where earlier releases said it: messages and dead letters of theirs may still come.
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
/// [`Undecodable`], with what was found instead.
pub fn decode(body: Value) -> Result<Incoming, Undecodable> {
    let event: CloudEvent = serde_json::from_value(unwrapped(body)?).map_err(|error| {
        Undecodable(format!(
            "not one of our events: {}",
            quote::brief(&error.to_string())
        ))
    })?;
    if event.specversion != "1.0" {
        return Err(Undecodable(format!(
            "CloudEvents {} is unknown",
            quote::brief(&event.specversion)
        )));
    }
    if event.source != SOURCE {
        return Err(Undecodable("the source is not ours".to_owned()));
    }
    let Data {
        event: data,
        state,
        stock,
    } = event.data;
    let state = state_of(&event.r#type, state)?;
    let (subject, version) = state.identity();
    if subject != event.subject || event.version.get() != Some(version) {
        return Err(Undecodable(
            "subject and aggregateversion are not those of the state".to_owned(),
        ));
    }
    let stock = stock.unwrap_or_default();
    plausible::check(&event.r#type, &state, &stock).map_err(Undecodable)?;
    Ok(Incoming {
        event_id: event.id,
        kind: event.r#type,
        at: event.time,
        version,
        data: utc::normalised(data),
        state,
        stock,
    })
}

/// The aggregate after an event of this kind.
fn state_of(kind: &str, state: Value) -> Result<State, Undecodable> {
    let state = match kind {
        "orders.OrderPlaced.v1"
        | "orders.OrderLinesChanged.v1"
        | "orders.OrderPaid.v1"
        | "orders.OrderShipped.v1"
        | "orders.OrderDelivered.v1"
        | "orders.OrderCancelled.v1" => serde_json::from_value(state).map(State::Order),
        "orders.CustomerRegistered.v1" | "orders.CustomerRenamed.v1" | "orders.CustomerEmailChanged.v1" => {
            serde_json::from_value(state).map(State::Customer)
        }
        "orders.ProductAdded.v1"
        | "orders.ProductRenamed.v1"
        | "orders.ProductPriceChanged.v1"
        | "orders.ProductRestocked.v1" => serde_json::from_value(state).map(State::Product),
        other => {
            return Err(Undecodable(format!(
                "event type {:?} is unknown",
                quote::brief(other)
            )));
        }
    };
    state.map_err(|error| {
        Undecodable(format!(
            "the state cannot be: {}",
            quote::brief(&error.to_string())
        ))
    })
}

impl State {
    /// The aggregate's id and version.
    pub(super) fn identity(&self) -> (String, i64) {
        match self {
            Self::Order(order) => (order.id.to_string(), order.version),
            Self::Customer(customer) => (customer.id.to_string(), customer.version),
            Self::Product(product) => (product.sku.as_str().to_owned(), product.version),
        }
    }
}

fn unwrapped(body: Value) -> Result<Value, Undecodable> {
    let mut value = body;
    for _ in 0..MOST_WRAPPINGS {
        let Value::String(text) = value else { break };
        value = match serde_json::from_str(&text) {
            Ok(inner) => inner,
            Err(_) => STANDARD
                .decode(&text)
                .ok()
                .and_then(|bytes| serde_json::from_slice(&bytes).ok())
                .ok_or_else(|| Undecodable("the body is neither JSON nor base64 of JSON".to_owned()))?,
        };
    }
    if value.is_object() {
        Ok(value)
    } else {
        Err(Undecodable("the body is no JSON object".to_owned()))
    }
}

#[cfg(test)]
#[path = "incoming_tests.rs"]
mod tests;
