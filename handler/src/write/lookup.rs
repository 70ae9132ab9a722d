//! One aggregate as it is now, for readers who must see their own write before the read model has it.
//! Never used for a list, and never reads the cache: it is S1.

use std::sync::Arc;

use uuid::Uuid;

use super::{
    outcome::WriteError,
    snapshot::{ReadSet, Snapshot},
    writer::Writer,
};
use crate::{
    domain::{
        aggregate::AggregateId, customer::Customer, event::StockLevel, order::Order, product::Product,
        timestamp::Timestamp, value::Sku,
    },
    log::{COUNT_BACKLOG, OutboxBacklog},
};

/// Errors of all of them: [`WriteError::Unavailable`] or [`WriteError::Internal`].
#[expect(clippy::missing_errors_doc, reason = "said once, above")]
impl Writer {
    /// An order, and when it changed last.
    pub async fn order(&self, id: Uuid) -> Result<Option<(Order, Option<Timestamp>)>, WriteError> {
        let reads = ReadSet {
            orders: vec![id],
            changed: vec![AggregateId::Order(id)],
            ..ReadSet::default()
        };
        let mut read = self.read(&reads).await?;
        let changed_at = read.changed.remove(&AggregateId::Order(id));
        let order = read.orders.remove(&id).map(Arc::unwrap_or_clone);
        Ok(order.map(|order| (order, changed_at)))
    }

    /// A customer, and when they changed last.
    pub async fn customer(&self, id: Uuid) -> Result<Option<(Customer, Option<Timestamp>)>, WriteError> {
        let reads = ReadSet {
            customers: vec![id],
            changed: vec![AggregateId::Customer(id)],
            ..ReadSet::default()
        };
        let mut read = self.read(&reads).await?;
        let changed_at = read.changed.remove(&AggregateId::Customer(id));
        let customer = read.customers.remove(&id).map(Arc::unwrap_or_clone);
        Ok(customer.map(|customer| (customer, changed_at)))
    }

    /// A product with what is left of it.
    pub async fn product(&self, sku: &Sku) -> Result<Option<(Product, StockLevel)>, WriteError> {
        let reads = ReadSet {
            skus: vec![sku.as_str().to_owned()],
            ..ReadSet::default()
        };
        let stocked = self.read(&reads).await?.products.remove(sku);
        Ok(stocked.map(|stocked| {
            let level = StockLevel {
                sku: sku.clone(),
                available: stocked.available,
                seq: stocked.seq,
            };
            (Arc::unwrap_or_clone(stocked.product), level)
        }))
    }

    /// Number and age of the outbox rows that wait.
    pub async fn backlog(&self) -> Result<OutboxBacklog, WriteError> {
        let row = self.pool().acquire().await?.query_one(COUNT_BACKLOG, &[]).await?;
        Ok(OutboxBacklog::read(&row)?)
    }

    async fn read(&self, reads: &ReadSet) -> Result<Snapshot, WriteError> {
        Ok(self.pool().acquire().await?.read(reads).await?)
    }
}
