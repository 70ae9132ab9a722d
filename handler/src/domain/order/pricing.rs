//! Prices of an order's lines, their total, and whether there are enough pieces.
//! Never takes a price from a caller: a line keeps the one it has, or gets the catalogue's.

use std::{collections::BTreeMap, sync::Arc};

use super::state::{Order, OrderLine};
use crate::domain::{
    product::Product,
    rejection::{MissingProduct, Rejection, StockShortage},
    value::{MAX_AMOUNT, Money, Quantity, Sku},
};

/// Products with their stock, by SKU.
pub type Catalogue = BTreeMap<Sku, CatalogueEntry>;

/// A product with its stock, as read just before a decision.
#[derive(Debug, Clone, PartialEq)]
pub struct CatalogueEntry {
    /// Shared with the write side's cache.
    pub product: Arc<Product>,
    /// Pieces left.
    pub available: i64,
}

impl Order {
    /// True when the total is the sum of the lines, in one currency.
    #[must_use]
    pub fn adds_up(&self) -> bool {
        total(&self.lines, Some(&self.total)).is_ok()
    }
}

/// Gives every line its name and price, or says which products or pieces are missing. A SKU among the `kept` lines keeps
/// theirs, and the pieces it holds already need not be in stock.
pub(super) fn price(
    wanted: &[(Sku, Quantity)],
    kept: &[OrderLine],
    catalogue: &Catalogue,
) -> Result<Vec<OrderLine>, Rejection> {
    let missing = wanted
        .iter()
        .enumerate()
        .filter(|(_, (sku, _))| !catalogue.contains_key(sku));
    let missing: Vec<_> = missing
        .map(|(line, (sku, _))| MissingProduct {
            line,
            sku: sku.as_str().to_owned(),
        })
        .collect();
    if !missing.is_empty() {
        return Err(Rejection::UnknownProducts(missing));
    }
    let mut shortages = Vec::new();
    let mut lines = Vec::with_capacity(wanted.len());
    for (position, (sku, quantity)) in wanted.iter().enumerate() {
        let Some(CatalogueEntry { product, available }) = catalogue.get(sku) else {
            continue;
        };
        let kept = kept.iter().find(|line| line.sku == *sku);
        let within_reach = available + kept.map_or(0, |line| line.quantity.get());
        if within_reach < quantity.get() {
            shortages.push(StockShortage {
                line: position,
                sku: sku.as_str().to_owned(),
                wanted: quantity.get(),
                available: within_reach,
            });
        }
        let (name, unit_price) = match kept {
            Some(line) => (line.name.clone(), line.unit_price.clone()),
            None => (product.name.clone(), product.price.money().clone()),
        };
        lines.push(OrderLine {
            sku: sku.clone(),
            name,
            quantity: *quantity,
            unit_price,
        });
    }
    if shortages.is_empty() {
        Ok(lines)
    } else {
        Err(Rejection::NotEnoughStock(shortages))
    }
}

/// Total of the lines, if it is what the caller expects.
pub(super) fn total(lines: &[OrderLine], expected: Option<&Money>) -> Result<Money, Rejection> {
    let total = sum(lines)?;
    match expected {
        Some(expected) if *expected != total => Err(Rejection::PriceChanged {
            expected: expected.clone(),
            total,
        }),
        _ => Ok(total),
    }
}

/// The sum of the lines, in their one currency.
fn sum(lines: &[OrderLine]) -> Result<Money, Rejection> {
    let mut currencies: Vec<&str> = lines
        .iter()
        .map(|line| line.unit_price.currency.as_str())
        .collect();
    currencies.sort_unstable();
    currencies.dedup();
    let [_] = currencies.as_slice() else {
        return Err(Rejection::MixedCurrencies(
            currencies.into_iter().map(str::to_owned).collect(),
        ));
    };
    let mut total = 0_i64;
    for line in lines {
        let cost = line
            .unit_price
            .times(line.quantity.get())
            .ok_or(Rejection::AmountTooLarge)?;
        let sum = total.checked_add(cost.amount).filter(|sum| *sum <= MAX_AMOUNT);
        total = sum.ok_or(Rejection::AmountTooLarge)?;
    }
    Ok(Money {
        amount: total,
        currency: lines[0].unit_price.currency.clone(),
    })
}
