//! Decides a command by what was read: scope, preconditions, the domain's rules; and notes what the decision rested on.
//! Never makes rows: `batch_state` does.

use std::sync::Arc;

use uuid::Uuid;

use super::{context::CommandContext, order_rows, outcome::WriteError, snapshot::Snapshot};
use crate::{
    domain::{
        aggregate::Aggregate,
        command::Command,
        customer::Customer,
        event::Event,
        order::{OrderCommand, OrderFacts},
        rejection::Rejection,
        timestamp::Timestamp,
        value::{MAX_VERSION, Sku},
    },
    error_chain::cause,
};

/// An event, the aggregate after it, and the rows that must still be as they were read.
#[derive(Debug)]
pub(super) struct Decision {
    pub(super) event: Event,
    pub(super) after: Aggregate,
    /// The customer whose name was used, by the version that was read.
    pub(super) seen_customer: Option<(Uuid, i64)>,
    /// The products whose name and price were used, by the version that was read.
    pub(super) seen_products: Vec<(Sku, i64)>,
}

/// Decides the command.
///
/// # Errors
/// [`WriteError::Rejected`] or [`WriteError::PreconditionFailed`].
pub(super) fn decide(
    command: &Command,
    read: &Snapshot,
    context: &CommandContext,
    at: Timestamp,
) -> Result<Decision, WriteError> {
    check_scope(command, read, context)?;
    let id = command.aggregate();
    let before = read.aggregate(&id);
    check_preconditions(command, before.as_ref(), read, context)?;
    let customer = placing_customer(command, read, context);
    let facts = OrderFacts {
        customer,
        catalogue: &read.catalogue(command.skus()),
        at,
    };
    let event = command.decide(before.as_ref(), facts)?;
    let after = Aggregate::evolve(&id, before.clone(), &event);
    let no_aggregate = || WriteError::Internal(cause("the event left no aggregate behind"));
    let after = after.ok_or_else(no_aggregate)?;
    if after.version() > MAX_VERSION {
        return Err(Rejection::TooManyChanges.into());
    }
    let seen_products = match (&event, before, &after) {
        (Event::OrderPlaced { .. }, _, Aggregate::Order(after)) => {
            versions(order_rows::priced(after, &[]), read)
        }
        (Event::OrderLinesChanged { .. }, Some(Aggregate::Order(before)), Aggregate::Order(after)) => {
            versions(order_rows::priced(after, &before.lines), read)
        }
        _ => Vec::new(),
    };
    Ok(Decision {
        event,
        after,
        seen_customer: customer.map(|customer| (customer.id, customer.version)),
        seen_products,
    })
}

/// Time of the event: now, and never before the aggregate's last one, because the clocks of two instances differ.
pub(super) fn event_time(command: &Command, read: &Snapshot, context: &CommandContext) -> Timestamp {
    let last = read.changed.get(&command.aggregate());
    last.map_or(context.at, |last| context.at.max(*last))
}

/// Hides what belongs to a customer whom the caller may not touch.
fn check_scope(command: &Command, read: &Snapshot, context: &CommandContext) -> Result<(), Rejection> {
    match command {
        Command::Customer(id, _) if !context.may_touch(*id) => Err(Rejection::UnknownCustomer(*id)),
        Command::Order(id, _) => match read.orders.get(id) {
            Some(order) if !context.may_touch(order.customer.id) => Err(Rejection::UnknownOrder(*id)),
            _ => Ok(()),
        },
        Command::Customer(..) | Command::Product(..) => Ok(()),
    }
}

/// Checks the aggregate's version, and when it changed last, before any rule of the domain.
fn check_preconditions(
    command: &Command,
    before: Option<&Aggregate>,
    read: &Snapshot,
    context: &CommandContext,
) -> Result<(), WriteError> {
    let (version, changed_at) = match before {
        _ if command.creates() => (None, None),
        // The stock of a product has times of its own, so that a product is shown without one.
        Some(Aggregate::Product(product)) => (Some(product.version), None),
        Some(before) => (Some(before.version()), read.changed.get(&before.id()).copied()),
        // What does not exist has no version; the domain says that it does not exist.
        None => return Ok(()),
    };
    let held = context.preconditions.hold(version, changed_at);
    held.map_err(|failed| WriteError::PreconditionFailed(failed, version))
}

/// The customer of a placement, if they are registered and the caller may order for them.
fn placing_customer<'a>(
    command: &Command,
    read: &'a Snapshot,
    context: &CommandContext,
) -> Option<&'a Customer> {
    let Command::Order(_, OrderCommand::Place { customer, .. }) = command else {
        return None;
    };
    let registered = read.customers.get(customer).map(Arc::as_ref);
    registered.filter(|_| context.may_touch(*customer))
}

fn versions<'a>(skus: impl Iterator<Item = &'a Sku>, read: &Snapshot) -> Vec<(Sku, i64)> {
    let read = skus.filter_map(|sku| read.products.get(sku));
    read.map(|stocked| (stocked.product.sku.clone(), stocked.product.version))
        .collect()
}
