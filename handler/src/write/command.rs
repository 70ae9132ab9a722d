//! What a caller wants done, and how it becomes rows: reads to make, the domain's decision, the change set to write.
//! Never touches a connection, a clock or an id generator: everything it needs comes in.

use serde::Serialize;
use serde_json::{Value, json};
use time::OffsetDateTime;
use uuid::Uuid;

use super::{
    change::{ChangeSet, CustomerMove, NewCustomer, NewEvent, NewKey, NewProduct, ProductMove, StockMove},
    order_rows,
    snapshot::Snapshot,
};
use crate::domain::{
    customer,
    event::{Event, StockLevel},
    order::{self, Shipment},
    product,
    rejection::Rejection,
    value::{Email, Money, Name, Price, Quantity, Reason, Sku},
};

/// Everything that can be asked of the write side; ids of new things are made by the caller.
#[derive(Debug, Clone)]
pub enum Command {
    /// Register a customer under a new id.
    RegisterCustomer {
        /// Id of the new customer.
        id: Uuid,
        /// Name.
        name: Name,
        /// E-mail address.
        email: Email,
    },
    /// Give a customer another name.
    RenameCustomer {
        /// Id of the customer.
        id: Uuid,
        /// The new name.
        name: Name,
    },
    /// Give a customer another address.
    ChangeCustomerEmail {
        /// Id of the customer.
        id: Uuid,
        /// The new address.
        email: Email,
    },
    /// Give a product another name.
    RenameProduct {
        /// SKU.
        sku: Sku,
        /// The new name.
        name: Name,
    },
    /// Give a product another price.
    ChangeProductPrice {
        /// SKU.
        sku: Sku,
        /// The new price of one piece.
        price: Price,
    },
    /// Add a product with no stock.
    AddProduct {
        /// SKU.
        sku: Sku,
        /// Name.
        name: Name,
        /// Price of one piece.
        price: Price,
    },
    /// Take pieces into stock.
    RestockProduct {
        /// SKU.
        sku: Sku,
        /// How many.
        quantity: Quantity,
    },
    /// Place an order under a new id.
    PlaceOrder {
        /// Id of the new order.
        id: Uuid,
        /// Who orders.
        customer: Uuid,
        /// What; each SKU once.
        lines: Vec<(Sku, Quantity)>,
    },
    /// Give an order other lines.
    ChangeOrderLines {
        /// Id of the order.
        id: Uuid,
        /// What is wanted now; each SKU once.
        lines: Vec<(Sku, Quantity)>,
    },
    /// Note that an order has arrived.
    DeliverOrder {
        /// Id of the order.
        id: Uuid,
    },
    /// Call an order off.
    CancelOrder {
        /// Id of the order.
        id: Uuid,
        /// Why.
        reason: Reason,
    },
    /// Take the payment for an order.
    PayOrder {
        /// Id of the order.
        id: Uuid,
        /// What was paid.
        amount: Money,
    },
    /// Send an order off.
    ShipOrder {
        /// Id of the order.
        id: Uuid,
        /// How.
        shipment: Shipment,
    },
}

/// What the edge knows about the request and the domain must not make up itself.
#[derive(Debug, Clone)]
pub struct Context {
    /// Id of the event, made once per request: a lost answer is found again by it.
    pub event_id: Uuid,
    /// Now (UTC).
    pub at: OffsetDateTime,
    /// Id of the caller, for the audit trail.
    pub caller: String,
    /// W3C trace context of the request.
    pub traceparent: Option<String>,
    /// What the caller believes the aggregate's version to be (`If-Match`).
    pub expected: Option<Expected>,
    /// The caller's name for this request, under which it happens once.
    pub once: Option<Once>,
}

/// An Idempotency-Key (draft-ietf-httpapi-idempotency-key-header-07), scoped by the caller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Once {
    /// The key as it was sent.
    pub key: String,
    /// What was asked under it: a digest of the whole request.
    pub fingerprint: String,
}

/// The versions that a caller's command was meant for (RFC 9110, section 13.1.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expected {
    /// `*`: any, as long as it exists.
    Any,
    /// One of these.
    OneOf(Vec<i64>),
}

impl Context {
    /// Looks at the aggregate as it was read, before any rule of the shop is asked.
    fn check(&self, version: Option<i64>) -> Result<(), DecideError> {
        let fits = match (&self.expected, version) {
            (None, _) | (Some(Expected::Any), Some(_)) => true,
            (Some(Expected::OneOf(versions)), Some(version)) => versions.contains(&version),
            (Some(_), None) => false,
        };
        if fits {
            Ok(())
        } else {
            Err(DecideError::Stale(version))
        }
    }
}

/// A command that was committed.
#[derive(Debug, Clone)]
pub struct Accepted {
    /// Id of the aggregate: an order id, a customer id or a SKU.
    pub subject: String,
    /// Version of the aggregate now.
    pub version: i64,
    /// The aggregate now, in the shape of its event's `state`.
    pub state: Value,
    /// Stock levels that the command moved.
    pub stock: Vec<StockLevel>,
    /// True when this is the answer to an earlier request with the same Idempotency-Key.
    pub replayed: bool,
}

impl Command {
    /// Parameters of S1: order, customer, SKUs.
    pub(super) fn reads(&self) -> (Option<Uuid>, Option<Uuid>, Vec<&str>) {
        match self {
            Self::RegisterCustomer { id, .. }
            | Self::RenameCustomer { id, .. }
            | Self::ChangeCustomerEmail { id, .. } => (None, Some(*id), vec![]),
            Self::AddProduct { sku, .. }
            | Self::RenameProduct { sku, .. }
            | Self::ChangeProductPrice { sku, .. }
            | Self::RestockProduct { sku, .. } => (None, None, vec![sku.as_str()]),
            Self::PlaceOrder { id, customer, lines } => (
                Some(*id),
                Some(*customer),
                lines.iter().map(|(sku, _)| sku.as_str()).collect(),
            ),
            Self::ChangeOrderLines { id, lines } => (
                Some(*id),
                None,
                lines.iter().map(|(sku, _)| sku.as_str()).collect(),
            ),
            Self::PayOrder { id, .. }
            | Self::ShipOrder { id, .. }
            | Self::DeliverOrder { id }
            | Self::CancelOrder { id, .. } => (Some(*id), None, vec![]),
        }
    }

    /// Asks the domain, and turns its event into the rows to write.
    ///
    /// # Errors
    /// The domain's [`Rejection`]; a state that cannot be written as JSON is [`DecideError::Encode`].
    pub(super) fn decide(
        self,
        read: Snapshot,
        context: &Context,
    ) -> Result<(ChangeSet, Accepted), DecideError> {
        let at = context.at;
        match self {
            Self::RegisterCustomer { id, name, email } => {
                on_customer(id, read, customer::Command::Register { name, email }, context)
            }
            Self::RenameCustomer { id, name } => {
                on_customer(id, read, customer::Command::Rename { name }, context)
            }
            Self::ChangeCustomerEmail { id, email } => {
                on_customer(id, read, customer::Command::ChangeEmail { email }, context)
            }
            Self::RenameProduct { sku, name } => {
                on_product(&sku, &read, product::Command::Rename { name }, context)
            }
            Self::ChangeProductPrice { sku, price } => {
                on_product(&sku, &read, product::Command::ChangePrice { price }, context)
            }
            Self::AddProduct { sku, name, price } => {
                on_product(&sku, &read, product::Command::Add { name, price }, context)
            }
            Self::RestockProduct { sku, quantity } => {
                on_product(&sku, &read, product::Command::Restock { quantity }, context)
            }
            Self::PlaceOrder { id, customer, lines } => place_order(id, customer, lines, read, context),
            Self::ChangeOrderLines { id, lines } => {
                let catalogue = read.catalogue.clone();
                let command = order::Command::ChangeLines { lines, catalogue, at };
                on_order(id, &read, command, context)
            }
            Self::PayOrder { id, amount } => on_order(id, &read, order::Command::Pay { amount, at }, context),
            Self::ShipOrder { id, shipment } => {
                on_order(id, &read, order::Command::Ship { shipment, at }, context)
            }
            Self::DeliverOrder { id } => on_order(id, &read, order::Command::Deliver { at }, context),
            Self::CancelOrder { id, reason } => {
                on_order(id, &read, order::Command::Cancel { reason, at }, context)
            }
        }
    }
}

/// Why there is nothing to write.
#[derive(Debug, thiserror::Error)]
pub(super) enum DecideError {
    #[error(transparent)]
    Rejected(#[from] Rejection),
    #[error("the aggregate is at another version")]
    Stale(Option<i64>),
    #[error("the decision cannot be written as JSON: {0}")]
    Encode(#[from] serde_json::Error),
    #[error("the event left no aggregate behind")]
    Incoherent,
    #[error("a number is beyond what the tables hold: {0}")]
    TooLarge(#[from] std::num::TryFromIntError),
}

type Decided = Result<(ChangeSet, Accepted), DecideError>;

fn on_customer(id: Uuid, read: Snapshot, command: customer::Command, context: &Context) -> Decided {
    let expected = read.customer.as_ref().map(|customer| customer.version);
    context.check(expected)?;
    let event = customer::decide(id, read.customer.as_ref(), command)?;
    let after = customer::evolve(id, read.customer, &event).ok_or(DecideError::Incoherent)?;
    let (version, name, email) = (
        after.version,
        after.name.clone().into(),
        after.email.clone().into(),
    );
    let mut changes = ChangeSet::default();
    match expected {
        Some(expected) => changes.customer_moves.push(CustomerMove {
            id,
            expected,
            version,
            name,
            email,
        }),
        None => changes.new_customers.push(NewCustomer {
            id,
            version,
            name,
            email,
        }),
    }
    record(changes, context, id.to_string(), version, &event, &after)
}

fn on_product(sku: &Sku, read: &Snapshot, command: product::Command, context: &Context) -> Decided {
    let before = read.catalogue.get(sku).map(|offer| offer.product.clone());
    let expected = before.as_ref().map(|p| p.version);
    context.check(expected)?;
    let event = product::decide(sku, before.as_ref(), command)?;
    let after = product::evolve(sku, before, &event).ok_or(DecideError::Incoherent)?;
    let mut changes = ChangeSet::default();
    let key: String = sku.clone().into();
    let (version, name, money) = (
        after.version,
        after.name.clone().into(),
        after.price.money().clone(),
    );
    let (sku, price, currency) = (key.clone(), money.amount, money.currency.into());
    match expected {
        Some(expected) => changes.product_moves.push(ProductMove {
            sku,
            expected,
            version,
            name,
            price,
            currency,
        }),
        None => changes.new_products.push(NewProduct {
            sku,
            version,
            name,
            price,
            currency,
        }),
    }
    if let Event::ProductRestocked { quantity } = &event {
        changes.stock_moves.push(StockMove {
            sku: key.clone(),
            delta: quantity.get(),
        });
    }
    record(changes, context, key, after.version, &event, &after)
}

fn on_order(id: Uuid, read: &Snapshot, command: order::Command, context: &Context) -> Decided {
    let before = read.order.as_ref();
    context.check(before.map(|order| order.version))?;
    let event = order::decide(id, before, command)?;
    let after = order::evolve(id, before.cloned(), &event).ok_or(DecideError::Incoherent)?;
    let before = before.ok_or(DecideError::Incoherent)?;
    let mut changes = ChangeSet {
        order_moves: vec![order_rows::moved(before, &after)?],
        stock_moves: order_rows::stock_moves(before, &after),
        ..ChangeSet::default()
    };
    if after.lines != before.lines {
        changes.lines = order_rows::lines(&after);
        changes.priced = order_rows::priced(&after, &before.lines, &read.catalogue);
    }
    record(changes, context, id.to_string(), after.version, &event, &after)
}

fn place_order(
    id: Uuid,
    customer: Uuid,
    lines: Vec<(Sku, Quantity)>,
    read: Snapshot,
    context: &Context,
) -> Decided {
    context.check(None)?;
    let command = order::Command::Place {
        customer: read.customer.ok_or(customer),
        lines,
        catalogue: read.catalogue.clone(),
        at: context.at,
    };
    let event = order::decide(id, None, command)?;
    let order = order::evolve(id, None, &event).ok_or(DecideError::Incoherent)?;
    let changes = ChangeSet {
        new_orders: vec![order_rows::new(&order)],
        lines: order_rows::lines(&order),
        priced: order_rows::priced(&order, &[], &read.catalogue),
        stock_moves: order_rows::taken(&order),
        ..ChangeSet::default()
    };
    record(changes, context, id.to_string(), order.version, &event, &order)
}

/// Adds the event to the rows; its outbox row is made by the statement itself.
fn record<S: Serialize>(
    mut changes: ChangeSet,
    context: &Context,
    subject: String,
    version: i64,
    event: &Event,
    state: &S,
) -> Decided {
    changes.keys = (context.once.iter())
        .map(|once| NewKey {
            caller: context.caller.clone(),
            key: once.key.clone(),
            fingerprint: once.fingerprint.clone(),
            event_id: context.event_id,
        })
        .collect();
    let (kind, data) = event.to_parts()?;
    let state = serde_json::to_value(state)?;
    changes.events.push(NewEvent {
        event_id: context.event_id,
        stream: subject.clone(),
        version,
        r#type: kind,
        data,
        state: state.clone(),
        moves: changes.stock_moves.iter().map(|m| m.sku.clone()).collect(),
        metadata: json!({ "caller": context.caller, "traceparent": context.traceparent }),
        occurred_at: context.at,
    });
    Ok((
        changes,
        Accepted {
            subject,
            version,
            state,
            stock: Vec::new(),
            replayed: false,
        },
    ))
}
