//! Brings one change into its documents, and lets writers of one document take turns.
//! Never writes a document twice for changes that wait for it together, and never counts a sale twice.

use std::{
    hash::{BuildHasher, BuildHasherDefault, DefaultHasher},
    sync::Arc,
};

use tokio::sync::Mutex;

pub use super::cached_store::{SameVersionRule, WriteOutcome};
use super::{
    cached_store::{ATTEMPTS, CachedStore, still_changing},
    change::DocumentChange,
    combining::{QueuedWrite, WriteQueue},
    connection::{CosmosConnection, CosmosContainer},
    document::{
        Document,
        customer::{CustomerDocument, OrderRowDocument},
        order::OrderDocument,
        product::ProductDocument,
        sales::{Sale, TOTALS, TotalsDocument},
    },
    store::{BatchWrite, Collection, DocumentStore, StoreError},
};

/// Remembered orders, and what goes with them: an order's next event mostly comes while it is still known.
const ORDERS: usize = 500;
/// Remembered products: they come again and again, and are small.
const PRODUCTS: usize = 2_000;
/// Groups of documents; this process writes one document of a group at a time.
const LANES: usize = 64;

/// A container whose documents many events move: writes of one document that wait are combined.
struct CombiningStore<S, D> {
    cached: CachedStore<S, D>,
    queue: WriteQueue<D>,
}

/// Writes all documents of the read model.
pub struct DocumentWriter<S = DocumentStore> {
    orders: CachedStore<S, OrderDocument>,
    customers: CombiningStore<S, CustomerDocument>,
    rows: CombiningStore<S, OrderRowDocument>,
    products: CombiningStore<S, ProductDocument>,
    totals: CachedStore<S, TotalsDocument>,
    /// Writers of one document take turns here and not at the store, where all but one would fail.
    lanes: [Mutex<()>; LANES],
}

impl<S, D> CombiningStore<S, D> {
    fn new(store: S, remembered: usize) -> Self {
        Self {
            cached: CachedStore::new(store, remembered),
            queue: WriteQueue::default(),
        }
    }
}

impl DocumentWriter {
    /// Writes the documents of this account.
    #[must_use]
    pub fn new(connection: &Arc<CosmosConnection>) -> Self {
        Self::with_stores(|container| DocumentStore::new(connection, container))
    }
}

impl<S: Collection> DocumentWriter<S> {
    /// Writes into these containers.
    #[must_use]
    pub fn with_stores(open: impl Fn(CosmosContainer) -> S) -> Self {
        Self {
            orders: CachedStore::new(open(CosmosContainer::Orders), ORDERS),
            customers: CombiningStore::new(open(CosmosContainer::Customers), ORDERS),
            rows: CombiningStore::new(open(CosmosContainer::Customers), ORDERS),
            products: CombiningStore::new(open(CosmosContainer::Products), PRODUCTS),
            totals: CachedStore::new(open(CosmosContainer::Sales), ORDERS),
            lanes: std::array::from_fn(|_| Mutex::new(())),
        }
    }

    /// Makes the documents show at least this change.
    ///
    /// # Errors
    /// See [`StoreError`]; nothing is half-written: it is one document, or one batch.
    pub async fn apply(
        &self,
        change: &DocumentChange,
        rule: SameVersionRule,
    ) -> Result<WriteOutcome, StoreError> {
        match change {
            DocumentChange::Order(order, event) => {
                let _turn = self.lane(order.pk()).lock().await;
                self.orders.put_over(order, Some(event), rule).await
            }
            DocumentChange::Customer(customer) => self.combine(&self.customers, customer, rule).await,
            DocumentChange::OrderRow(row) => self.combine(&self.rows, row, rule).await,
            DocumentChange::Product(product) => self.combine(&self.products, product, rule).await,
            DocumentChange::Sale(sale) => self.count(sale).await,
        }
    }

    /// Puts `incoming` over what is there, in one write with all others that wait to do the same: a document that every
    /// order moves is written as often as the store can, and not as often as there are orders.
    async fn combine<D: Document>(
        &self,
        store: &CombiningStore<S, D>,
        incoming: &D,
        rule: SameVersionRule,
    ) -> Result<WriteOutcome, StoreError> {
        let ticket = store.queue.join(incoming);
        let _turn = self.lane(incoming.pk()).lock().await;
        if ticket.is_written() {
            return Ok(WriteOutcome::Written);
        }
        let writes = ticket.take_all();
        let combined = writes
            .iter()
            .fold(incoming.clone(), |document, write| write.apply_to(document));
        let outcome = match store.cached.put_over(&combined, None, rule).await {
            // It may be another caller's document that the store refuses.
            Err(StoreError::Refused(_)) if writes.len() > 1 => {
                return store.cached.put_over(incoming, None, rule).await;
            }
            outcome => outcome?,
        };
        writes.into_iter().for_each(QueuedWrite::mark_written);
        Ok(outcome)
    }

    /// Counts a sale, unless its marker says that it was counted.
    async fn count(&self, sale: &Sale) -> Result<WriteOutcome, StoreError> {
        let pk = sale.pk();
        let _turn = self.lane(&pk).lock().await;
        let mut known = self.totals.take(&pk, TOTALS);
        for _ in 0..ATTEMPTS {
            if known.is_none() {
                known = self.totals.read(&pk, TOTALS).await?;
            }
            let next = sale.added_to(known.as_ref().and_then(|stored| stored.document.as_ref()));
            let writes = vec![
                BatchWrite::create(&sale.marker())?,
                BatchWrite::put(&next, TOTALS.to_owned(), known.as_ref())?,
            ];
            match self.totals.store.batch(&pk, writes).await {
                Ok(etags) => {
                    let etag = etags.into_iter().nth(1).unwrap_or_default();
                    self.totals.remember(&pk, TOTALS, next, etag);
                    return Ok(WriteOutcome::Written);
                }
                Err(failed) if matches!(failed.error, StoreError::Changed) && failed.at == Some(0) => {
                    return Ok(WriteOutcome::AlreadyThere);
                }
                Err(failed) if matches!(failed.error, StoreError::Changed) => known = None,
                Err(failed) => return Err(failed.error),
            }
        }
        Err(still_changing())
    }

    fn lane(&self, pk: &str) -> &Mutex<()> {
        let hash = BuildHasherDefault::<DefaultHasher>::default().hash_one(pk);
        // Below LANES, so it fits.
        &self.lanes[(hash % LANES as u64) as usize]
    }
}
