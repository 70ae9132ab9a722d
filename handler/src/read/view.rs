//! Answers of queries, the same for both read models.
//! Never tells the two apart: the documents and PostgreSQL's `read_model` show the same things.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use time::Date;
use uuid::Uuid;

use crate::domain::{
    order::{CustomerRef, Order, OrderStatus},
    product::Product,
    timestamp::{self, Timestamp},
    value::{Currency, Money},
};

/// A value that was read, with its entity tag (RFC 9110, section 8.8.3, without quotes).
#[derive(Debug, Clone, PartialEq)]
pub struct Versioned<T> {
    /// The value.
    pub value: T,
    /// Equal tags mean equal values: the version, for a product `<version>-<seq>`.
    pub etag: String,
    /// Time of the last change (UTC), where the store knows it.
    pub changed_at: Option<Timestamp>,
}

/// The part of a list that is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageRequest<K> {
    /// Most items, 1 to 200.
    pub limit: usize,
    /// Only what comes after this key, in the list's order.
    pub after: Option<K>,
}

/// Part of a list.
#[derive(Debug, Clone, PartialEq)]
pub struct Page<T> {
    /// In the list's order.
    pub items: Vec<T>,
    /// True when more come after the last.
    pub more: bool,
}

/// An order in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OrderRow {
    /// Identity, UUIDv7: newer orders sort later.
    pub id: Uuid,
    /// One more with each change.
    pub version: i64,
    /// Status of the order.
    pub status: OrderStatus,
    /// The customer, with the name as it was then.
    #[serde(deserialize_with = "crate::json::strict")]
    pub customer: CustomerRef,
    /// Sum of the lines.
    #[serde(deserialize_with = "crate::json::strict")]
    pub total: Money,
    /// Time of placing (UTC).
    pub placed_at: Timestamp,
}

/// An event of an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HistoryEvent {
    /// The order's version after it.
    pub version: i64,
    /// The event's name with its major version.
    pub r#type: String,
    /// Time of the event (UTC).
    pub at: Timestamp,
    /// The event's own data.
    #[serde(deserialize_with = "timestamp::normalised_json")]
    #[schemars(with = "Value")]
    pub data: Value,
}

/// A product of the catalogue with what is left of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ProductView {
    /// The product; `version` counts its own events.
    #[serde(flatten)]
    pub product: Product,
    /// Pieces left.
    pub available: i64,
    /// Moves of the stock so far: equal `seq` means equal `available`.
    #[serde(skip)]
    pub seq: i64,
}

/// Sales of one UTC day in one currency. Cancelling a paid order counts on the day of the cancellation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DaySales {
    /// The UTC day.
    pub day: Date,
    /// The currency of both amounts.
    pub currency: Currency,
    /// Orders that were paid.
    pub paid_orders: i64,
    /// Sum of the payments, in minor units.
    pub paid: i128,
    /// Paid orders that were cancelled.
    pub cancelled_orders: i64,
    /// Sum of the payments for those, in minor units.
    pub cancelled: i128,
}

impl From<Order> for OrderRow {
    fn from(order: Order) -> Self {
        Self {
            id: order.id,
            version: order.version,
            status: order.progress.status(),
            customer: order.customer,
            total: order.total,
            placed_at: order.placed_at,
        }
    }
}

impl<K> PageRequest<K> {
    /// Cuts a list that was read one item further than asked for.
    #[must_use]
    pub fn page<T>(&self, mut items: Vec<T>) -> Page<T> {
        let more = items.len() > self.limit;
        items.truncate(self.limit);
        Page { items, more }
    }
}

/// A day as `2026-11-25` (RFC 3339, full-date).
pub mod day {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};
    use time::{Date, format_description::well_known::Iso8601};

    use crate::domain::timestamp::{FIRST_YEAR, LAST_YEAR};

    /// Reads exactly this form of a day that a time can have; `None` for any other.
    #[must_use]
    pub fn parse(text: &str) -> Option<Date> {
        Date::parse(text, &Iso8601::DATE)
            .ok()
            .filter(|day| day.to_string() == text && (FIRST_YEAR..=LAST_YEAR).contains(&day.year()))
    }

    /// Writes it.
    ///
    /// # Errors
    /// Those of the serializer.
    pub fn serialize<S: Serializer>(day: &Date, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(day)
    }

    /// Reads it.
    ///
    /// # Errors
    /// The text has another form.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Date, D::Error> {
        let text = String::deserialize(deserializer)?;
        parse(&text).ok_or_else(|| D::Error::custom("a day is YYYY-MM-DD"))
    }
}
