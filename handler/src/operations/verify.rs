//! Holds the documents of a generation against the log: each one must be what the events say, folded anew by the rules of
//! the domain. Projections store the state that came with an event; the fold makes it out of what happened. That they agree
//! is the proof. Never changes anything.
//!
//! While the shop goes on a document may be a moment behind: it is looked at again for some seconds, and only what is still
//! different then is told.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use futures_util::{StreamExt, TryStreamExt, stream};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use super::{
    Failed, Tell,
    expected::{Aggregate, Expected, expected},
    incoming, patiently,
};
use crate::{
    read::{
        Connection,
        connection::Container,
        document::{
            Document, Generation,
            order::EventDocument,
            sales::{Sale, TOTALS, TotalsDocument},
        },
        incoming::State,
        store::Store,
    },
    write::log::Log,
};

/// Aggregates that are looked up at a time, and those that are compared at the same time.
const STEP: i64 = 40;
const TOGETHER: usize = 8;
/// Positions of the log that one statement goes through.
const WINDOW: i64 = 2_000;
/// How often a document that differs is looked at again, and after how long.
const LOOKS: usize = 15;
/// With so many differences found there is more wrong than a moment's delay: every other document is looked at once.
const IMPATIENT: i64 = 10;
const BETWEEN: Duration = Duration::from_millis(200);
/// How often all sales are summed up again when some differ.
const SUMS: usize = 3;
/// Most differences that are told one by one.
const TOLD: usize = 100;
/// Longest wait for what happened to one order.
const PATIENCE: Duration = Duration::from_secs(30);

/// A document that is not what the log says.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Difference {
    /// Its partition key.
    pub pk: String,
    /// Its id.
    pub id: String,
    /// What it must be; null when it must not be there.
    pub expected: Value,
    /// What it is; null when it is not there.
    pub found: Value,
}

/// What a comparison came to.
#[derive(Debug, Default, Serialize)]
pub struct Report {
    /// The generation that was compared.
    pub generation: Option<Generation>,
    /// Orders, customers and products.
    pub aggregates: i64,
    /// Documents that were held against the log.
    pub documents: i64,
    /// Documents that kept moving and so could not be pinned down: hot products, and today's sales.
    pub moving: i64,
    /// Documents that differ.
    pub different: i64,
    /// The first hundred of them.
    pub differences: Vec<Difference>,
}

/// The documents of a generation.
pub struct Verify<'a> {
    log: &'a Log,
    of: Generation,
    orders: Store,
    customers: Store,
    products: Store,
    sales: Store,
}

/// What the comparison of a few documents came to.
struct Compared {
    documents: usize,
    moving: usize,
    different: Vec<Difference>,
}

impl Report {
    fn add(&mut self, compared: Compared) {
        let count = |documents| i64::try_from(documents).unwrap_or(i64::MAX);
        self.documents += count(compared.documents);
        self.moving += count(compared.moving);
        self.different += count(compared.different.len());
        let room = TOLD.saturating_sub(self.differences.len());
        self.differences.extend(compared.different.into_iter().take(room));
    }
}

/// What was found where, to be held against the next look.
fn places(differences: Vec<Difference>) -> BTreeMap<(String, String), Value> {
    let place = |it: Difference| ((it.pk, it.id), it.found);
    differences.into_iter().map(place).collect()
}

/// How many of the documents have changed since the look before, and those that stand still and differ.
fn settled(
    differences: Vec<Difference>,
    before: &BTreeMap<(String, String), Value>,
) -> (usize, Vec<Difference>) {
    let moves = |it: &Difference| {
        let place = (it.pk.clone(), it.id.clone());
        before.get(&place).is_some_and(|found| *found != it.found)
    };
    let (moving, still): (Vec<_>, Vec<_>) = differences.into_iter().partition(moves);
    (moving.len(), still)
}

impl<'a> Verify<'a> {
    /// Of this generation.
    pub(super) fn new(log: &'a Log, connection: &Arc<Connection>, of: Generation) -> Self {
        let store = |container| Store::new(connection, container);
        Self {
            log,
            of,
            orders: store(Container::Orders),
            customers: store(Container::Customers),
            products: store(Container::Products),
            sales: store(Container::Sales),
        }
    }

    /// Compares so many percent of the aggregates, and all sales.
    pub(super) async fn run(&self, percent: u32, tell: Tell<'_>) -> Result<Report, Failed> {
        let mut report = Report {
            generation: Some(self.of),
            ..Report::default()
        };
        // What begins meanwhile is for the next time: a busy shop would never end.
        let until = self.log.last().await?;
        let mut after = String::new();
        loop {
            let streams = self.log.streams(&after, until, STEP).await?;
            let Some(last) = streams.last() else { break };
            after.clone_from(last);
            let looks = if report.different < IMPATIENT { LOOKS } else { 1 };
            let chosen = streams.iter().filter(|stream| is_chosen(stream, percent));
            let compared: Vec<_> = stream::iter(chosen)
                .map(|stream| patiently(async || self.aggregate(stream, looks).await))
                .buffer_unordered(TOGETHER)
                .try_collect()
                .await?;
            for of_one in compared {
                report.aggregates += 1;
                report.add(of_one);
            }
            tell("aggregates compared", report.aggregates, 0);
        }
        self.sums(&mut report, tell).await?;
        Ok(report)
    }

    /// All documents of one aggregate; how many, and those that still differ after some looks.
    async fn aggregate(&self, stream: &str, most: usize) -> Result<Compared, Failed> {
        let mut before: BTreeMap<(String, String), Value> = BTreeMap::new();
        let mut looks = 0;
        loop {
            let events = self.log.stream(stream).await?;
            let Expected { aggregate, history } = expected(self.of, stream, &events)?;
            let (documents, differences) = match &aggregate {
                Aggregate::Order(order, row) => {
                    let mut differences = history_of(&self.orders, order.pk(), &history).await?;
                    differences.extend(compare(&self.orders, &**order).await?);
                    differences.extend(compare(&self.customers, row).await?);
                    (2 + history.len(), differences)
                }
                Aggregate::Customer(customer) => (1, compare(&self.customers, customer).await?),
                Aggregate::Product(product) => {
                    let level = self.log.stock(product.sku()).await?;
                    // A stock that has never moved is in no event.
                    let level = level.filter(|level| level.seq > 0);
                    let product = product.clone().with(level.as_ref());
                    (1, compare(&self.products, &product).await?)
                }
            };
            looks += 1;
            if differences.is_empty() || looks == most {
                let (moving, different) = settled(differences, &before);
                return Ok(Compared {
                    documents,
                    moving,
                    different,
                });
            }
            before = places(differences);
            tokio::time::sleep(BETWEEN).await;
        }
    }

    /// The sums of all days, against the facts of the log.
    async fn sums(&self, report: &mut Report, tell: Tell<'_>) -> Result<(), Failed> {
        let mut before = BTreeMap::new();
        let mut left: Option<BTreeSet<String>> = None;
        for pass in 1.. {
            let expected = self.facts(tell).await?;
            let mut differences = Vec::new();
            for totals in expected.values() {
                // Those that were right once are right.
                if left.as_ref().is_none_or(|left| left.contains(totals.pk())) {
                    let compared =
                        patiently(async || compare_at(&self.sales, (totals.pk(), TOTALS), totals).await);
                    differences.extend(compared.await?);
                }
            }
            if pass == SUMS || differences.is_empty() {
                let (moving, different) = settled(differences, &before);
                let documents = expected.len();
                report.add(Compared {
                    documents,
                    moving,
                    different,
                });
                break;
            }
            left = Some(differences.iter().map(|it| it.pk.clone()).collect());
            before = places(differences);
            tokio::time::sleep(BETWEEN).await;
        }
        Ok(())
    }

    /// What the payments and cancellations of the whole log add up to, by partition: as many as there are days and shards.
    async fn facts(&self, tell: Tell<'_>) -> Result<BTreeMap<String, TotalsDocument>, Failed> {
        let until = self.log.last().await?;
        let mut totals: BTreeMap<String, TotalsDocument> = BTreeMap::new();
        let mut position = 0;
        while position < until {
            let upto = (position + WINDOW).min(until);
            let sales = patiently(async || Ok(self.log.sales(position, upto).await?)).await?;
            for row in sales {
                let event = incoming(&row.event)?;
                let State::Order(order) = &event.state else {
                    continue;
                };
                if let Some(sale) = Sale::of(self.of, event.event_id, order, event.at) {
                    let sum = sale.added_to(totals.get(&sale.pk()));
                    totals.insert(sale.pk(), sum);
                }
            }
            position = upto;
            tell("sales summed up", position, until);
        }
        Ok(totals)
    }
}

/// The same aggregates each time.
fn is_chosen(stream: &str, percent: u32) -> bool {
    let sum = stream
        .bytes()
        .fold(0_u32, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte.into()));
    sum % 100 < percent
}

/// One document.
async fn compare<D: Document + PartialEq>(store: &Store, expected: &D) -> Result<Vec<Difference>, Failed> {
    compare_at(store, (expected.pk(), &expected.id()), expected).await
}

async fn compare_at<D: Serialize + DeserializeOwned + PartialEq>(
    store: &Store,
    (pk, id): (&str, &str),
    expected: &D,
) -> Result<Vec<Difference>, Failed> {
    let found = store.read::<D>(pk, id).await?.map(|found| found.document);
    Ok(differing(pk, id, Some(expected), found.as_ref())
        .into_iter()
        .collect())
}

/// The events of an order, one by one.
async fn history_of(store: &Store, pk: &str, expected: &[EventDocument]) -> Result<Vec<Difference>, Failed> {
    let text = "SELECT * FROM c WHERE c.kind = 'event' ORDER BY c.version";
    let found: Vec<EventDocument> = store.query(Some(pk), text, &[], PATIENCE).await?;
    let mut by_id: BTreeMap<&str, (Option<&EventDocument>, Option<&EventDocument>)> = BTreeMap::new();
    for event in expected {
        by_id.entry(event.id()).or_default().0 = Some(event);
    }
    for event in &found {
        by_id.entry(event.id()).or_default().1 = Some(event);
    }
    let pairs = by_id.into_iter();
    Ok(pairs
        .filter_map(|(id, (expected, found))| differing(pk, id, expected, found))
        .collect())
}

fn differing<D: Serialize + PartialEq>(
    pk: &str,
    id: &str,
    expected: Option<&D>,
    found: Option<&D>,
) -> Option<Difference> {
    let json = |document: Option<&D>| serde_json::to_value(document).unwrap_or_default();
    (expected != found).then(|| Difference {
        pk: pk.to_owned(),
        id: id.to_owned(),
        expected: json(expected),
        found: json(found),
    })
}
