//! The state that the decisions of a batch start from, as domain values: from S1, or from the cache.
//! Never lacks what exists: a batch reads all that its commands name.

use std::{collections::BTreeMap, sync::Arc};

use serde::Deserialize;
use serde_json::Value;
use time::OffsetDateTime;
use tokio_postgres::{Row, types::Json};
use uuid::Uuid;

use super::context::CommandContext;
use crate::domain::{
    aggregate::{Aggregate, AggregateId},
    command::Command,
    customer::Customer,
    event::StockLevel,
    order::{Catalogue, CatalogueEntry, Order},
    product::Product,
    timestamp::Timestamp,
    value::Sku,
};

/// The rows that the commands of a batch need: parameters of `read.sql`.
#[derive(Debug, Default)]
pub(super) struct ReadSet {
    pub(super) orders: Vec<Uuid>,
    pub(super) customers: Vec<Uuid>,
    pub(super) skus: Vec<String>,
    pub(super) callers: Vec<String>,
    pub(super) keys: Vec<String>,
    /// The aggregates whose last change is asked for.
    pub(super) changed: Vec<AggregateId>,
}

/// The state that the decisions of one batch start from, by id.
#[derive(Debug, Default)]
pub(super) struct Snapshot {
    pub(super) orders: BTreeMap<Uuid, Arc<Order>>,
    pub(super) customers: BTreeMap<Uuid, Arc<Customer>>,
    pub(super) products: BTreeMap<Sku, StockedProduct>,
    /// Times at which the aggregates that are to be changed have changed last.
    pub(super) changed: BTreeMap<AggregateId, Timestamp>,
    /// Some of it is from the cache, and may be out of date.
    pub(super) is_cached: bool,
    /// Responses to earlier requests, by caller and Idempotency-Key.
    pub(super) responses: BTreeMap<(String, String), StoredResponse>,
}

/// A product with its stock.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct StockedProduct {
    pub(super) product: Arc<Product>,
    pub(super) available: i64,
    pub(super) seq: i64,
}

/// A product with its stock, as S1 tells it.
#[derive(Deserialize)]
struct StockedRow {
    #[serde(flatten)]
    product: Product,
    available: i64,
    seq: i64,
}

/// The response to an accepted command, as its event keeps it.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct StoredResponse {
    caller: String,
    key: String,
    pub(super) fingerprint: String,
    pub(super) event_id: Uuid,
    pub(super) occurred_at: Timestamp,
    pub(super) r#type: String,
    pub(super) state: Value,
    #[serde(deserialize_with = "crate::json::strict")]
    pub(super) stock: Vec<StockLevel>,
}

impl StockedRow {
    fn keyed(self) -> (Sku, StockedProduct) {
        let Self {
            product,
            available,
            seq,
        } = self;
        let product = Arc::new(product);
        (
            product.sku.clone(),
            StockedProduct {
                product,
                available,
                seq,
            },
        )
    }
}

impl ReadSet {
    /// Adds the rows that this command needs.
    pub(super) fn add(&mut self, command: &Command, context: &CommandContext) {
        self.orders.extend(command.order());
        self.customers.extend(command.customer());
        self.skus
            .extend(command.skus().map(|sku| sku.as_str().to_owned()));
        if !command.creates() {
            self.changed.push(command.aggregate());
        }
        if let Some(key) = &context.idempotency_key {
            self.callers.push(context.caller.clone());
            self.keys.push(key.key.clone());
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.orders.is_empty() && self.customers.is_empty() && self.skus.is_empty() && self.keys.is_empty()
    }
}

impl Snapshot {
    /// ReadSet the one row of `read.sql`.
    ///
    /// # Errors
    /// When the database holds what the domain cannot hold, or the columns are not there.
    pub(super) fn from_row(row: &Row, reads: &ReadSet) -> Result<Self, tokio_postgres::Error> {
        let Json(orders): Json<Vec<Order>> = row.try_get("orders")?;
        let Json(customers): Json<Vec<Customer>> = row.try_get("customers")?;
        let Json(products): Json<Vec<StockedRow>> = row.try_get("products")?;
        let Json(responses): Json<Vec<StoredResponse>> = row.try_get("responses")?;
        let responses = responses.into_iter();
        let changed: Vec<Option<OffsetDateTime>> = row.try_get("changed")?;
        let changed = reads.changed.iter().cloned().zip(changed);
        Ok(Self {
            orders: orders
                .into_iter()
                .map(|order| (order.id, Arc::new(order)))
                .collect(),
            customers: customers
                .into_iter()
                .map(|customer| (customer.id, Arc::new(customer)))
                .collect(),
            products: products.into_iter().map(StockedRow::keyed).collect(),
            is_cached: false,
            changed: changed
                .filter_map(|(id, at)| Some((id, Timestamp::try_from(at?).ok()?)))
                .collect(),
            responses: responses
                .map(|stored| ((stored.caller.clone(), stored.key.clone()), stored))
                .collect(),
        })
    }

    /// The aggregate with this id, if it was read and exists.
    pub(super) fn aggregate(&self, id: &AggregateId) -> Option<Aggregate> {
        match id {
            AggregateId::Customer(id) => self.customers.get(id).cloned().map(Aggregate::Customer),
            AggregateId::Product(sku) => {
                let stocked = self.products.get(sku)?;
                Some(Aggregate::Product(Arc::clone(&stocked.product)))
            }
            AggregateId::Order(id) => self.orders.get(id).cloned().map(Aggregate::Order),
        }
    }

    /// These products with their stock, as the domain takes them.
    pub(super) fn catalogue<'a>(&self, skus: impl Iterator<Item = &'a Sku>) -> Catalogue {
        let known = skus.filter_map(|sku| self.products.get_key_value(sku));
        let entry = |stocked: &StockedProduct| CatalogueEntry {
            product: Arc::clone(&stocked.product),
            available: stocked.available,
        };
        known
            .map(|(sku, stocked)| (sku.clone(), entry(stocked)))
            .collect()
    }
}
