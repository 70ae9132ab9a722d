//! The read model of this deployment: documents in Cosmos DB, or tables beside the write model.
//! Never shows a difference between the two: the same questions have the same answers.

use std::sync::Arc;

use time::Date;
use uuid::Uuid;

use super::{
    cosmos::CosmosReadModel,
    position::ReadPosition,
    store::StoreError,
    tables::TableReadModel,
    view::{DaySales, HistoryEvent, OrderRow, Page, PageRequest, ProductView, Versioned},
};
use crate::domain::{customer::Customer, order::Order, order::OrderStatus, value::Sku};

/// The read model of this deployment.
pub enum ReadModel {
    /// Documents, a moment behind the write model.
    Cosmos(CosmosReadModel),
    /// Tables and views, as of the last commit.
    Tables(Arc<TableReadModel>),
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
    pub async fn order(&self, id: Uuid) -> Result<Option<Versioned<Order>>, StoreError> {
        ask!(self, order(id))
    }

    /// An order's events, oldest first; the key is the version.
    pub async fn history(
        &self,
        id: Uuid,
        request: &PageRequest<i64>,
    ) -> Result<Page<HistoryEvent>, StoreError> {
        ask!(self, history(id, request))
    }

    /// A customer.
    pub async fn customer(&self, id: Uuid) -> Result<Option<Versioned<Customer>>, StoreError> {
        ask!(self, customer(id))
    }

    /// A customer's orders, newest id first.
    pub async fn customer_orders(
        &self,
        customer: Uuid,
        status: Option<OrderStatus>,
        request: &PageRequest<Uuid>,
    ) -> Result<Page<OrderRow>, StoreError> {
        ask!(self, customer_orders(customer, status, request))
    }

    /// Everybody's orders, newest id first.
    pub async fn orders(
        &self,
        status: Option<OrderStatus>,
        request: &PageRequest<Uuid>,
    ) -> Result<Page<OrderRow>, StoreError> {
        ask!(self, orders(status, request))
    }

    /// A product with what is left of it.
    pub async fn product(&self, sku: &Sku) -> Result<Option<Versioned<ProductView>>, StoreError> {
        ask!(self, product(sku))
    }

    /// The catalogue, by SKU.
    pub async fn products(&self, request: &PageRequest<Sku>) -> Result<Page<ProductView>, StoreError> {
        ask!(self, products(request))
    }

    /// Sales by day and currency, both days included; days without sales are left out.
    pub async fn sales(&self, from: Date, to: Date) -> Result<Vec<DaySales>, StoreError> {
        ask!(self, sales(from, to))
    }

    /// True when an event has arrived there.
    pub async fn has(&self, position: &ReadPosition) -> Result<bool, StoreError> {
        match self {
            Self::Cosmos(cosmos) => cosmos.has(position).await,
            // Everything is committed with the event itself.
            Self::Tables(_) => Ok(true),
        }
    }
}
