//! Brings one change into its documents: reads where it must, and writes under the ETag it knows.
//! Never overwrites what is newer, and never takes "nothing to do" from memory: that is only said by the store.

use std::{
    hash::{BuildHasher, BuildHasherDefault, DefaultHasher},
    sync::Arc,
};

use serde::de::DeserializeOwned;
use tokio::sync::Mutex;

use super::{
    change::Change,
    connection::{Connection, Container},
    document::{
        Document,
        customer::{CustomerDocument, OrderRowDocument},
        order::{EventDocument, OrderDocument},
        product::ProductDocument,
        sales::{Sale, TOTALS, TotalsDocument},
    },
    memory::{Memory, Waiter, Waiting},
    store::{Collection, Found, Store, StoreError, Stored, Write},
};
use crate::error_chain::cause;

/// How often a write is tried at once after somebody else was first.
const ATTEMPTS: usize = 5;
/// How many orders are remembered, with what goes with them: an order's next event mostly comes while it is still known.
const ORDERS: usize = 500;
/// How many products: they come again and again, and are small.
const PRODUCTS: usize = 2_000;
/// Into how many groups documents fall of which one at a time is written by this process.
const LANES: usize = 64;

/// What becomes of a document that shows the same version already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// It stays: the same version says the same.
    Keep,
    /// It is written again where it says something else: an operator has asked for it.
    Repair,
}

/// What is there with its ETag; `None` of what cannot be read, which counts as absent.
type Known<D> = Stored<Option<D>>;

/// Where a kind of document lives, and those of it that are remembered.
struct Shelf<S, D> {
    store: S,
    memory: Memory<D>,
}

/// One of whose documents many events move.
struct Shared<S, D> {
    shelf: Shelf<S, D>,
    waiting: Waiting<D>,
}

/// All documents.
pub struct Documents<S = Store> {
    orders: Shelf<S, OrderDocument>,
    customers: Shared<S, CustomerDocument>,
    rows: Shared<S, OrderRowDocument>,
    products: Shared<S, ProductDocument>,
    totals: Shelf<S, TotalsDocument>,
    /// Writers of one document take turns here instead of at the store, where all but one would fail.
    lanes: [Mutex<()>; LANES],
}

impl<S, D> Shelf<S, D> {
    fn new(store: S, remembered: usize) -> Self {
        Self {
            store,
            memory: Memory::new(remembered),
        }
    }
}

impl<S: Collection, D: DeserializeOwned + Send> Shelf<S, D> {
    /// What is remembered.
    fn take(&self, pk: &str, id: &str) -> Option<Known<D>> {
        let Stored { document, etag } = self.memory.take(pk, id)?;
        let document = Some(document);
        Some(Stored { document, etag })
    }

    /// What is there. Something that cannot be read is said, since it will be written over.
    async fn look(&self, pk: &str, id: &str) -> Result<Option<Known<D>>, StoreError> {
        let Some(Stored { document, etag }) = self.store.read::<Found<D>>(pk, id).await? else {
            return Ok(None);
        };
        let document = match document {
            Found::Document(document) => Some(document),
            Found::Unreadable { why, .. } => {
                tracing::error!(pk, id, %why, "document_unreadable");
                None
            }
        };
        Ok(Some(Stored { document, etag }))
    }
}

impl<S, D> Shared<S, D> {
    fn new(store: S, remembered: usize) -> Self {
        Self {
            shelf: Shelf::new(store, remembered),
            waiting: Waiting::default(),
        }
    }
}

impl Documents {
    /// The documents of this account.
    #[must_use]
    pub fn new(connection: &Arc<Connection>) -> Self {
        Self::of(|container| Store::new(connection, container))
    }
}

impl<S: Collection> Documents<S> {
    /// The documents of these containers.
    #[must_use]
    pub fn of(open: impl Fn(Container) -> S) -> Self {
        Self {
            orders: Shelf::new(open(Container::Orders), ORDERS),
            customers: Shared::new(open(Container::Customers), ORDERS),
            rows: Shared::new(open(Container::Customers), ORDERS),
            products: Shared::new(open(Container::Products), PRODUCTS),
            totals: Shelf::new(open(Container::Sales), ORDERS),
            lanes: std::array::from_fn(|_| Mutex::new(())),
        }
    }

    /// Makes the documents show at least this; true when something had to be written.
    ///
    /// # Errors
    /// See [`StoreError`]; nothing is half-written: it is one document, or one batch.
    pub async fn apply(&self, change: &Change, rule: Rule) -> Result<bool, StoreError> {
        match change {
            Change::Order(order, event) => {
                let _turn = self.lane(order.pk()).lock().await;
                merge(&self.orders, &**order, Some(event), rule).await
            }
            Change::Customer(customer) => self.together(&self.customers, customer, rule).await,
            Change::OrderRow(row) => self.together(&self.rows, row, rule).await,
            Change::Product(product) => self.together(&self.products, product, rule).await,
            Change::Sale(sale) => self.count(sale).await,
        }
    }

    /// Puts `incoming` over what is there, in one write with all others that wait to do the same: a document that every
    /// order moves is written as often as the store can, and not as often as there are orders.
    async fn together<D: Document>(
        &self,
        shared: &Shared<S, D>,
        incoming: &D,
        rule: Rule,
    ) -> Result<bool, StoreError> {
        let place = shared.waiting.join(incoming);
        let _turn = self.lane(incoming.pk()).lock().await;
        if place.is_written() {
            return Ok(true);
        }
        let waiters = place.all();
        let all = waiters
            .iter()
            .fold(incoming.clone(), |all, waiter| waiter.over(all));
        let written = match merge(&shared.shelf, &all, None, rule).await {
            // It may be somebody else's that the store refuses.
            Err(StoreError::Refused(_)) if waiters.len() > 1 => {
                return merge(&shared.shelf, incoming, None, rule).await;
            }
            written => written?,
        };
        waiters.into_iter().for_each(Waiter::written);
        Ok(written)
    }

    /// Counts a sale, unless its marker says that it was.
    async fn count(&self, sale: &Sale) -> Result<bool, StoreError> {
        let pk = sale.pk();
        let _turn = self.lane(&pk).lock().await;
        let mut known = self.totals.take(&pk, TOTALS);
        for _ in 0..ATTEMPTS {
            if known.is_none() {
                known = self.totals.look(&pk, TOTALS).await?;
            }
            let next = sale.added_to(known.as_ref().and_then(|stored| stored.document.as_ref()));
            let writes = vec![
                Write::create(&sale.marker())?,
                Write::put(&next, TOTALS.to_owned(), known.as_ref())?,
            ];
            match self.totals.store.batch(&pk, writes).await {
                Ok(etags) => {
                    let etag = etags.into_iter().nth(1).unwrap_or_default();
                    self.totals
                        .memory
                        .put(&pk, TOTALS, Stored { document: next, etag });
                    return Ok(true);
                }
                Err(failed) if matches!(failed.error, StoreError::Changed) && failed.at == Some(0) => {
                    return Ok(false);
                }
                Err(failed) if matches!(failed.error, StoreError::Changed) => known = None,
                Err(failed) => return Err(failed.error),
            }
        }
        Err(restless())
    }

    fn lane(&self, pk: &str) -> &Mutex<()> {
        let hash = BuildHasherDefault::<DefaultHasher>::default().hash_one(pk);
        // Below LANES, so it fits.
        &self.lanes[(hash % LANES as u64) as usize]
    }
}

/// Puts `incoming` over what is there, and `beside` beside it, in one batch. Whoever calls has the document's lane.
async fn merge<S: Collection, D: Document>(
    shelf: &Shelf<S, D>,
    incoming: &D,
    beside: Option<&EventDocument>,
    rule: Rule,
) -> Result<bool, StoreError> {
    let (pk, id) = (incoming.pk(), incoming.id());
    let mut known = shelf.take(pk, &id);
    // Nothing older than a first version can be there, so that one needs no look.
    let mut looked = false;
    for _ in 0..ATTEMPTS {
        if known.is_none() && (looked || !incoming.is_first()) {
            known = shelf.look(pk, &id).await?;
            looked = true;
        }
        let shown = known.as_ref().and_then(|stored| stored.document.as_ref());
        let next = match (shown, rule) {
            (None, _) => Some(incoming.clone()),
            (Some(existing), Rule::Keep) => incoming.over(existing),
            (Some(existing), Rule::Repair) => incoming.repairing(existing),
        };
        let Some(next) = next else {
            if !looked {
                (known, looked) = (None, true);
                continue;
            }
            if let Some(Stored {
                document: Some(document),
                etag,
            }) = known
            {
                shelf.memory.put(pk, &id, Stored { document, etag });
            }
            return match beside {
                None => Ok(false),
                Some(event) => shelf.store.upsert(pk, event.id(), event).await.map(|()| true),
            };
        };
        match write(&shelf.store, (pk, &id), &next, known.as_ref(), beside).await {
            Ok(etag) => {
                shelf.memory.put(pk, &id, Stored { document: next, etag });
                return Ok(true);
            }
            Err(StoreError::Changed) => (known, looked) = (None, true),
            Err(error) => return Err(error),
        }
    }
    Err(restless())
}

/// One document in the place of what was read, alone or with an event beside it; its new ETag.
async fn write<D: Document>(
    store: &impl Collection,
    (pk, id): (&str, &str),
    document: &D,
    read: Option<&Known<D>>,
    beside: Option<&EventDocument>,
) -> Result<String, StoreError> {
    match (beside, read) {
        (Some(event), read) => {
            let writes = vec![Write::put(document, id.to_owned(), read)?, Write::upsert(event)?];
            let written = store.batch(pk, writes).await;
            written
                .map(|etags| etags.into_iter().next().unwrap_or_default())
                .map_err(|failed| failed.error)
        }
        (None, None) => store.create(pk, id, document).await,
        (None, Some(read)) => store.replace((pk, id), document, &read.etag).await,
    }
}

/// A replica that lags would show the old ETag again and again: then only time helps.
fn restless() -> StoreError {
    StoreError::Busy {
        source: cause("the document keeps changing"),
        retry_after: None,
    }
}
