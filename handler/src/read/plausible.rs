//! What a message can show of itself: whether its state can be one that its event leaves behind.
//! Never asks the log, and so never proves that a message is ours: `handler verify` does (SECURITY.md).

use std::collections::BTreeSet;

use super::incoming::State;
use crate::domain::{
    event::StockLevel,
    order::{Order, Status},
    value::{MAX_AMOUNT, MAX_LINES, MAX_VERSION, Sku},
};

/// Looks at the state after an event of this type, and at the stock that it moved.
///
/// # Errors
/// What cannot be.
pub(super) fn check(kind: &str, state: &State, stock: &[StockLevel]) -> Result<(), String> {
    let (_, version) = state.identity();
    if !(1..=MAX_VERSION).contains(&version) {
        return Err(format!(
            "version {version} cannot be: there are 1 to {MAX_VERSION}"
        ));
    }
    if let State::Order(order) = state {
        of_order(kind, order)?;
    }
    let mut seen = BTreeSet::new();
    for StockLevel { sku, available, seq } in stock {
        if !(0..=MAX_AMOUNT).contains(available) || !(1..=MAX_AMOUNT).contains(seq) {
            return Err(format!("a stock of {available} after {seq} moves cannot be"));
        }
        if !moves(kind, state, sku) || !seen.insert(sku) {
            return Err(format!("a {kind} does not move the stock of {}", sku.as_str()));
        }
    }
    Ok(())
}

fn of_order(kind: &str, order: &Order) -> Result<(), String> {
    let status = order.progress.status();
    if left_behind(kind) != Some(status) {
        return Err(format!("a {kind} leaves no order behind that is {status}"));
    }
    if !(1..=MAX_LINES).contains(&order.lines.len()) {
        return Err(format!("an order has 1 to {MAX_LINES} lines"));
    }
    let amounts = order.lines.iter().map(|line| line.unit_price.amount);
    if amounts
        .chain([order.total.amount])
        .any(|amount| !(0..=MAX_AMOUNT).contains(&amount))
    {
        return Err(format!("an amount is 0 to {MAX_AMOUNT} minor units"));
    }
    if order.adds_up() {
        Ok(())
    } else {
        Err("the total is not the sum of the lines".to_owned())
    }
}

/// The status of an order right after an event of this type.
fn left_behind(kind: &str) -> Option<Status> {
    Some(match kind {
        "orders.OrderPlaced.v1" | "orders.OrderLinesChanged.v1" => Status::Placed,
        "orders.OrderPaid.v1" => Status::Paid,
        "orders.OrderShipped.v1" => Status::Shipped,
        "orders.OrderDelivered.v1" => Status::Delivered,
        "orders.OrderCancelled.v1" => Status::Cancelled,
        _ => return None,
    })
}

/// True when such an event can move this stock.
fn moves(kind: &str, state: &State, sku: &Sku) -> bool {
    match (state, kind) {
        // What is no longer in the order went back.
        (State::Order(_), "orders.OrderLinesChanged.v1") => true,
        (State::Order(order), "orders.OrderPlaced.v1" | "orders.OrderCancelled.v1") => {
            order.lines.iter().any(|line| line.sku == *sku)
        }
        (State::Product(product), _) => product.sku == *sku,
        (State::Order(_) | State::Customer(_), _) => false,
    }
}
