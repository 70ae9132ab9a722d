//! What comes off the bus: the bytes of a message, however the host has wrapped them, as a change to project.
//! Never trusts a message: whatever does not decode into a known shape is refused as [`Undecodable`].

use base64::{Engine, engine::general_purpose::STANDARD};
use serde::Deserialize;
use serde_json::Value;

use super::document::OrderDocument;
use crate::domain::order::Order;

/// How often a body may be wrapped: the host encodes a binary body once, and a text body twice.
const MOST_WRAPPINGS: usize = 4;

/// A message that no later delivery will make readable.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Undecodable(String);

/// What a message asks of the read model.
#[derive(Debug)]
pub enum Change {
    /// The order looks like this now.
    Order(Box<OrderDocument>),
    /// An event of an aggregate that no document shows.
    Nothing,
}

/// The attributes that a projection reads; others are none of its business.
#[derive(Deserialize)]
struct Event {
    specversion: String,
    r#type: String,
    subject: String,
    sequence: String,
    data: Data,
}

#[derive(Deserialize)]
struct Data {
    state: Value,
}

/// Reads the trigger's `Data` value: JSON as it is, JSON as text, or either in base64.
///
/// # Errors
/// [`Undecodable`], with what was found instead.
pub fn decode(body: &Value) -> Result<Change, Undecodable> {
    let event: Event = serde_json::from_value(unwrapped(body)?)
        .map_err(|error| Undecodable(format!("not one of our events: {error}")))?;
    if event.specversion != "1.0" {
        return Err(Undecodable(format!(
            "CloudEvents {} is unknown",
            event.specversion
        )));
    }
    match event.r#type.as_str() {
        "orders.OrderPlaced.v1"
        | "orders.OrderLinesChanged.v1"
        | "orders.OrderPaid.v1"
        | "orders.OrderShipped.v1"
        | "orders.OrderDelivered.v1"
        | "orders.OrderCancelled.v1" => order(event),
        "orders.CustomerRegistered.v1"
        | "orders.CustomerRenamed.v1"
        | "orders.CustomerEmailChanged.v1"
        | "orders.ProductAdded.v1"
        | "orders.ProductRenamed.v1"
        | "orders.ProductPriceChanged.v1"
        | "orders.ProductRestocked.v1" => Ok(Change::Nothing),
        other => Err(Undecodable(format!("event type {other:?} is unknown"))),
    }
}

fn order(event: Event) -> Result<Change, Undecodable> {
    let order: Order = serde_json::from_value(event.data.state)
        .map_err(|error| Undecodable(format!("the state is no order: {error}")))?;
    if order.id.to_string() != event.subject || order.version.to_string() != event.sequence {
        return Err(Undecodable(
            "subject and sequence are not those of the state".to_owned(),
        ));
    }
    Ok(Change::Order(Box::new(order.into())))
}

fn unwrapped(body: &Value) -> Result<Value, Undecodable> {
    let mut value = body.clone();
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
            "specversion": "1.0", "type": "orders.OrderPlaced.v1", "subject": id, "sequence": "1",
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
            assert!(matches!(decode(&body), Ok(Change::Order(_))), "{body}");
        }
    }

    #[test]
    fn rubbish_and_unknown_major_versions_are_undecodable() {
        let mut unknown = event();
        unknown["type"] = json!("orders.OrderPlaced.v2");
        let mut contradicting = event();
        contradicting["sequence"] = json!("2");
        for body in [
            json!("rubbish"),
            json!(null),
            json!({}),
            json!("bnVsbA=="),
            unknown,
            contradicting,
        ] {
            assert!(decode(&body).is_err(), "{body}");
        }
    }
}
