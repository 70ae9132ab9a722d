//! The order aggregate: placed -> paid -> shipped -> delivered, or cancelled before it is shipped.
//! Never looks up a price or a stock level: the catalogue as it was read is an argument.

mod pricing;
mod state;

use uuid::Uuid;

use super::{
    customer::Customer,
    event::Event,
    rejection::Rejection,
    timestamp::Timestamp,
    value::{Money, Quantity, Reason, Sku},
};

pub use pricing::{Catalogue, CatalogueEntry};
pub use state::{CustomerRef, Order, OrderLine, OrderProgress, OrderStatus, Shipment};

/// A command about one order.
#[derive(Debug, Clone, PartialEq)]
pub enum OrderCommand {
    /// Place the order, under an id that is new.
    Place {
        /// Id of the customer who orders.
        customer: Uuid,
        /// 1 to 100 lines, each SKU once.
        lines: Vec<(Sku, Quantity)>,
        /// The total that the caller expects, if they say one.
        expected_total: Option<Money>,
    },
    /// Replace the lines: one that stays keeps its price, a new one takes today's.
    ChangeLines {
        /// 1 to 100 lines, each SKU once.
        lines: Vec<(Sku, Quantity)>,
        /// The total that the caller expects, if they say one.
        expected_total: Option<Money>,
    },
    /// Take the payment.
    Pay {
        /// Must be the order's total.
        amount: Money,
    },
    /// Hand the order to a carrier.
    Ship {
        /// The parcel.
        shipment: Shipment,
    },
    /// Note that the order has arrived.
    Deliver,
    /// Cancel the order.
    Cancel {
        /// In the words of the person who cancels.
        reason: Reason,
    },
}

/// The rest of the shop, as it was read just before a decision about an order.
#[derive(Debug, Clone, Copy)]
pub struct OrderFacts<'a> {
    /// The customer of a placement; none when the id that it names is not registered.
    pub customer: Option<&'a Customer>,
    /// The products that the command names; one that is missing here does not exist.
    pub catalogue: &'a Catalogue,
    /// Time of the decision.
    pub at: Timestamp,
}

/// Decides what happens to order `id`: one event, or the rule that forbids it.
///
/// # Errors
/// The [`Rejection`] that names the rule; for a placement the customer is looked at first, then unknown products,
/// then stock, then currencies, then the total that the caller expects.
pub fn decide(
    id: Uuid,
    state: Option<&Order>,
    command: &OrderCommand,
    facts: OrderFacts<'_>,
) -> Result<Event, Rejection> {
    let order = || state.ok_or(Rejection::UnknownOrder(id));
    let at = facts.at;
    match command {
        OrderCommand::Place {
            customer,
            lines,
            expected_total,
        } => {
            let customer = facts.customer.ok_or(Rejection::NotRegistered(*customer))?;
            let lines = pricing::price(lines, &[], facts.catalogue)?;
            let total = pricing::total(&lines, expected_total.as_ref())?;
            Ok(Event::OrderPlaced {
                customer: customer.into(),
                lines,
                total,
                at,
            })
        }
        OrderCommand::ChangeLines {
            lines,
            expected_total,
        } => {
            let order = expect(order()?, &[OrderStatus::Placed], "changed")?;
            let lines = pricing::price(lines, &order.lines, facts.catalogue)?;
            let total = pricing::total(&lines, expected_total.as_ref())?;
            Ok(Event::OrderLinesChanged { lines, total, at })
        }
        OrderCommand::Pay { amount } => {
            let order = expect(order()?, &[OrderStatus::Placed], "paid")?;
            let amount = amount.clone();
            if amount != order.total {
                return Err(Rejection::WrongAmount {
                    expected: order.total.clone(),
                    paid: amount,
                });
            }
            Ok(Event::OrderPaid { amount, at })
        }
        OrderCommand::Ship { shipment } => {
            expect(order()?, &[OrderStatus::Paid], "shipped")?;
            let shipment = shipment.clone();
            Ok(Event::OrderShipped { shipment, at })
        }
        OrderCommand::Deliver => {
            expect(order()?, &[OrderStatus::Shipped], "delivered")?;
            Ok(Event::OrderDelivered { at })
        }
        OrderCommand::Cancel { reason } => {
            expect(order()?, &[OrderStatus::Placed, OrderStatus::Paid], "cancelled")?;
            let reason = reason.clone();
            Ok(Event::OrderCancelled { reason, at })
        }
    }
}

impl From<&Customer> for CustomerRef {
    fn from(customer: &Customer) -> Self {
        Self {
            id: customer.id,
            name: customer.name.clone(),
        }
    }
}

/// The order, if it has one of these statuses.
fn expect<'a>(
    order: &'a Order,
    needed: &'static [OrderStatus],
    wanted: &'static str,
) -> Result<&'a Order, Rejection> {
    let status = order.progress.status();
    if needed.contains(&status) {
        Ok(order)
    } else {
        Err(Rejection::WrongStatus {
            status,
            needed,
            wanted,
        })
    }
}

/// The order after the event; events of other aggregates, and events that the order's state does not allow, change
/// nothing.
#[must_use]
pub fn evolve(id: Uuid, state: Option<Order>, event: &Event) -> Option<Order> {
    if let (
        None,
        Event::OrderPlaced {
            customer,
            lines,
            total,
            at,
        },
    ) = (&state, event)
    {
        return Some(Order {
            id,
            version: 1,
            customer: customer.clone(),
            lines: lines.clone(),
            total: total.clone(),
            placed_at: *at,
            progress: OrderProgress::Placed,
        });
    }
    let order = state?;
    let version = order.version + 1;
    if let (OrderProgress::Placed, Event::OrderLinesChanged { lines, total, .. }) = (&order.progress, event) {
        let (lines, total) = (lines.clone(), total.clone());
        return Some(Order {
            version,
            lines,
            total,
            ..order
        });
    }
    match next(&order.progress, event) {
        Some(progress) => Some(Order {
            version,
            progress,
            ..order
        }),
        None => Some(order),
    }
}

/// The progress after an event; none where the event changes nothing.
fn next(progress: &OrderProgress, event: &Event) -> Option<OrderProgress> {
    Some(match (progress.clone(), event) {
        (OrderProgress::Placed, Event::OrderPaid { at, .. }) => OrderProgress::Paid { paid_at: *at },
        (OrderProgress::Paid { paid_at }, Event::OrderShipped { shipment, at }) => OrderProgress::Shipped {
            paid_at,
            shipped_at: *at,
            shipment: shipment.clone(),
        },
        (
            OrderProgress::Shipped {
                paid_at,
                shipped_at,
                shipment,
            },
            Event::OrderDelivered { at },
        ) => OrderProgress::Delivered {
            paid_at,
            shipped_at,
            shipment,
            delivered_at: *at,
        },
        (OrderProgress::Placed, Event::OrderCancelled { reason, at }) => OrderProgress::Cancelled {
            paid_at: None,
            cancelled_at: *at,
            reason: reason.clone(),
        },
        (OrderProgress::Paid { paid_at }, Event::OrderCancelled { reason, at }) => OrderProgress::Cancelled {
            paid_at: Some(paid_at),
            cancelled_at: *at,
            reason: reason.clone(),
        },
        _ => return None,
    })
}

#[cfg(test)]
mod tests;
