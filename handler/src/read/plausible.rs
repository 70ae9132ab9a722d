//! Checks that a message's state is one that its event can leave behind.
//! Never asks the log, and so never proves that a message is ours: `handler verify` does (SECURITY.md).

use std::collections::BTreeSet;

use crate::domain::{
    aggregate::Aggregate,
    event::{EventType, StockLevel},
    order::{Order, OrderStatus},
    value::{MAX_AMOUNT, MAX_LINES, MAX_VERSION, Sku},
};

/// Checks the state after an event of this type, and the stock that it moved.
///
/// # Errors
/// The part of the state that cannot be.
pub(super) fn check(event_type: EventType, state: &Aggregate, stock: &[StockLevel]) -> Result<(), String> {
    let version = state.version();
    if !(1..=MAX_VERSION).contains(&version) {
        return Err(format!(
            "version {version} cannot be: there are 1 to {MAX_VERSION}"
        ));
    }
    if let Aggregate::Order(order) = state {
        of_order(event_type, order)?;
    }
    let mut seen = BTreeSet::new();
    for StockLevel { sku, available, seq } in stock {
        if !(0..=MAX_AMOUNT).contains(available) || !(1..=MAX_AMOUNT).contains(seq) {
            return Err(format!("a stock of {available} after {seq} moves cannot be"));
        }
        if !moves(event_type, state, sku) || !seen.insert(sku) {
            return Err(format!(
                "a {event_type} does not move the stock of {}",
                sku.as_str()
            ));
        }
    }
    Ok(())
}

fn of_order(event_type: EventType, order: &Order) -> Result<(), String> {
    let status = order.progress.status();
    if left_behind(event_type) != Some(status) {
        return Err(format!("a {event_type} leaves no order behind that is {status}"));
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
fn left_behind(event_type: EventType) -> Option<OrderStatus> {
    Some(match event_type {
        EventType::OrderPlaced | EventType::OrderLinesChanged => OrderStatus::Placed,
        EventType::OrderPaid => OrderStatus::Paid,
        EventType::OrderShipped => OrderStatus::Shipped,
        EventType::OrderDelivered => OrderStatus::Delivered,
        EventType::OrderCancelled => OrderStatus::Cancelled,
        // By name, so that the compiler asks about a new one: its messages would all be dead letters.
        EventType::CustomerRegistered
        | EventType::CustomerRenamed
        | EventType::CustomerEmailChanged
        | EventType::ProductAdded
        | EventType::ProductRenamed
        | EventType::ProductPriceChanged
        | EventType::ProductRestocked => return None,
    })
}

/// True when such an event can move this stock.
fn moves(event_type: EventType, state: &Aggregate, sku: &Sku) -> bool {
    match (state, event_type) {
        // What is no longer in the order went back.
        (Aggregate::Order(_), EventType::OrderLinesChanged) => true,
        (Aggregate::Order(order), EventType::OrderPlaced | EventType::OrderCancelled) => {
            order.lines.iter().any(|line| line.sku == *sku)
        }
        (Aggregate::Product(product), _) => product.sku == *sku,
        (Aggregate::Order(_) | Aggregate::Customer(_), _) => false,
    }
}
