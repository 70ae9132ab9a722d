//! A command against what was read: asks the domain, and says what the decision rested on.
//! Never writes anything down: what a decision is in rows is for `working`.

use std::sync::Arc;

use time::OffsetDateTime;
use uuid::Uuid;

use super::{
    command::{Command, Context, State, Unmet},
    order_rows,
    snapshot::Snapshot,
};
use crate::domain::{
    customer::{self, Customer},
    event::Event,
    order, product,
    rejection::Rejection,
    value::{MAX_VERSION, Money, Quantity, Sku},
};

/// What happened, and the aggregate after it.
#[derive(Debug)]
pub(super) struct Decision {
    pub(super) event: Event,
    pub(super) after: State,
    /// The customer whose name was used, by the version that was read.
    pub(super) seen_customer: Option<(Uuid, i64)>,
    /// The products whose name and price were used, by the version that was read.
    pub(super) seen_products: Vec<(Sku, i64)>,
}

/// Why there is nothing to write.
#[derive(Debug, thiserror::Error)]
pub(super) enum DecideError {
    #[error(transparent)]
    Rejected(#[from] Rejection),
    #[error("{} does not hold", .0.name())]
    Unmet(Unmet, Option<i64>),
    #[error("the event left no aggregate behind")]
    Incoherent,
}

type Decided = Result<Decision, DecideError>;

/// What becomes of the command.
///
/// # Errors
/// The domain's [`Rejection`], or [`DecideError::Unmet`] when a precondition does not hold.
pub(super) fn decide(command: &Command, read: &Snapshot, context: &Context, at: OffsetDateTime) -> Decided {
    let decision = made(command, read, context, at)?;
    if decision.after.version() > MAX_VERSION {
        return Err(Rejection::TooManyChanges.into());
    }
    Ok(decision)
}

fn made(command: &Command, read: &Snapshot, context: &Context, at: OffsetDateTime) -> Decided {
    use order::Command as O;
    match command.clone() {
        Command::RegisterCustomer { id, name, email } => {
            on_customer(id, read, customer::Command::Register { name, email }, context)
        }
        Command::RenameCustomer { id, name } => {
            on_customer(id, read, customer::Command::Rename { name }, context)
        }
        Command::ChangeCustomerEmail { id, email } => {
            on_customer(id, read, customer::Command::ChangeEmail { email }, context)
        }
        Command::AddProduct { sku, name, price } => {
            on_product(&sku, read, product::Command::Add { name, price }, context)
        }
        Command::RenameProduct { sku, name } => {
            on_product(&sku, read, product::Command::Rename { name }, context)
        }
        Command::ChangeProductPrice { sku, price } => {
            on_product(&sku, read, product::Command::ChangePrice { price }, context)
        }
        Command::RestockProduct { sku, quantity } => {
            on_product(&sku, read, product::Command::Restock { quantity }, context)
        }
        Command::PlaceOrder {
            id,
            customer,
            lines,
            expected_total,
        } => place_order(id, customer, lines, expected_total, read, context),
        Command::ChangeOrderLines {
            id,
            lines,
            expected_total,
        } => {
            let catalogue = read.catalogue(lines.iter().map(|(sku, _)| sku));
            on_order(
                id,
                read,
                O::ChangeLines {
                    lines,
                    catalogue,
                    expected_total,
                    at,
                },
                context,
            )
        }
        Command::PayOrder { id, amount } => on_order(id, read, O::Pay { amount, at }, context),
        Command::ShipOrder { id, shipment } => on_order(id, read, O::Ship { shipment, at }, context),
        Command::DeliverOrder { id } => on_order(id, read, O::Deliver { at }, context),
        Command::CancelOrder { id, reason } => on_order(id, read, O::Cancel { reason, at }, context),
    }
}

/// When it happens: now, and never before what has happened to the aggregate already. The clocks of two instances differ.
pub(super) fn time_of(command: &Command, read: &Snapshot, context: &Context) -> OffsetDateTime {
    let last = command.changed().and_then(|subject| read.changed.get(&subject));
    last.map_or(context.at, |last| context.at.max(*last))
}

/// Looks at the aggregate's version, and since when it is so, before any rule of the shop is asked.
fn check(context: &Context, read: &Snapshot, id: &str, version: i64) -> Result<(), DecideError> {
    let changed_at = read.changed.get(id).copied();
    let held = context.preconditions.hold(Some(version), changed_at);
    held.map_err(|unmet| DecideError::Unmet(unmet, Some(version)))
}

/// The same for what is to be made: there is nothing yet.
fn check_new(context: &Context) -> Result<(), DecideError> {
    let held = context.preconditions.hold(None, None);
    held.map_err(|unmet| DecideError::Unmet(unmet, None))
}

/// True when the caller may touch what belongs to this customer.
fn may_touch(context: &Context, customer: Uuid) -> bool {
    context.only.is_none_or(|only| only == customer)
}

fn on_customer(id: Uuid, read: &Snapshot, command: customer::Command, context: &Context) -> Decided {
    if !may_touch(context, id) {
        return Err(Rejection::UnknownCustomer(id).into());
    }
    let before = read.customers.get(&id).map(|customer| &**customer);
    match (&command, before) {
        (customer::Command::Register { .. }, _) => check_new(context)?,
        (_, Some(customer)) => check(context, read, &id.to_string(), customer.version)?,
        // What is not there has no version: that it is not there is said below.
        (_, None) => {}
    }
    let event = customer::decide(id, before, command)?;
    let after = customer::evolve(id, before.cloned(), &event).ok_or(DecideError::Incoherent)?;
    Ok(Decision {
        event,
        after: State::Customer(Arc::new(after)),
        seen_customer: None,
        seen_products: Vec::new(),
    })
}

fn on_product(sku: &Sku, read: &Snapshot, command: product::Command, context: &Context) -> Decided {
    let before = read.products.get(sku).map(|stocked| &*stocked.product);
    match (&command, before) {
        (product::Command::Add { .. }, _) => check_new(context)?,
        // Its stock has times of its own, so that a product is shown without one.
        (_, Some(product)) => {
            let held = context.preconditions.hold(Some(product.version), None);
            held.map_err(|unmet| DecideError::Unmet(unmet, Some(product.version)))?;
        }
        (_, None) => {}
    }
    let event = product::decide(sku, before, command)?;
    let after = product::evolve(sku, before.cloned(), &event).ok_or(DecideError::Incoherent)?;
    Ok(Decision {
        event,
        after: State::Product(Arc::new(after)),
        seen_customer: None,
        seen_products: Vec::new(),
    })
}

fn on_order(id: Uuid, read: &Snapshot, command: order::Command, context: &Context) -> Decided {
    let before = read
        .orders
        .get(&id)
        .filter(|order| may_touch(context, order.customer.id));
    let before = before.ok_or(Rejection::UnknownOrder(id))?;
    check(context, read, &id.to_string(), before.version)?;
    let event = order::decide(id, Some(before), command)?;
    let after = order::evolve(id, Some(before.clone()), &event).ok_or(DecideError::Incoherent)?;
    let seen_products = match &event {
        Event::OrderLinesChanged { .. } => seen(order_rows::priced(&after, &before.lines), read),
        _ => Vec::new(),
    };
    Ok(Decision {
        event,
        after: State::Order(Arc::new(after)),
        seen_customer: None,
        seen_products,
    })
}

fn place_order(
    id: Uuid,
    customer: Uuid,
    lines: Vec<(Sku, Quantity)>,
    expected_total: Option<Money>,
    read: &Snapshot,
    context: &Context,
) -> Decided {
    check_new(context)?;
    let registered = read
        .customers
        .get(&customer)
        .filter(|_| may_touch(context, customer));
    let command = order::Command::Place {
        customer: registered
            .map(|customer| Customer::clone(customer))
            .ok_or(customer),
        catalogue: read.catalogue(lines.iter().map(|(sku, _)| sku)),
        lines,
        expected_total,
        at: context.at,
    };
    let event = order::decide(id, None, command)?;
    let after = order::evolve(id, None, &event).ok_or(DecideError::Incoherent)?;
    Ok(Decision {
        event,
        seen_customer: registered.map(|customer| (customer.id, customer.version)),
        seen_products: seen(order_rows::priced(&after, &[]), read),
        after: State::Order(Arc::new(after)),
    })
}

fn seen<'a>(skus: impl Iterator<Item = &'a Sku>, read: &Snapshot) -> Vec<(Sku, i64)> {
    let read = skus.filter_map(|sku| read.products.get(sku));
    read.map(|stocked| (stocked.product.sku.clone(), stocked.product.version))
        .collect()
}
