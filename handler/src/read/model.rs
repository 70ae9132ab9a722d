//! The read model, wherever this deployment keeps it: documents in Cosmos DB, or tables beside the write model.
//! Never shows a difference between the two: the same questions have the same answers.

use std::sync::Arc;

use time::Date;
use uuid::Uuid;

use super::{
    cosmos::Cosmos,
    store::StoreError,
    tables::Tables,
    view::{DaySales, HistoryEvent, OrderRow, Page, ProductView, Seen, Slice},
};
use crate::domain::{customer::Customer, order::Order, order::Status, value::Sku};

/// Where the read model is.
pub enum ReadModel {
    /// Documents, a moment behind the write model.
    Cosmos(Cosmos),
    /// Tables and views, as far as the last commit.
    Tables(Arc<Tables>),
}

/// A place where an event must have arrived for a reader to see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mark {
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
        /// Whose list.
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

/// Asks whichever there is.
macro_rules! ask {
    ($model:expr, $($question:tt)+) => {
        match $model {
            Self::Cosmos(cosmos) => cosmos.$($question)+.await,
            Self::Tables(tables) => tables.$($question)+.await,
        }
    };
}

/// Errors of all of them: [`StoreError::Away`], [`StoreError::Busy`] or [`StoreError::Refused`].
#[expect(clippy::missing_errors_doc, reason = "said once, above")]
impl ReadModel {
    /// True when each command keeps it up to date itself.
    #[must_use]
    pub fn is_kept_by_commands(&self) -> bool {
        matches!(self, Self::Tables(_))
    }

    /// An order.
    pub async fn order(&self, id: Uuid) -> Result<Option<Seen<Order>>, StoreError> {
        ask!(self, order(id))
    }

    /// What happened to an order, oldest first; the key is the version.
    pub async fn history(&self, id: Uuid, slice: &Slice<i64>) -> Result<Page<HistoryEvent>, StoreError> {
        ask!(self, history(id, slice))
    }

    /// A customer.
    pub async fn customer(&self, id: Uuid) -> Result<Option<Seen<Customer>>, StoreError> {
        ask!(self, customer(id))
    }

    /// A customer's orders, newest id first.
    pub async fn customer_orders(
        &self,
        customer: Uuid,
        status: Option<Status>,
        slice: &Slice<Uuid>,
    ) -> Result<Page<OrderRow>, StoreError> {
        ask!(self, customer_orders(customer, status, slice))
    }

    /// Everybody's orders, newest id first.
    pub async fn orders(
        &self,
        status: Option<Status>,
        slice: &Slice<Uuid>,
    ) -> Result<Page<OrderRow>, StoreError> {
        ask!(self, orders(status, slice))
    }

    /// A product with what is left of it.
    pub async fn product(&self, sku: &Sku) -> Result<Option<Seen<ProductView>>, StoreError> {
        ask!(self, product(sku))
    }

    /// The catalogue, by SKU.
    pub async fn products(&self, slice: &Slice<Sku>) -> Result<Page<ProductView>, StoreError> {
        ask!(self, products(slice))
    }

    /// What was sold, both days included, by day and currency; days without sales are left out.
    pub async fn sales(&self, from: Date, to: Date) -> Result<Vec<DaySales>, StoreError> {
        ask!(self, sales(from, to))
    }

    /// True when an event has arrived there.
    pub async fn has(&self, mark: &Mark) -> Result<bool, StoreError> {
        match self {
            Self::Cosmos(cosmos) => cosmos.has(mark).await,
            // Everything is committed with the event itself.
            Self::Tables(_) => Ok(true),
        }
    }
}
