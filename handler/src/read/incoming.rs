//! What comes off the bus: the bytes of a message, however the host has wrapped them, as a change to project.
//! Never trusts a message: whatever does not decode into a known shape is refused as [`Undecodable`].

use base64::{Engine, engine::general_purpose::STANDARD};
use serde::Deserialize;
use serde_json::Value;

use time::OffsetDateTime;
use uuid::Uuid;

use crate::domain::{customer::Customer, event::StockLevel, order::Order, product::Product, quote, utc};

/// How often a body may be wrapped: the host encodes a binary body once, and a text body twice.
const MOST_WRAPPINGS: usize = 4;

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
    let Data {
        event: data,
        state,
        stock,
    } = event.data;
    let state = match event.r#type.as_str() {
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
    let state = state.map_err(|error| {
        Undecodable(format!(
            "the state cannot be: {}",
            quote::brief(&error.to_string())
        ))
    })?;
    let (subject, version) = state.identity();
    if subject != event.subject || event.version.get() != Some(version) {
        return Err(Undecodable(
            "subject and aggregateversion are not those of the state".to_owned(),
        ));
    }
    Ok(Incoming {
        event_id: event.id,
        kind: event.r#type,
        at: event.time,
        version,
        data: utc::normalised(data),
        state,
        stock: stock.unwrap_or_default(),
    })
}

impl State {
    /// The aggregate's id and version.
    fn identity(&self) -> (String, i64) {
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
mod tests {
    use serde_json::json;

    use super::*;

    fn event() -> Value {
        let id = "0198c9c1-0000-7000-8000-000000000001";
        json!({
            "specversion": "1.0", "id": id, "type": "orders.OrderPlaced.v1", "subject": id, "aggregateversion": 1,
            "time": "2026-11-24T10:00:00Z",
            "data": { "event": {}, "stock": null, "state": {
                "id": id, "version": 1, "status": "placed", "customer": { "id": id, "name": "Ada" }, "lines": [],
                "total": { "amount": 5, "currency": "EUR" }, "placedAt": "2026-11-24T10:00:00Z" } },
        })
    }

    #[test]
    fn a_body_is_read_plain_and_once_and_twice_encoded() {
        let (plain, text) = (event(), event().to_string());
        let once = json!(STANDARD.encode(&text));
        let twice = json!(json!(STANDARD.encode(&text)).to_string());
        for body in [plain, json!(text), once, twice] {
            let said = body.to_string();
            assert!(
                matches!(decode(body).map(|read| read.state), Ok(State::Order(_))),
                "{said}"
            );
        }
    }

    #[test]
    fn the_version_is_read_where_it_stands_now_and_where_earlier_releases_had_it() {
        let with = |now: Option<Value>, earlier: Option<Value>| {
            let mut event = event();
            let attributes = event.as_object_mut().unwrap();
            attributes.remove("aggregateversion");
            attributes.extend(now.map(|value| ("aggregateversion".to_owned(), value)));
            attributes.extend(earlier.map(|value| ("sequence".to_owned(), value)));
            decode(event).map(|read| read.version)
        };
        assert_eq!(with(Some(json!(1)), None).ok(), Some(1));
        assert_eq!(with(None, Some(json!("1"))).ok(), Some(1));
        // Beside ours it is the standard's, which counts something else.
        assert_eq!(with(Some(json!(1)), Some(json!("0000000041"))).ok(), Some(1));
        for (now, earlier) in [
            (None, None),
            (Some(json!(2)), None),
            (None, Some(json!("2"))),
            (Some(json!(2)), Some(json!("1"))),
            (Some(json!("1")), None),
        ] {
            let said = format!("{now:?} {earlier:?}");
            assert!(with(now, earlier).is_err(), "{said}");
        }
    }

    #[test]
    fn no_more_of_a_message_is_quoted_than_a_hundred_characters() {
        let long = "x".repeat(300_000);
        for (pointer, wrong) in [
            ("/specversion", json!(long)),
            ("/type", json!(long)),
            ("/id", json!(long)),
            ("/data/stock", json!(long)),
            ("/data/state/status", json!(long)),
            ("/data/state/customer", json!(long)),
        ] {
            let mut body = event();
            *body.pointer_mut(pointer).unwrap() = wrong;
            let told = decode(body).unwrap_err().to_string();
            assert!(told.len() < 200, "{pointer}: {told:.300}");
        }
    }

    #[test]
    fn rubbish_and_unknown_major_versions_are_undecodable() {
        let mut unknown = event();
        unknown["type"] = json!("orders.OrderPlaced.v2");
        let mut contradicting = event();
        contradicting["aggregateversion"] = json!(2);
        for body in [
            json!("rubbish"),
            json!(null),
            json!({}),
            json!("bnVsbA=="),
            unknown,
            contradicting,
        ] {
            let said = body.to_string();
            assert!(decode(body).is_err(), "{said}");
        }
    }
}
