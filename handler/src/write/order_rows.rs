//! What an order is in rows: its own, its lines', and the pieces that move when it changes.
//! Never decides whether an order may change: that has been done, and before and after are given.

use std::{collections::BTreeMap, num::TryFromIntError};

use super::change::{NewOrder, OrderLine, OrderMove, Priced, StockMove};
use crate::domain::{
    order::{Line, Offer, Order, Progress, Shipment, Status},
    value::Sku,
};

/// The row of a new order.
pub(super) fn new(order: &Order) -> NewOrder {
    NewOrder {
        id: order.id,
        version: order.version,
        status: order.progress.status().to_string(),
        customer_id: order.customer.id,
        customer_name: order.customer.name.clone().into(),
        total: order.total.amount,
        currency: order.total.currency.clone().into(),
        placed_at: order.placed_at,
    }
}

/// All lines of an order, numbered from 1.
pub(super) fn lines(order: &Order) -> Vec<OrderLine> {
    let numbered = (1_i32..).zip(&order.lines);
    let row = |(number, line): (i32, &Line)| OrderLine {
        order_id: order.id,
        line: number,
        sku: line.sku.clone().into(),
        name: line.name.clone().into(),
        quantity: line.quantity.get(),
        unit_price: line.unit_price.amount,
    };
    numbered.map(row).collect()
}

/// The step from one version of an order to the next.
pub(super) fn moved(before: &Order, after: &Order) -> Result<OrderMove, TryFromIntError> {
    let mut row = OrderMove {
        id: after.id,
        expected: before.version,
        version: after.version,
        status: after.progress.status().to_string(),
        total: after.total.amount,
        currency: after.total.currency.clone().into(),
        lines: i32::try_from(after.lines.len())?,
        ..OrderMove::default()
    };
    match after.progress.clone() {
        Progress::Placed => {}
        Progress::Paid { paid_at } => row.paid_at = Some(paid_at),
        Progress::Shipped {
            paid_at,
            shipped_at,
            shipment,
        } => {
            (row.paid_at, row.shipped_at) = (Some(paid_at), Some(shipped_at));
            ship(&mut row, shipment);
        }
        Progress::Delivered {
            paid_at,
            shipped_at,
            shipment,
            delivered_at,
        } => {
            (row.paid_at, row.shipped_at) = (Some(paid_at), Some(shipped_at));
            row.delivered_at = Some(delivered_at);
            ship(&mut row, shipment);
        }
        Progress::Cancelled {
            paid_at,
            cancelled_at,
            reason,
        } => {
            (row.paid_at, row.cancelled_at) = (paid_at, Some(cancelled_at));
            row.reason = Some(reason.into());
        }
    }
    Ok(row)
}

fn ship(row: &mut OrderMove, shipment: Shipment) {
    row.carrier = Some(shipment.carrier.into());
    row.tracking_number = Some(shipment.tracking_number.into());
}

/// The products whose price of today was used: those of lines that are not among the `kept` ones.
pub(super) fn priced(order: &Order, kept: &[Line], catalogue: &BTreeMap<Sku, Offer>) -> Vec<Priced> {
    let fresh = order
        .lines
        .iter()
        .filter(|line| kept.iter().all(|kept| kept.sku != line.sku));
    let offers = fresh.filter_map(|line| catalogue.get(&line.sku));
    let row = |offer: &Offer| Priced {
        sku: offer.product.sku.clone().into(),
        version: offer.product.version,
    };
    offers.map(row).collect()
}

/// What a new order takes out of stock.
pub(super) fn taken(order: &Order) -> Vec<StockMove> {
    let moves = held(order)
        .into_iter()
        .map(|(sku, pieces)| StockMove { sku, delta: -pieces });
    moves.collect()
}

/// What comes back into stock and what is taken out, from one version of an order to the next.
pub(super) fn stock_moves(before: &Order, after: &Order) -> Vec<StockMove> {
    let mut deltas = held(before);
    for (sku, pieces) in held(after) {
        *deltas.entry(sku).or_default() -= pieces;
    }
    let moves = deltas.into_iter().map(|(sku, delta)| StockMove { sku, delta });
    moves.filter(|row| row.delta != 0).collect()
}

/// The pieces that an order keeps from being sold again: none once it is cancelled.
fn held(order: &Order) -> BTreeMap<String, i64> {
    if order.progress.status() == Status::Cancelled {
        return BTreeMap::new();
    }
    let pieces = order
        .lines
        .iter()
        .map(|line| (line.sku.clone().into(), line.quantity.get()));
    pieces.collect()
}
