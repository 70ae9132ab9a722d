//! The rows of an order besides its own: its lines, and the pieces that move when it changes.
//! Never decides whether an order may change: the decision has been made, and before and after are given.

use std::{collections::BTreeMap, sync::Arc};

use super::change::OrderLineRow;
use crate::domain::{
    order::{Order, OrderLine, OrderStatus},
    value::Sku,
};

/// All lines of an order, numbered from 1.
pub(super) fn lines(order: &Arc<Order>) -> impl Iterator<Item = OrderLineRow> {
    let numbered = (1_i32..).zip(0..order.lines.len());
    numbered.map(|(number, index)| OrderLineRow {
        order: Arc::clone(order),
        number,
        index,
    })
}

/// The products whose price of today was used: those of lines that are not among the `kept` ones.
pub(super) fn priced<'a>(order: &'a Order, kept: &'a [OrderLine]) -> impl Iterator<Item = &'a Sku> {
    let fresh = order
        .lines
        .iter()
        .filter(|line| kept.iter().all(|kept| kept.sku != line.sku));
    fresh.map(|line| &line.sku)
}

/// Pieces that come back into stock (positive) or are taken out, from one version of an order (none: a new one) to the next.
pub(super) fn stock_moves(before: Option<&Order>, after: &Order) -> Vec<(Sku, i64)> {
    let mut deltas = before.map(held).unwrap_or_default();
    for (sku, pieces) in held(after) {
        *deltas.entry(sku).or_default() -= pieces;
    }
    let moves = deltas.into_iter().filter(|(_, delta)| *delta != 0);
    moves.map(|(sku, delta)| (sku.clone(), delta)).collect()
}

/// The pieces that an order keeps from being sold again: none once it is cancelled.
fn held(order: &Order) -> BTreeMap<&Sku, i64> {
    if order.progress.status() == OrderStatus::Cancelled {
        return BTreeMap::new();
    }
    let pieces = order.lines.iter().map(|line| (&line.sku, line.quantity.get()));
    pieces.collect()
}
