//! What has happened, as it is stored and sent: every event of every aggregate, with its name and version.
//! Never changes the meaning of a name once released: a new meaning is a new name (`….v2`).

use serde::{Deserialize, Serialize};
use serde_json::{Value, value::RawValue};
use time::OffsetDateTime;
use uuid::Uuid;

use super::{
    order::{CustomerRef, Line, Shipment},
    value::{Email, Money, Name, Price, Quantity, Reason, Sku},
};

/// Everything that can happen. JSON: `{"type": "orders.OrderPlaced.v1", "data": {…}}`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", content = "data", rename_all_fields = "camelCase")]
pub enum Event {
    /// A customer was registered.
    #[serde(rename = "orders.CustomerRegistered.v1")]
    CustomerRegistered {
        /// Name of the customer.
        name: Name,
        /// Where to write to.
        email: Email,
    },
    /// The customer has another name from now on; orders keep the one they were placed under.
    #[serde(rename = "orders.CustomerRenamed.v1")]
    CustomerRenamed {
        /// The new name.
        name: Name,
    },
    /// The customer is written to elsewhere from now on.
    #[serde(rename = "orders.CustomerEmailChanged.v1")]
    CustomerEmailChanged {
        /// The new address.
        email: Email,
    },
    /// A product came into the catalogue; none are in stock yet.
    #[serde(rename = "orders.ProductAdded.v1")]
    ProductAdded {
        /// Name of the product.
        name: Name,
        /// Price of one piece.
        price: Price,
    },
    /// The product has another name from now on; orders keep the one they were placed under.
    #[serde(rename = "orders.ProductRenamed.v1")]
    ProductRenamed {
        /// The new name.
        name: Name,
    },
    /// The product costs something else from now on; orders keep the price they were placed at.
    #[serde(rename = "orders.ProductPriceChanged.v1")]
    ProductPriceChanged {
        /// The new price of one piece.
        price: Price,
    },
    /// Pieces came into stock.
    #[serde(rename = "orders.ProductRestocked.v1")]
    ProductRestocked {
        /// How many.
        quantity: Quantity,
    },
    /// An order was placed and its pieces taken from stock.
    #[serde(rename = "orders.OrderPlaced.v1")]
    OrderPlaced {
        /// Who ordered, with the name as it was then.
        customer: CustomerRef,
        /// What was ordered, at the prices of then.
        lines: Vec<Line>,
        /// Sum of the lines.
        total: Money,
        /// When (UTC).
        #[serde(with = "crate::domain::utc")]
        at: OffsetDateTime,
    },
    /// The order has other lines from now on, and its pieces were moved to match.
    #[serde(rename = "orders.OrderLinesChanged.v1")]
    OrderLinesChanged {
        /// All lines, as they are now.
        lines: Vec<Line>,
        /// Sum of the lines.
        total: Money,
        /// When (UTC).
        #[serde(with = "crate::domain::utc")]
        at: OffsetDateTime,
    },
    /// The order was paid in full.
    #[serde(rename = "orders.OrderPaid.v1")]
    OrderPaid {
        /// What was paid, which is the total.
        amount: Money,
        /// When (UTC).
        #[serde(with = "crate::domain::utc")]
        at: OffsetDateTime,
    },
    /// The order left the house.
    #[serde(rename = "orders.OrderShipped.v1")]
    OrderShipped {
        /// How, and how to follow it.
        shipment: Shipment,
        /// When (UTC).
        #[serde(with = "crate::domain::utc")]
        at: OffsetDateTime,
    },
    /// The order arrived.
    #[serde(rename = "orders.OrderDelivered.v1")]
    OrderDelivered {
        /// When (UTC).
        #[serde(with = "crate::domain::utc")]
        at: OffsetDateTime,
    },
    /// The order was called off and its pieces put back into stock.
    #[serde(rename = "orders.OrderCancelled.v1")]
    OrderCancelled {
        /// Why.
        reason: Reason,
        /// When (UTC).
        #[serde(with = "crate::domain::utc")]
        at: OffsetDateTime,
    },
}

/// What is left of a SKU right after an event that moved it. Equal `seq` means equal `available`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StockLevel {
    /// The SKU.
    pub sku: Sku,
    /// Pieces left.
    pub available: i64,
    /// How often this SKU's stock has moved.
    pub seq: i64,
}

/// One row of the event log: what the outbox sends and replays send again.
#[derive(Debug, Clone, PartialEq)]
pub struct Recorded {
    /// Identity of the event, and of every message made from it.
    pub event_id: Uuid,
    /// The aggregate's id (an order id, a customer id or a SKU).
    pub subject: String,
    /// The aggregate's version after this event.
    pub version: i64,
    /// Name of the event with its major version.
    pub kind: String,
    /// What happened.
    pub data: Value,
    /// The aggregate after it.
    pub state: Value,
    /// Stock levels after it, an array of [`StockLevel`]; null when it moved no stock.
    pub stock: Value,
    /// W3C trace context of the request that caused it, if there was one.
    pub traceparent: Option<String>,
    /// When it happened (UTC).
    pub occurred_at: OffsetDateTime,
}

impl Event {
    /// The event's name and its data, as the two columns of the log hold them.
    ///
    /// # Errors
    /// When a value cannot be written as JSON.
    pub fn to_parts(&self) -> Result<(String, Box<RawValue>), serde_json::Error> {
        /// The two halves of the adjacently tagged enum.
        #[derive(Deserialize)]
        struct Parts {
            r#type: String,
            data: Box<RawValue>,
        }
        let Parts { r#type, data } = serde_json::from_str(&serde_json::to_string(self)?)?;
        Ok((r#type, data))
    }
}
