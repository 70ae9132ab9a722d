//! Container `orders`: each order's own document, and one small document for each thing that happened to it.
//! Never merges two states of an order: the newer one stands there whole.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use super::{Document, Generation};
use crate::{
    domain::{
        order::{CustomerRef, Order, OrderLine, OrderProgress},
        timestamp::Timestamp,
        value::Money,
    },
    read::view::HistoryEvent,
};

/// Every order's own document has this id in its partition.
pub const ORDER: &str = "order";

/// The kind of the documents of an order's events.
pub const EVENT: &str = "event";

/// The id of the event that made this version, in its order's partition.
#[must_use]
pub fn event(version: i64) -> String {
    format!("event-{version}")
}

/// An order as it is read; partition key `"1|<order id>"`, id `"order"`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OrderDocument {
    id: String,
    pk: String,
    r#gen: Generation,
    kind: String,
    order_id: Uuid,
    version: i64,
    customer: CustomerRef,
    lines: Vec<OrderLine>,
    total: Money,
    placed_at: Timestamp,
    #[serde(flatten)]
    progress: OrderProgress,
    changed_at: Timestamp,
}

/// One event of an order; partition key `"1|<order id>"`, id `"event-<version>"`. Each writer writes the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EventDocument {
    id: String,
    pk: String,
    r#gen: Generation,
    kind: String,
    order_id: Uuid,
    #[serde(flatten)]
    event: HistoryEvent,
}

impl OrderDocument {
    /// The order as an event of `changed_at` left it.
    #[must_use]
    pub fn new(generation: Generation, order: Order, changed_at: Timestamp) -> Self {
        Self {
            id: ORDER.to_owned(),
            pk: generation.partition(&order.id.to_string()),
            r#gen: generation,
            kind: "order".to_owned(),
            order_id: order.id,
            version: order.version,
            customer: order.customer,
            lines: order.lines,
            total: order.total,
            placed_at: order.placed_at,
            progress: order.progress,
            changed_at,
        }
    }

    /// Time of the last change (UTC).
    #[must_use]
    pub fn changed_at(&self) -> Timestamp {
        self.changed_at
    }

    /// The order as callers know it.
    #[must_use]
    pub fn into_order(self) -> Order {
        Order {
            id: self.order_id,
            version: self.version,
            customer: self.customer,
            lines: self.lines,
            total: self.total,
            placed_at: self.placed_at,
            progress: self.progress,
        }
    }
}

impl Document for OrderDocument {
    fn pk(&self) -> &str {
        &self.pk
    }

    fn id(&self) -> String {
        self.id.clone()
    }

    fn version(&self) -> i64 {
        self.version
    }
}

impl EventDocument {
    /// An event of this order; `data` is the event's own.
    #[must_use]
    pub fn new(
        generation: Generation,
        order: Uuid,
        version: i64,
        kind: String,
        data: Value,
        at: Timestamp,
    ) -> Self {
        Self {
            id: self::event(version),
            pk: generation.partition(&order.to_string()),
            r#gen: generation,
            kind: EVENT.to_owned(),
            order_id: order,
            event: HistoryEvent {
                version,
                r#type: kind,
                at,
                data,
            },
        }
    }

    /// Its partition key.
    #[must_use]
    pub fn pk(&self) -> &str {
        &self.pk
    }

    /// Its id in the partition.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The order's version after it.
    #[must_use]
    pub fn version(&self) -> i64 {
        self.event.version
    }

    /// The event as callers know it.
    #[must_use]
    pub fn into_event(self) -> HistoryEvent {
        self.event
    }
}
