//! One aggregate as it is now, for a reader who must see his own write and whom the read model cannot serve yet.
//! Never used for a list, and never takes what is remembered: it is S1.

use std::sync::Arc;

use time::OffsetDateTime;
use uuid::Uuid;

use super::{
    snapshot::{Reads, Snapshot},
    writer::{Error, Writer},
};
use crate::{
    domain::{customer::Customer, event::StockLevel, order::Order, product::Product, value::Sku},
    log::{COUNT_BACKLOG, OutboxBacklog},
};

/// Errors of all of them: [`Error::Unavailable`] or [`Error::Internal`].
#[expect(clippy::missing_errors_doc, reason = "said once, above")]
impl Writer {
    /// An order, and when it changed last (UTC).
    pub async fn order(&self, id: Uuid) -> Result<Option<(Order, Option<OffsetDateTime>)>, Error> {
        let reads = Reads {
            orders: vec![id],
            changed: vec![id.to_string()],
            ..Reads::default()
        };
        let mut seen = self.look(&reads).await?;
        let changed_at = seen.changed.remove(&id.to_string());
        Ok(seen.orders.remove(&id).map(|order| (order, changed_at)))
    }

    /// A customer, and when he or she changed last (UTC).
    pub async fn customer(&self, id: Uuid) -> Result<Option<(Customer, Option<OffsetDateTime>)>, Error> {
        let reads = Reads {
            customers: vec![id],
            changed: vec![id.to_string()],
            ..Reads::default()
        };
        let mut seen = self.look(&reads).await?;
        let changed_at = seen.changed.remove(&id.to_string());
        let customer = seen.customers.remove(&id).map(Arc::unwrap_or_clone);
        Ok(customer.map(|customer| (customer, changed_at)))
    }

    /// A product with what is left of it.
    pub async fn product(&self, sku: &Sku) -> Result<Option<(Product, StockLevel)>, Error> {
        let reads = Reads {
            skus: vec![sku.as_str().to_owned()],
            ..Reads::default()
        };
        let stocked = self.look(&reads).await?.products.remove(sku);
        Ok(stocked.map(|stocked| {
            let level = StockLevel {
                sku: sku.clone(),
                available: stocked.available,
                seq: stocked.seq,
            };
            (Arc::unwrap_or_clone(stocked.product), level)
        }))
    }

    /// How far the bus is behind.
    pub async fn backlog(&self) -> Result<OutboxBacklog, Error> {
        let row = self.pool().acquire().await?.query_one(COUNT_BACKLOG, &[]).await?;
        Ok(OutboxBacklog::read(&row)?)
    }

    async fn look(&self, reads: &Reads) -> Result<Snapshot, Error> {
        Ok(self.pool().acquire().await?.read(reads).await?)
    }
}
