//! The order as it stands: its lines, its total, and how far it is.
//! Never decides whether it may change: that is said by `decide` and `evolve` beside it.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::domain::{
    timestamp::Timestamp,
    value::{Money, Name, Quantity, Reason, Sku},
};

/// An order, as carried in events, kept in `orders` and `order_lines`, and shown to the reader.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Order {
    /// Identity, UUIDv7: newer orders sort later.
    pub id: Uuid,
    /// 1 when placed, one more with each event.
    pub version: i64,
    /// The customer, by the name of then.
    pub customer: CustomerRef,
    /// 1 to 100 lines, each SKU once.
    pub lines: Vec<OrderLine>,
    /// Sum of the lines.
    pub total: Money,
    /// Time of the placement.
    pub placed_at: Timestamp,
    /// Status, with the fields that belong to it.
    #[serde(flatten)]
    pub progress: OrderProgress,
}

/// Status of an order, with what is known from there on. JSON: fields of the order, told apart by `status`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "status", rename_all = "lowercase", rename_all_fields = "camelCase")]
pub enum OrderProgress {
    /// Accepted, stock taken, not yet paid.
    Placed,
    /// Paid in full.
    Paid {
        /// Time of the payment.
        paid_at: Timestamp,
    },
    /// On its way.
    Shipped {
        /// Time of the payment.
        paid_at: Timestamp,
        /// Time at which the carrier took it.
        shipped_at: Timestamp,
        /// The parcel.
        #[serde(deserialize_with = "crate::json::strict")]
        shipment: Shipment,
    },
    /// In the customer's hands.
    Delivered {
        /// Time of the payment.
        paid_at: Timestamp,
        /// Time at which the carrier took it.
        shipped_at: Timestamp,
        /// The parcel.
        #[serde(deserialize_with = "crate::json::strict")]
        shipment: Shipment,
        /// Time of its arrival.
        delivered_at: Timestamp,
    },
    /// Cancelled, its pieces back in stock.
    Cancelled {
        /// Time of the payment, if there was one.
        #[serde(skip_serializing_if = "Option::is_none")]
        paid_at: Option<Timestamp>,
        /// Time of the cancellation.
        cancelled_at: Timestamp,
        /// The reason that was given.
        reason: Reason,
    },
}

impl OrderProgress {
    /// The name of the state.
    #[must_use]
    pub fn status(&self) -> OrderStatus {
        match self {
            Self::Placed => OrderStatus::Placed,
            Self::Paid { .. } => OrderStatus::Paid,
            Self::Shipped { .. } => OrderStatus::Shipped,
            Self::Delivered { .. } => OrderStatus::Delivered,
            Self::Cancelled { .. } => OrderStatus::Cancelled,
        }
    }

    /// Time of the payment, if it was paid.
    #[must_use]
    pub fn paid_at(&self) -> Option<Timestamp> {
        match self {
            Self::Placed => None,
            Self::Paid { paid_at } | Self::Shipped { paid_at, .. } | Self::Delivered { paid_at, .. } => {
                Some(*paid_at)
            }
            Self::Cancelled { paid_at, .. } => *paid_at,
        }
    }

    /// Time at which the carrier took it, if it was shipped.
    #[must_use]
    pub fn shipped_at(&self) -> Option<Timestamp> {
        match self {
            Self::Shipped { shipped_at, .. } | Self::Delivered { shipped_at, .. } => Some(*shipped_at),
            _ => None,
        }
    }

    /// The parcel, if it was shipped.
    #[must_use]
    pub fn shipment(&self) -> Option<&Shipment> {
        match self {
            Self::Shipped { shipment, .. } | Self::Delivered { shipment, .. } => Some(shipment),
            _ => None,
        }
    }

    /// Time of its arrival, if it has arrived.
    #[must_use]
    pub fn delivered_at(&self) -> Option<Timestamp> {
        match self {
            Self::Delivered { delivered_at, .. } => Some(*delivered_at),
            _ => None,
        }
    }

    /// Time and reason of the cancellation, if it was cancelled.
    #[must_use]
    pub fn cancelled(&self) -> Option<(Timestamp, &Reason)> {
        match self {
            Self::Cancelled {
                cancelled_at, reason, ..
            } => Some((*cancelled_at, reason)),
            _ => None,
        }
    }
}

/// Status of an order, by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum OrderStatus {
    /// Accepted, stock taken, not yet paid.
    Placed,
    /// Paid in full.
    Paid,
    /// On its way.
    Shipped,
    /// In the customer's hands.
    Delivered,
    /// Cancelled, its pieces back in stock.
    Cancelled,
}

impl OrderStatus {
    /// All of them, in the order of an order's life.
    pub const ALL: [Self; 5] = [
        Self::Placed,
        Self::Paid,
        Self::Shipped,
        Self::Delivered,
        Self::Cancelled,
    ];

    /// The name, as it stands in JSON and in the table.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Placed => "placed",
            Self::Paid => "paid",
            Self::Shipped => "shipped",
            Self::Delivered => "delivered",
            Self::Cancelled => "cancelled",
        }
    }
}

impl fmt::Display for OrderStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The customer of an order; the name stays as it was when the order was placed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CustomerRef {
    /// Identity of the customer.
    pub id: Uuid,
    /// The name as it was.
    pub name: Name,
}

/// One line of an order; name and price stay as they were.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OrderLine {
    /// The product.
    pub sku: Sku,
    /// Name of the product when the line was added.
    pub name: Name,
    /// Pieces.
    pub quantity: Quantity,
    /// Price of one piece.
    pub unit_price: Money,
}

/// A parcel on its way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Shipment {
    /// Name of the carrier.
    pub carrier: Name,
    /// The carrier's number for it.
    pub tracking_number: Name,
}
