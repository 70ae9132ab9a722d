//! Container `products`: one document for each SKU, with two registers that move apart from one another.
//! Never lets one register decide about the other: what is said of a product goes by its version, what is left by `seq`.

use serde::{Deserialize, Serialize};

use super::{Document, Generation};
use crate::{
    domain::{
        event::StockLevel,
        product::Product,
        timestamp::Timestamp,
        value::{Name, Price, Sku},
    },
    read::view::{ProductView, Versioned},
};

/// Every product's document has this id in its partition.
pub const PRODUCT: &str = "product";
/// Kind of a document that is complete enough to be shown.
const LISTED: &str = "product";
/// Kind of one that knows a stock level, but not yet what the product is.
const UNLISTED: &str = "level";

/// A product; partition key `"1|<sku>"`, id `"product"`. At least one register is there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ProductDocument {
    id: String,
    pk: String,
    r#gen: Generation,
    kind: String,
    sku: Sku,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    described: Option<DescriptionRegister>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    stock: Option<StockRegister>,
}

/// Description of the product; the newer `version` wins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct DescriptionRegister {
    version: i64,
    name: Name,
    price: Price,
    changed_at: Timestamp,
}

/// Stock of the product; the higher `seq` wins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct StockRegister {
    available: i64,
    seq: i64,
}

impl ProductDocument {
    /// The registers that an event sets: the product after an event of its own, and the level if stock was moved.
    #[must_use]
    pub fn new(
        generation: Generation,
        sku: &Sku,
        product: Option<(Product, Timestamp)>,
        level: Option<&StockLevel>,
    ) -> Self {
        let described = product.map(|(product, changed_at)| DescriptionRegister {
            version: product.version,
            name: product.name,
            price: product.price,
            changed_at,
        });
        Self {
            id: PRODUCT.to_owned(),
            pk: generation.partition(sku.as_str()),
            r#gen: generation,
            kind: kind(described.as_ref()),
            sku: sku.clone(),
            described,
            stock: level.map(StockRegister::from),
        }
    }

    /// The `seq` of its stock level; 0 when it has none.
    #[must_use]
    pub fn seq(&self) -> i64 {
        self.stock.as_ref().map_or(0, |level| level.seq)
    }

    /// The same with the stock level of another one.
    #[must_use]
    pub fn with_stock_of(self, other: &Self) -> Self {
        Self {
            stock: other.stock.clone(),
            ..self
        }
    }

    /// The product's SKU.
    #[must_use]
    pub fn sku(&self) -> &Sku {
        &self.sku
    }

    /// The same with this stock level.
    #[must_use]
    pub fn with(mut self, level: Option<&StockLevel>) -> Self {
        self.stock = level.map(StockRegister::from);
        self
    }

    fn merged(&self, existing: &Self, stays: fn(i64, i64) -> bool) -> Option<Self> {
        let described = chosen(
            &self.described,
            &existing.described,
            |register| register.version,
            stays,
        );
        let stock = chosen(&self.stock, &existing.stock, |register| register.seq, stays);
        let merged = Self {
            kind: kind(described),
            described: described.cloned(),
            stock: stock.cloned(),
            ..self.clone()
        };
        (merged != *existing).then_some(merged)
    }

    /// The product as callers know it; `None` when only a stock level is known.
    #[must_use]
    pub fn into_versioned(self) -> Option<Versioned<ProductView>> {
        let DescriptionRegister {
            version, name, price, ..
        } = self.described?;
        // Adding a product makes its stock with nothing in it.
        let (available, seq) = self.stock.map_or((0, 0), |level| (level.available, level.seq));
        let product = Product {
            sku: self.sku,
            version,
            name,
            price,
        };
        Some(Versioned {
            etag: format!("{version}-{seq}"),
            changed_at: None,
            value: ProductView {
                product,
                available,
                seq,
            },
        })
    }
}

impl From<&StockLevel> for StockRegister {
    fn from(level: &StockLevel) -> Self {
        Self {
            available: level.available,
            seq: level.seq,
        }
    }
}

fn kind(described: Option<&DescriptionRegister>) -> String {
    described.map_or(UNLISTED, |_| LISTED).to_owned()
}

impl Document for ProductDocument {
    fn pk(&self) -> &str {
        &self.pk
    }

    fn id(&self) -> String {
        self.id.clone()
    }

    /// 0 when it does not know the product yet.
    fn version(&self) -> i64 {
        self.described.as_ref().map_or(0, |described| described.version)
    }

    fn replacing(&self, existing: &Self) -> Option<Self> {
        self.merged(existing, |there, here| there >= here)
    }

    fn repairing(&self, existing: &Self) -> Option<Self> {
        self.merged(existing, |there, here| there > here)
    }
}

/// The register that is there, where `stays` says so of its number and the incoming one's; else the incoming one.
fn chosen<'a, T>(
    incoming: &'a Option<T>,
    existing: &'a Option<T>,
    number: fn(&T) -> i64,
    stays: fn(i64, i64) -> bool,
) -> Option<&'a T> {
    match (incoming, existing) {
        (Some(incoming), Some(existing)) if stays(number(existing), number(incoming)) => Some(existing),
        (None, existing) => existing.as_ref(),
        (incoming, _) => incoming.as_ref(),
    }
}
