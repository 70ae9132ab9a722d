//! Places of the read model in which a reader waits for an event.
//! Never says how a store finds the event there.

use time::Date;
use uuid::Uuid;

use crate::domain::value::Sku;

/// A place in the read model, and the event that a reader must find there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReadPosition {
    /// The order itself.
    Order {
        /// The order.
        id: Uuid,
        /// Its version after the event.
        version: i64,
    },
    /// The order's history.
    Event {
        /// The order.
        order: Uuid,
        /// Its version after the event.
        version: i64,
    },
    /// The order in the list of this customer.
    OrderOf {
        /// The list's customer.
        customer: Uuid,
        /// The order.
        id: Uuid,
        /// Its version after the event.
        version: i64,
    },
    /// The customer.
    Customer {
        /// The customer.
        id: Uuid,
        /// The version after the event.
        version: i64,
    },
    /// The product.
    Product {
        /// The product.
        sku: Sku,
        /// Its version after the event.
        version: i64,
    },
    /// The sales of a day.
    Sale {
        /// The UTC day.
        day: Date,
        /// The order that was paid or cancelled.
        order: Uuid,
        /// The event.
        event: Uuid,
    },
}
