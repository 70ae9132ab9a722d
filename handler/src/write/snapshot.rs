//! What S1 read, as domain values: the order, the customer and the products a command needs.
//! Never cached: a snapshot lives for one round of one command.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;
use tokio_postgres::Row;

use crate::domain::{
    customer::Customer,
    event::StockLevel,
    order::{Offer, Order},
    product::Product,
    value::Sku,
};

/// The state that one decision looks at.
#[derive(Debug)]
pub(super) struct Snapshot {
    pub(super) order: Option<Order>,
    pub(super) customer: Option<Customer>,
    pub(super) catalogue: BTreeMap<Sku, Offer>,
    /// What was accepted before under the request's Idempotency-Key.
    pub(super) replay: Option<Replay>,
}

/// An accepted command, as its event remembers it.
#[derive(Debug, Deserialize)]
pub(super) struct Replay {
    pub(super) fingerprint: String,
    pub(super) subject: String,
    pub(super) version: i64,
    pub(super) state: Value,
    pub(super) stock: Vec<StockLevel>,
}

#[derive(Deserialize)]
struct OfferRow {
    #[serde(flatten)]
    product: Product,
    available: i64,
}

impl Snapshot {
    /// Reads the one row of `s1_read.sql`.
    ///
    /// # Errors
    /// When the database holds what the domain cannot hold, or the columns are not there.
    pub(super) fn from_row(row: &Row) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        let order: Option<Value> = row.try_get("order")?;
        let customer: Option<Value> = row.try_get("customer")?;
        let products: Vec<OfferRow> = serde_json::from_value(row.try_get("products")?)?;
        let offer = |row: OfferRow| {
            (
                row.product.sku.clone(),
                Offer {
                    product: row.product,
                    available: row.available,
                },
            )
        };
        Ok(Self {
            order: order.map(serde_json::from_value).transpose()?,
            customer: customer.map(serde_json::from_value).transpose()?,
            replay: row
                .try_get::<_, Option<Value>>("replay")?
                .map(serde_json::from_value)
                .transpose()?,
            catalogue: products.into_iter().map(offer).collect(),
        })
    }
}
