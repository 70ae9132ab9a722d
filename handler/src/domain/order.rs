//! The order aggregate: placed -> paid -> shipped -> delivered, or cancelled before it is shipped.
//! Never asks what something costs or how many are left: the catalogue as it was read comes in with the command.

use std::{collections::BTreeMap, fmt, sync::Arc};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use uuid::Uuid;

use super::{
    customer::Customer,
    event::Event,
    pricing,
    product::Product,
    rejection::Rejection,
    value::{Money, Name, Quantity, Reason, Sku, Time},
};

/// An order, as carried in events, kept in `orders` and `order_lines`, and shown to the reader.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Order {
    /// Identity, UUIDv7: newer orders sort later.
    pub id: Uuid,
    /// 1 when placed, one more with each event.
    pub version: i64,
    /// Who ordered.
    pub customer: CustomerRef,
    /// What was ordered.
    pub lines: Vec<Line>,
    /// Sum of the lines.
    pub total: Money,
    /// When it was placed (UTC).
    #[serde(with = "crate::domain::utc")]
    #[schemars(with = "Time")]
    pub placed_at: OffsetDateTime,
    /// How far it is, with what belongs to that.
    #[serde(flatten)]
    pub progress: Progress,
}

impl Order {
    /// True when the total is the sum of the lines, in one currency.
    #[must_use]
    pub fn adds_up(&self) -> bool {
        pricing::total(&self.lines, Some(self.total.clone())).is_ok()
    }
}

/// How far an order is, and what is only known from there on. JSON: fields of the order, told apart by `status`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "status", rename_all = "lowercase", rename_all_fields = "camelCase")]
pub enum Progress {
    /// Accepted, stock taken, not yet paid.
    Placed,
    /// Paid in full.
    Paid {
        /// When (UTC).
        #[serde(with = "crate::domain::utc")]
        #[schemars(with = "Time")]
        paid_at: OffsetDateTime,
    },
    /// On its way.
    Shipped {
        /// When it was paid (UTC).
        #[serde(with = "crate::domain::utc")]
        #[schemars(with = "Time")]
        paid_at: OffsetDateTime,
        /// When it left (UTC).
        #[serde(with = "crate::domain::utc")]
        #[schemars(with = "Time")]
        shipped_at: OffsetDateTime,
        /// How it travels.
        shipment: Shipment,
    },
    /// In the customer's hands.
    Delivered {
        /// When it was paid (UTC).
        #[serde(with = "crate::domain::utc")]
        #[schemars(with = "Time")]
        paid_at: OffsetDateTime,
        /// When it left (UTC).
        #[serde(with = "crate::domain::utc")]
        #[schemars(with = "Time")]
        shipped_at: OffsetDateTime,
        /// How it travelled.
        shipment: Shipment,
        /// When it arrived (UTC).
        #[serde(with = "crate::domain::utc")]
        #[schemars(with = "Time")]
        delivered_at: OffsetDateTime,
    },
    /// Called off, its pieces back in stock.
    Cancelled {
        /// When it was paid (UTC), if it was.
        #[serde(
            with = "crate::domain::utc::option",
            default,
            skip_serializing_if = "Option::is_none"
        )]
        #[schemars(with = "Option<Time>")]
        paid_at: Option<OffsetDateTime>,
        /// When it was called off (UTC).
        #[serde(with = "crate::domain::utc")]
        #[schemars(with = "Time")]
        cancelled_at: OffsetDateTime,
        /// Why.
        reason: Reason,
    },
}

impl Progress {
    /// The name of the state.
    #[must_use]
    pub fn status(&self) -> Status {
        match self {
            Self::Placed => Status::Placed,
            Self::Paid { .. } => Status::Paid,
            Self::Shipped { .. } => Status::Shipped,
            Self::Delivered { .. } => Status::Delivered,
            Self::Cancelled { .. } => Status::Cancelled,
        }
    }

    /// When it was paid (UTC), if it was.
    #[must_use]
    pub fn paid_at(&self) -> Option<OffsetDateTime> {
        match self {
            Self::Placed => None,
            Self::Paid { paid_at } | Self::Shipped { paid_at, .. } | Self::Delivered { paid_at, .. } => {
                Some(*paid_at)
            }
            Self::Cancelled { paid_at, .. } => *paid_at,
        }
    }

    /// When it left (UTC), if it did.
    #[must_use]
    pub fn shipped_at(&self) -> Option<OffsetDateTime> {
        match self {
            Self::Shipped { shipped_at, .. } | Self::Delivered { shipped_at, .. } => Some(*shipped_at),
            _ => None,
        }
    }

    /// How it travels, if it does.
    #[must_use]
    pub fn shipment(&self) -> Option<&Shipment> {
        match self {
            Self::Shipped { shipment, .. } | Self::Delivered { shipment, .. } => Some(shipment),
            _ => None,
        }
    }

    /// When it arrived (UTC), if it did.
    #[must_use]
    pub fn delivered_at(&self) -> Option<OffsetDateTime> {
        match self {
            Self::Delivered { delivered_at, .. } => Some(*delivered_at),
            _ => None,
        }
    }

    /// When it was called off (UTC) and why, if it was.
    #[must_use]
    pub fn cancelled(&self) -> Option<(OffsetDateTime, &Reason)> {
        match self {
            Self::Cancelled {
                cancelled_at, reason, ..
            } => Some((*cancelled_at, reason)),
            _ => None,
        }
    }
}

/// How far an order is, by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Accepted, stock taken, not yet paid.
    Placed,
    /// Paid in full.
    Paid,
    /// On its way.
    Shipped,
    /// In the customer's hands.
    Delivered,
    /// Called off, its pieces back in stock.
    Cancelled,
}

impl Status {
    /// All of them, in the order of an order's life.
    pub const ALL: [Self; 5] = [
        Self::Placed,
        Self::Paid,
        Self::Shipped,
        Self::Delivered,
        Self::Cancelled,
    ];

    /// The name, as it stands in JSON and in the table.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Placed => "placed",
            Self::Paid => "paid",
            Self::Shipped => "shipped",
            Self::Delivered => "delivered",
            Self::Cancelled => "cancelled",
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Who ordered: the name stays as it was when the order was placed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CustomerRef {
    /// Identity of the customer.
    pub id: Uuid,
    /// The name as it was.
    pub name: Name,
}

/// One line of an order; name and price stay as they were.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
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
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
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
    /// The product, shared with whoever remembers it.
    pub product: Arc<Product>,
    /// Pieces left.
    pub available: i64,
}

/// What can be asked of an order.
#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    /// Order these things.
    Place {
        /// The customer as read, or `Err` with the id that nobody has.
        customer: Result<Customer, Uuid>,
        /// What is wanted: 1 to 100 lines, each SKU once.
        lines: Vec<(Sku, Quantity)>,
        /// The products as read; a SKU that is missing here does not exist.
        catalogue: BTreeMap<Sku, Offer>,
        /// What the caller believes it costs, if he says so.
        expected_total: Option<Money>,
        /// Now.
        at: OffsetDateTime,
    },
    /// Order these things instead: what stays keeps its price, what is new takes today's.
    ChangeLines {
        /// What is wanted now: 1 to 100 lines, each SKU once.
        lines: Vec<(Sku, Quantity)>,
        /// The products as read; a SKU that is missing here does not exist.
        catalogue: BTreeMap<Sku, Offer>,
        /// What the caller believes it costs, if he says so.
        expected_total: Option<Money>,
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
    /// Note that it has arrived.
    Deliver {
        /// Now.
        at: OffsetDateTime,
    },
    /// Call it off.
    Cancel {
        /// Why.
        reason: Reason,
        /// Now.
        at: OffsetDateTime,
    },
}

/// Says what happens to order `id` (one event per command), or which rule forbids it.
///
/// # Errors
/// The [`Rejection`] that names the rule; for a placement the customer is looked at first, then unknown products,
/// then stock, then currencies, then the total that the caller expects.
pub fn decide(id: Uuid, state: Option<&Order>, command: Command) -> Result<Event, Rejection> {
    let order = || state.ok_or(Rejection::UnknownOrder(id));
    match command {
        Command::Place {
            customer,
            lines,
            catalogue,
            expected_total,
            at,
        } => {
            let customer = customer.map_err(Rejection::NotRegistered)?;
            let lines = pricing::price(lines, &[], &catalogue)?;
            let total = pricing::total(&lines, expected_total)?;
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
        Command::ChangeLines {
            lines,
            catalogue,
            expected_total,
            at,
        } => {
            let order = order()?;
            expect(order, &[Status::Placed], "changed")?;
            let lines = pricing::price(lines, &order.lines, &catalogue)?;
            let total = pricing::total(&lines, expected_total)?;
            Ok(Event::OrderLinesChanged { lines, total, at })
        }
        Command::Pay { amount, at } => {
            let order = order()?;
            expect(order, &[Status::Placed], "paid")?;
            if amount == order.total {
                Ok(Event::OrderPaid { amount, at })
            } else {
                Err(Rejection::WrongAmount {
                    expected: order.total.clone(),
                    paid: amount,
                })
            }
        }
        Command::Ship { shipment, at } => {
            expect(order()?, &[Status::Paid], "shipped")?;
            Ok(Event::OrderShipped { shipment, at })
        }
        Command::Deliver { at } => {
            expect(order()?, &[Status::Shipped], "delivered")?;
            Ok(Event::OrderDelivered { at })
        }
        Command::Cancel { reason, at } => {
            expect(order()?, &[Status::Placed, Status::Paid], "cancelled")?;
            Ok(Event::OrderCancelled { reason, at })
        }
    }
}

fn expect(order: &Order, needed: &'static [Status], wanted: &'static str) -> Result<(), Rejection> {
    let status = order.progress.status();
    if needed.contains(&status) {
        Ok(())
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
            progress: Progress::Placed,
        });
    }
    let order = state?;
    let version = order.version + 1;
    if let (Progress::Placed, Event::OrderLinesChanged { lines, total, .. }) = (&order.progress, event) {
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

/// Where an event leads from here, if it leads anywhere.
fn next(progress: &Progress, event: &Event) -> Option<Progress> {
    Some(match (progress.clone(), event) {
        (Progress::Placed, Event::OrderPaid { at, .. }) => Progress::Paid { paid_at: *at },
        (Progress::Paid { paid_at }, Event::OrderShipped { shipment, at }) => Progress::Shipped {
            paid_at,
            shipped_at: *at,
            shipment: shipment.clone(),
        },
        (
            Progress::Shipped {
                paid_at,
                shipped_at,
                shipment,
            },
            Event::OrderDelivered { at },
        ) => Progress::Delivered {
            paid_at,
            shipped_at,
            shipment,
            delivered_at: *at,
        },
        (Progress::Placed, Event::OrderCancelled { reason, at }) => Progress::Cancelled {
            paid_at: None,
            cancelled_at: *at,
            reason: reason.clone(),
        },
        (Progress::Paid { paid_at }, Event::OrderCancelled { reason, at }) => Progress::Cancelled {
            paid_at: Some(paid_at),
            cancelled_at: *at,
            reason: reason.clone(),
        },
        _ => return None,
    })
}

#[cfg(test)]
#[path = "order_tests.rs"]
mod tests;
