//! A command: the aggregate that it is about, and what is to happen to it. HTTP makes these, the write side runs them.
//! Never says who asks, or when: scope and preconditions are the writer's, the time is an argument.

use uuid::Uuid;

use super::{
    aggregate::{Aggregate, AggregateId},
    customer::{self, CustomerCommand},
    event::Event,
    order::{self, OrderCommand, OrderFacts},
    product::{self, ProductCommand},
    rejection::Rejection,
    value::{Quantity, Sku},
};

/// A change that a caller asks for. The caller makes the ids of new customers and orders.
#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    /// About the customer with this id.
    Customer(Uuid, CustomerCommand),
    /// About the product with this SKU.
    Product(Sku, ProductCommand),
    /// About the order with this id.
    Order(Uuid, OrderCommand),
}

impl Command {
    /// Decides what happens: one event, or the rule that forbids it.
    ///
    /// # Errors
    /// See the `decide` of each aggregate.
    pub fn decide(&self, before: Option<&Aggregate>, facts: OrderFacts<'_>) -> Result<Event, Rejection> {
        match self {
            Self::Customer(id, command) => {
                customer::decide(*id, before.and_then(Aggregate::as_customer), command)
            }
            Self::Product(sku, command) => {
                product::decide(sku, before.and_then(Aggregate::as_product), command)
            }
            Self::Order(id, command) => {
                order::decide(*id, before.and_then(Aggregate::as_order), command, facts)
            }
        }
    }

    /// The aggregate that it creates or changes.
    #[must_use]
    pub fn aggregate(&self) -> AggregateId {
        match self {
            Self::Customer(id, _) => AggregateId::Customer(*id),
            Self::Product(sku, _) => AggregateId::Product(sku.clone()),
            Self::Order(id, _) => AggregateId::Order(*id),
        }
    }

    /// True when there is no such aggregate yet.
    #[must_use]
    pub fn creates(&self) -> bool {
        matches!(
            self,
            Self::Customer(_, CustomerCommand::Register { .. })
                | Self::Product(_, ProductCommand::Add { .. })
                | Self::Order(_, OrderCommand::Place { .. })
        )
    }

    /// The order that the decision needs.
    #[must_use]
    pub fn order(&self) -> Option<Uuid> {
        match self {
            Self::Order(id, _) if !self.creates() => Some(*id),
            _ => None,
        }
    }

    /// The customer that the decision needs.
    #[must_use]
    pub fn customer(&self) -> Option<Uuid> {
        match self {
            Self::Customer(id, _) => Some(*id),
            Self::Order(_, OrderCommand::Place { customer, .. }) => Some(*customer),
            _ => None,
        }
    }

    /// The products that the decision needs.
    pub fn skus(&self) -> impl Iterator<Item = &Sku> {
        let (one, many): (Option<&Sku>, &[(Sku, Quantity)]) = match self {
            Self::Product(sku, _) => (Some(sku), &[]),
            Self::Order(_, OrderCommand::Place { lines, .. } | OrderCommand::ChangeLines { lines, .. }) => {
                (None, lines)
            }
            _ => (None, &[]),
        };
        one.into_iter().chain(many.iter().map(|(sku, _)| sku))
    }
}
