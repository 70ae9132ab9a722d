//! The documents as Cosmos DB holds them, and the pure rule by which an event changes one.
//! Never compares clocks: the aggregate's version alone decides which state is newer.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::domain::{
    order::{CustomerRef, Line, Order, Progress},
    value::Money,
};

/// The generation that is read and written.
const GENERATION: u32 = 1;
/// Every order's own document has this id in its partition.
pub const ORDER_DOCUMENT: &str = "order";

/// Partition key of everything about one aggregate: `"<generation>|<key>"`.
#[must_use]
pub fn partition(key: &str) -> String {
    format!("{GENERATION}|{key}")
}

/// An order as it is read; container `orders`, partition key `"1|<order id>"`, id `"order"`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OrderDocument {
    id: String,
    pk: String,
    r#gen: u32,
    kind: String,
    order_id: Uuid,
    version: i64,
    customer: CustomerRef,
    lines: Vec<Line>,
    total: Money,
    #[serde(with = "time::serde::rfc3339")]
    placed_at: OffsetDateTime,
    #[serde(flatten)]
    progress: Progress,
}

impl From<Order> for OrderDocument {
    fn from(order: Order) -> Self {
        Self {
            id: ORDER_DOCUMENT.to_owned(),
            pk: partition(&order.id.to_string()),
            r#gen: GENERATION,
            kind: "order".to_owned(),
            order_id: order.id,
            version: order.version,
            customer: order.customer,
            lines: order.lines,
            total: order.total,
            placed_at: order.placed_at,
            progress: order.progress,
        }
    }
}

impl OrderDocument {
    /// Partition key of this document.
    #[must_use]
    pub fn pk(&self) -> &str {
        &self.pk
    }

    /// The order's version that this document shows.
    #[must_use]
    pub fn version(&self) -> i64 {
        self.version
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

    /// What to store when `incoming` meets what is there; `None` when that is as new or newer.
    #[must_use]
    pub fn over(incoming: Self, existing: Option<&Self>) -> Option<Self> {
        existing
            .is_none_or(|existing| existing.version < incoming.version)
            .then_some(incoming)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn document(version: i64) -> OrderDocument {
        let order: Order = serde_json::from_value(json!({
            "id": Uuid::nil(), "version": version, "status": "placed",
            "customer": { "id": Uuid::nil(), "name": "Ada" }, "lines": [],
            "total": { "amount": version, "currency": "EUR" }, "placedAt": "2026-11-24T10:00:00Z",
        }))
        .unwrap();
        order.into()
    }

    proptest! {
        #[test]
        fn any_order_and_repetition_of_the_same_events_ends_in_the_newest_document(
            versions in prop::collection::vec(1_i64..20, 1..40)
        ) {
            let mut stored: Option<OrderDocument> = None;
            for version in &versions {
                if let Some(next) = OrderDocument::over(document(*version), stored.as_ref()) {
                    stored = Some(next);
                }
            }
            prop_assert_eq!(stored, versions.iter().max().map(|newest| document(*newest)));
        }
    }

    #[test]
    fn an_order_survives_its_document() {
        let order = document(3).into_order();
        assert_eq!(OrderDocument::from(order.clone()).into_order(), order);
    }
}
