//! The order aggregate: placed -> paid -> shipped.
//! Never asks what something costs or how many are left: the catalogue as it was read comes in with the command.

use std::{collections::BTreeMap, fmt};

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use uuid::Uuid;

use super::{
    customer::Customer,
    event::Event,
    product::Product,
    rejection::{Rejection, Shortage},
    value::{Money, Name, Quantity, Sku},
};

/// An order, as carried in events, kept in `orders` and `order_lines`, and shown to the reader.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Order {
    /// Identity, UUIDv7: newer orders sort later.
    pub id: Uuid,
    /// 1 when placed, one more with each event.
    pub version: i64,
    /// How far it is.
    pub status: Status,
    /// Who ordered.
    pub customer: CustomerRef,
    /// What was ordered.
    pub lines: Vec<Line>,
    /// Sum of the lines.
    pub total: Money,
    /// When it was placed (UTC).
    #[serde(with = "time::serde::rfc3339")]
    pub placed_at: OffsetDateTime,
    /// When it was paid (UTC).
    #[serde(
        with = "time::serde::rfc3339::option",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub paid_at: Option<OffsetDateTime>,
    /// When it was shipped (UTC).
    #[serde(
        with = "time::serde::rfc3339::option",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub shipped_at: Option<OffsetDateTime>,
    /// How it was shipped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shipment: Option<Shipment>,
}

/// How far an order is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Accepted, stock taken, not yet paid.
    Placed,
    /// Paid in full.
    Paid,
    /// On its way.
    Shipped,
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Placed => "placed",
            Self::Paid => "paid",
            Self::Shipped => "shipped",
        })
    }
}

/// Who ordered: the name stays as it was when the order was placed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CustomerRef {
    /// Identity of the customer.
    pub id: Uuid,
    /// The name as it was.
    pub name: Name,
}

/// One line of an order; name and price stay as they were.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Line {
    /// What.
    pub sku: Sku,
    /// What it was called.
    pub name: Name,
    /// How many.
    pub quantity: Quantity,
    /// Price of one piece.
    pub unit_price: Money,
}

/// How an order travels.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Shipment {
    /// Who carries it.
    pub carrier: Name,
    /// The carrier's number for it.
    pub tracking_number: Name,
}

/// A product with what is left of it, as read just before the decision.
#[derive(Debug, Clone, PartialEq)]
pub struct Offer {
    /// The product.
    pub product: Product,
    /// Pieces left.
    pub available: i64,
}

/// What can be asked of an order.
#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    /// Order these things.
    Place {
        /// The customer as read, or `None` when there is none with that id.
        customer: Result<Customer, Uuid>,
        /// What is wanted: 1 to 100 lines, each SKU once.
        lines: Vec<(Sku, Quantity)>,
        /// The products as read; a SKU that is missing here does not exist.
        catalogue: BTreeMap<Sku, Offer>,
        /// Now.
        at: OffsetDateTime,
    },
    /// Take the payment.
    Pay {
        /// What was paid.
        amount: Money,
        /// Now.
        at: OffsetDateTime,
    },
    /// Send it off.
    Ship {
        /// How.
        shipment: Shipment,
        /// Now.
        at: OffsetDateTime,
    },
}

/// Says what happens to order `id` (one event per command), or which rule forbids it.
///
/// # Errors
/// The [`Rejection`] that names the rule; for a placement the customer is looked at first, then unknown products,
/// then currencies, then stock.
pub fn decide(id: Uuid, state: Option<&Order>, command: Command) -> Result<Event, Rejection> {
    match command {
        Command::Place {
            customer,
            lines,
            catalogue,
            at,
        } => {
            let customer = customer.map_err(Rejection::NotRegistered)?;
            let lines = price(lines, &catalogue)?;
            let total = sum(&lines)?;
            let customer = CustomerRef {
                id: customer.id,
                name: customer.name,
            };
            Ok(Event::OrderPlaced {
                customer,
                lines,
                total,
                at,
            })
        }
        Command::Pay { amount, at } => {
            let order = expect(id, state, Status::Placed, Status::Paid)?;
            if amount != order.total {
                return Err(Rejection::WrongAmount {
                    expected: order.total.clone(),
                    paid: amount,
                });
            }
            Ok(Event::OrderPaid { amount, at })
        }
        Command::Ship { shipment, at } => {
            expect(id, state, Status::Paid, Status::Shipped)?;
            Ok(Event::OrderShipped { shipment, at })
        }
    }
}

/// The order after the event; events of other aggregates, and events before the first one, change nothing.
#[must_use]
pub fn evolve(id: Uuid, state: Option<Order>, event: &Event) -> Option<Order> {
    match event {
        Event::OrderPlaced {
            customer,
            lines,
            total,
            at,
        } => Some(Order {
            id,
            version: 1,
            status: Status::Placed,
            customer: customer.clone(),
            lines: lines.clone(),
            total: total.clone(),
            placed_at: *at,
            paid_at: None,
            shipped_at: None,
            shipment: None,
        }),
        Event::OrderPaid { at, .. } => state.map(|o| Order {
            version: o.version + 1,
            status: Status::Paid,
            paid_at: Some(*at),
            ..o
        }),
        Event::OrderShipped { shipment, at } => state.map(|o| Order {
            version: o.version + 1,
            status: Status::Shipped,
            shipped_at: Some(*at),
            shipment: Some(shipment.clone()),
            ..o
        }),
        _ => state,
    }
}

fn expect(id: Uuid, state: Option<&Order>, needed: Status, wanted: Status) -> Result<&Order, Rejection> {
    let order = state.ok_or(Rejection::UnknownOrder(id))?;
    if order.status == needed {
        return Ok(order);
    }
    Err(Rejection::WrongStatus {
        status: order.status,
        needed,
        wanted,
    })
}

/// Gives every line its name and price, or says which products or pieces are missing.
fn price(wanted: Vec<(Sku, Quantity)>, catalogue: &BTreeMap<Sku, Offer>) -> Result<Vec<Line>, Rejection> {
    let missing = wanted.iter().filter(|(sku, _)| !catalogue.contains_key(sku));
    let missing: Vec<_> = missing.map(|(sku, _)| sku.as_str().to_owned()).collect();
    if !missing.is_empty() {
        return Err(Rejection::UnknownProducts(missing));
    }
    let mut shortages = Vec::new();
    let mut lines = Vec::with_capacity(wanted.len());
    for (position, (sku, quantity)) in wanted.into_iter().enumerate() {
        let Some(Offer { product, available }) = catalogue.get(&sku) else {
            continue;
        };
        if *available < quantity.get() {
            let (wanted, available) = (quantity.get(), *available);
            shortages.push(Shortage {
                line: position,
                sku: sku.as_str().to_owned(),
                wanted,
                available,
            });
        }
        let (name, unit_price) = (product.name.clone(), product.price.money().clone());
        lines.push(Line {
            sku,
            name,
            quantity,
            unit_price,
        });
    }
    if shortages.is_empty() {
        Ok(lines)
    } else {
        Err(Rejection::NotEnoughStock(shortages))
    }
}

fn sum(lines: &[Line]) -> Result<Money, Rejection> {
    let mut currencies: Vec<_> = lines
        .iter()
        .map(|l| l.unit_price.currency.as_str().to_owned())
        .collect();
    currencies.sort();
    currencies.dedup();
    let [_] = currencies.as_slice() else {
        return Err(Rejection::MixedCurrencies(currencies));
    };
    let mut total = 0_i64;
    for line in lines {
        let cost = line
            .unit_price
            .times(line.quantity.get())
            .ok_or(Rejection::AmountTooLarge)?;
        total = total.checked_add(cost.amount).ok_or(Rejection::AmountTooLarge)?;
    }
    Ok(Money {
        amount: total,
        currency: lines[0].unit_price.currency.clone(),
    })
}

#[cfg(test)]
#[path = "order_tests.rs"]
mod tests;
