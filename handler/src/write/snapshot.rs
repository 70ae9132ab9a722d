//! What the decisions of a batch look at, as domain values: read by S1, or known from earlier commands.
//! Never says that something is not there when it was only not read: a batch reads all that its commands name.

use std::{collections::BTreeMap, sync::Arc};

use serde::Deserialize;
use serde_json::Value;
use time::OffsetDateTime;
use tokio_postgres::{Row, types::Json};
use uuid::Uuid;

use super::command::{Command, Context};
use crate::domain::{
    customer::Customer,
    event::StockLevel,
    order::{Offer, Order},
    product::Product,
    value::Sku,
};

/// What S1 is to read: parameters of `s1_read.sql`.
#[derive(Debug, Default)]
pub(super) struct Reads {
    pub(super) orders: Vec<Uuid>,
    pub(super) customers: Vec<Uuid>,
    pub(super) skus: Vec<String>,
    pub(super) callers: Vec<String>,
    pub(super) keys: Vec<String>,
    /// The aggregates whose last change is asked for, by id.
    pub(super) changed: Vec<String>,
}

/// The state that the decisions of one batch start from.
#[derive(Debug, Default)]
pub(super) struct Snapshot {
    pub(super) orders: BTreeMap<Uuid, Order>,
    pub(super) customers: BTreeMap<Uuid, Arc<Customer>>,
    pub(super) products: BTreeMap<Sku, Stocked>,
    /// When the aggregates that are to be changed have changed last (UTC), by id.
    pub(super) changed: BTreeMap<String, OffsetDateTime>,
    /// What was accepted before, by caller and Idempotency-Key.
    pub(super) replays: BTreeMap<(String, String), Replay>,
}

/// A product with its stock.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Stocked {
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

/// An accepted command, as its event remembers it.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Replay {
    caller: String,
    key: String,
    pub(super) fingerprint: String,
    pub(super) subject: String,
    pub(super) version: i64,
    pub(super) event_id: Uuid,
    #[serde(with = "crate::domain::utc")]
    pub(super) occurred_at: OffsetDateTime,
    pub(super) r#type: String,
    pub(super) state: Value,
    pub(super) stock: Vec<StockLevel>,
}

impl StockedRow {
    fn keyed(self) -> (Sku, Stocked) {
        let Self {
            product,
            available,
            seq,
        } = self;
        let product = Arc::new(product);
        (
            product.sku.clone(),
            Stocked {
                product,
                available,
                seq,
            },
        )
    }
}

impl Reads {
    /// Adds what this command looks at.
    pub(super) fn add(&mut self, command: &Command, context: &Context) {
        self.orders.extend(command.order());
        self.customers.extend(command.customer());
        self.skus
            .extend(command.skus().map(|sku| sku.as_str().to_owned()));
        self.changed.extend(command.changed());
        if let Some(once) = &context.once {
            self.callers.push(context.caller.clone());
            self.keys.push(once.key.clone());
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.orders.is_empty() && self.customers.is_empty() && self.skus.is_empty() && self.keys.is_empty()
    }
}

impl Snapshot {
    /// Reads the one row of `s1_read.sql`.
    ///
    /// # Errors
    /// When the database holds what the domain cannot hold, or the columns are not there.
    pub(super) fn from_row(row: &Row, reads: &Reads) -> Result<Self, tokio_postgres::Error> {
        let Json(orders): Json<Vec<Order>> = row.try_get("orders")?;
        let Json(customers): Json<Vec<Customer>> = row.try_get("customers")?;
        let Json(products): Json<Vec<StockedRow>> = row.try_get("products")?;
        let Json(replays): Json<Vec<Replay>> = row.try_get("replays")?;
        let replays = replays.into_iter();
        let changed: Vec<Option<OffsetDateTime>> = row.try_get("changed")?;
        let changed = reads.changed.iter().cloned().zip(changed);
        Ok(Self {
            orders: orders.into_iter().map(|order| (order.id, order)).collect(),
            customers: customers
                .into_iter()
                .map(|customer| (customer.id, Arc::new(customer)))
                .collect(),
            products: products.into_iter().map(StockedRow::keyed).collect(),
            changed: changed.filter_map(|(id, at)| Some((id, at?))).collect(),
            replays: replays
                .map(|replay| ((replay.caller.clone(), replay.key.clone()), replay))
                .collect(),
        })
    }

    /// The products that these lines name, as the domain looks at them.
    pub(super) fn catalogue<'a>(&self, skus: impl Iterator<Item = &'a Sku>) -> BTreeMap<Sku, Offer> {
        let known = skus.filter_map(|sku| self.products.get_key_value(sku));
        let offer = |stocked: &Stocked| Offer {
            product: Arc::clone(&stocked.product),
            available: stocked.available,
        };
        known
            .map(|(sku, stocked)| (sku.clone(), offer(stocked)))
            .collect()
    }
}
