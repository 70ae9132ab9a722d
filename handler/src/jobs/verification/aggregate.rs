//! The documents of orders, customers and products, one aggregate after the other.
//! Never takes a document for wrong because it is newer than what was read of the log: then more of that is read.

use std::{collections::BTreeMap, time::Duration};

use futures_util::{StreamExt, TryStreamExt, stream};
use serde::de::DeserializeOwned;
use time::OffsetDateTime;
use uuid::Uuid;

use super::{
    fold::{DocumentFold, history},
    pages::Events,
    report::{DueEvents, LateStock, PartialReport, is_chosen},
};
use crate::{
    domain::{aggregate::AggregateId, timestamp::Timestamp, value::Sku},
    jobs::{
        engine::{JobError, patiently},
        read_model::ReadModelAdmin,
    },
    log::LogStore,
    read::{
        connection::CosmosContainer,
        document::{
            Document, Generation,
            customer::{CUSTOMER, CustomerDocument, OrderRowDocument},
            order::{EVENT, EventDocument, ORDER, OrderDocument},
            product::{PRODUCT, ProductDocument},
        },
        store::{Collection, DocumentSearch, FoundDocument},
    },
};

/// Aggregates that are looked up at a time, and those that are compared at the same time.
const STEP: i64 = 40;
const TOGETHER: usize = 8;
/// Longest wait for what happened to one order.
const PATIENCE: Duration = Duration::from_secs(30);

/// The aggregates of a generation.
pub(super) struct Aggregates<'a, L, S> {
    admin: &'a ReadModelAdmin<L, S>,
    of: Generation,
    due: DueEvents,
    orders: &'a S,
    customers: &'a S,
    products: &'a S,
}

impl<'a, L: LogStore, S: Collection> Aggregates<'a, L, S> {
    pub(super) fn new(admin: &'a ReadModelAdmin<L, S>, of: Generation, due: DueEvents) -> Self {
        Self {
            admin,
            of,
            due,
            orders: admin.container(CosmosContainer::Orders),
            customers: admin.container(CosmosContainer::Customers),
            products: admin.container(CosmosContainer::Products),
        }
    }

    /// Compares the next ones after this one, so many percent of them; the last one's id, or `None` when there are no more.
    pub(super) async fn next(
        &self,
        after: &str,
        until: i64,
        percent: u32,
    ) -> Result<Option<(String, Vec<PartialReport>)>, JobError> {
        let log = &self.admin.log;
        let streams = patiently(|| async { Ok(log.streams(after, until, STEP).await?) }).await?;
        let Some(last) = streams.last() else {
            return Ok(None);
        };
        let last = last.clone();
        let chosen = streams.into_iter().filter(|stream| is_chosen(stream, percent));
        let compared = stream::iter(chosen)
            .map(|stream| async move { patiently(|| self.named(&stream)).await })
            .buffer_unordered(TOGETHER)
            .try_collect();
        Ok(Some((last, compared.await?)))
    }

    /// One aggregate; where its log cannot be read, that is what differs, and the others go on.
    pub(super) async fn named(&self, stream: &str) -> Result<PartialReport, JobError> {
        match self.one(stream).await {
            Err(why @ JobError::Refused(_)) => {
                let mut compared = PartialReport::default();
                compared.broken(stream, &why);
                Ok(compared)
            }
            compared => compared,
        }
    }

    async fn one(&self, stream: &str) -> Result<PartialReport, JobError> {
        let events = Events::open(&*self.admin.log, stream).await?;
        let broken = |why: String| JobError::refused(format!("the log of {stream}: {why}"));
        let first = events.first();
        let first = first.ok_or_else(|| broken("it has no events".to_owned()))?;
        match AggregateId::of_event(&first.event).map_err(|why| broken(why.to_string()))? {
            AggregateId::Order(id) => self.order(&events, stream, id).await,
            AggregateId::Customer(_) => self.customer(&events, stream).await,
            AggregateId::Product(sku) => self.product(&events, stream, &sku).await,
        }
    }

    async fn order(&self, events: &Events<'_, L>, stream: &str, id: Uuid) -> Result<PartialReport, JobError> {
        let pk = self.of.partition(stream);
        let found: Option<FoundDocument<OrderDocument>> = read(self.orders, &pk, ORDER).await?;
        let shown = readable(&found).map_or(0, OrderDocument::version);
        let mut compared = PartialReport::default();
        self.history(events, id, (&pk, shown), &mut compared).await?;
        let reached = self.fold(events, stream, shown).await?;
        compared.document((&pk, ORDER), reached.fold.order(), found, reached.is_behind);
        // The first event says whose it is.
        let mut first = DocumentFold::new(self.of, stream);
        if let Some(row) = events.first() {
            first.then(row)?;
        }
        let customer = first.customer_of_order().unwrap_or_default();
        let pk = self.of.partition(&customer.to_string());
        let found: Option<FoundDocument<OrderRowDocument>> = read(self.customers, &pk, stream).await?;
        let shown = readable(&found).map_or(0, OrderRowDocument::version);
        let reached = self.fold(events, stream, shown).await?;
        compared.document((&pk, stream), reached.fold.row(), found, reached.is_behind);
        Ok(compared)
    }

    /// An order's events, each of which stands there for itself.
    async fn history(
        &self,
        events: &Events<'_, L>,
        order: Uuid,
        (pk, shown): (&str, i64),
        compared: &mut PartialReport,
    ) -> Result<(), JobError> {
        let search = DocumentSearch::OfPartition { pk, kind: EVENT };
        let found: Vec<FoundDocument<EventDocument>> = self.orders.find(search, PATIENCE).await?;
        let readable = found.iter().filter_map(FoundDocument::readable);
        let highest = readable.map(EventDocument::version).max().unwrap_or(0);
        let by_id = found.into_iter().map(|event| (id_of(&event), event));
        let mut found: BTreeMap<String, FoundDocument<EventDocument>> = by_id.collect();
        let mut walk = events.walk();
        while let Some(row) = walk.peek(highest.max(shown)).await? {
            let expected = history(self.of, order, row);
            let there = found.remove(expected.id());
            // Each comes by its own message, and an earlier one may come later.
            if there.is_none() && !self.due.includes(row) {
                compared.behind += i64::from(row.event.version <= shown);
            } else {
                let id = expected.id().to_owned();
                compared.document((pk, &id), Some(expected), there, false);
            }
            walk.step();
        }
        for (id, stray) in found {
            compared.document((pk, &id), None, Some(stray), false);
        }
        Ok(())
    }

    async fn customer(&self, events: &Events<'_, L>, stream: &str) -> Result<PartialReport, JobError> {
        let pk = self.of.partition(stream);
        let found: Option<FoundDocument<CustomerDocument>> = read(self.customers, &pk, CUSTOMER).await?;
        let shown = readable(&found).map_or(0, CustomerDocument::version);
        let reached = self.fold(events, stream, shown).await?;
        let mut compared = PartialReport::default();
        compared.document((&pk, CUSTOMER), reached.fold.customer(), found, reached.is_behind);
        Ok(compared)
    }

    /// Compares a product's own fields at once. Its stock level moves with every order, and no event says when it must be
    /// there: one that is behind is looked at again at the end.
    async fn product(
        &self,
        events: &Events<'_, L>,
        stream: &str,
        sku: &Sku,
    ) -> Result<PartialReport, JobError> {
        let pk = self.of.partition(stream);
        let found: Option<FoundDocument<ProductDocument>> = read(self.products, &pk, PRODUCT).await?;
        // One that has never moved is in no event.
        let level = self.admin.log.stock(sku).await?.filter(|level| level.seq > 0);
        let shown = readable(&found).map_or(0, ProductDocument::version);
        let reached = self.fold(events, stream, shown).await?;
        let mut expected = match reached.fold.product() {
            Some(product) => Some(product.with(level.as_ref())),
            // Not told of yet; an order may have moved its stock already.
            None if found.is_some() => Some(ProductDocument::new(self.of, sku, None, level.as_ref())),
            None => None,
        };
        let mut compared = PartialReport::default();
        if let (Some(level), Some(there)) = (&level, readable(&found))
            && there.seq() < level.seq
        {
            compared.late.push(LateStock {
                sku: sku.clone(),
                seq: level.seq,
                since: Timestamp::try_from(OffsetDateTime::now_utc()).unwrap_or(Timestamp::UNIX_EPOCH),
            });
            expected = expected.map(|expected| expected.with_stock_of(there));
        }
        compared.document((&pk, PRODUCT), expected, found, reached.is_behind);
        Ok(compared)
    }

    /// Folds the events up to a version, and those after it that must be shown as well.
    async fn fold<'s>(
        &self,
        events: &Events<'_, L>,
        stream: &'s str,
        shown: i64,
    ) -> Result<FoldedStream<'s>, JobError> {
        let mut fold = DocumentFold::new(self.of, stream);
        let mut walk = events.walk();
        while let Some(row) = walk.peek(shown).await? {
            if row.event.version > shown && !self.due.includes(row) {
                return Ok(FoldedStream {
                    fold,
                    is_behind: true,
                });
            }
            fold.then(row)?;
            walk.step();
        }
        Ok(FoldedStream {
            fold,
            is_behind: false,
        })
    }
}

/// Looks again at stock levels that were behind; those that are still.
///
/// # Errors
/// When the store cannot be read.
pub(super) async fn still_late<L>(
    admin: &ReadModelAdmin<L, impl Collection>,
    of: Generation,
    late: &[LateStock],
) -> Result<Vec<LateStock>, JobError> {
    let products = admin.container(CosmosContainer::Products);
    let looks = stream::iter(late.to_vec()).map(|one| async move {
        let pk = of.partition(one.sku.as_str());
        let found: Option<FoundDocument<ProductDocument>> =
            patiently(|| read(products, &pk, PRODUCT)).await?;
        let is_late = readable(&found).is_none_or(|found| found.seq() < one.seq);
        Ok::<_, JobError>(is_late.then_some(one))
    });
    let looked: Vec<_> = looks.buffer_unordered(TOGETHER).try_collect().await?;
    Ok(looked.into_iter().flatten().collect())
}

/// The events of an aggregate, folded as far as they must be shown.
struct FoldedStream<'a> {
    fold: DocumentFold<'a>,
    /// There are more, which may be under way still.
    is_behind: bool,
}

async fn read<D: DeserializeOwned + Send>(
    store: &impl Collection,
    pk: &str,
    id: &str,
) -> Result<Option<D>, JobError> {
    Ok(store.read::<D>(pk, id).await?.map(|found| found.document))
}

fn readable<D>(found: &Option<FoundDocument<D>>) -> Option<&D> {
    found.as_ref().and_then(FoundDocument::readable)
}

fn id_of(event: &FoundDocument<EventDocument>) -> String {
    match event {
        FoundDocument::Document(event) => event.id().to_owned(),
        FoundDocument::Unreadable { json, .. } => json["id"].as_str().unwrap_or_default().to_owned(),
    }
}
