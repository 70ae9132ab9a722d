//! The three aggregates as one type, for all that treats them alike: the writer, the log's readers, the projection.
//! Never has a rule of its own: each aggregate's `evolve` says what an event makes of it.

use std::{fmt, sync::Arc};

use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

use super::{
    customer::{self, Customer},
    event::{AggregateKind, Event},
    order::{self, Order},
    product::{self, Product},
    value::Sku,
};
use crate::json::{self, JsonError};

/// The id of an aggregate; its text is the log's column `stream`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AggregateId {
    /// Id of a customer.
    Customer(Uuid),
    /// SKU of a product.
    Product(Sku),
    /// Id of an order.
    Order(Uuid),
}

/// An aggregate as an event left it. JSON: that of the customer, product or order, as the log's column `state` has it.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Aggregate {
    /// A customer.
    Customer(Arc<Customer>),
    /// A product.
    Product(Arc<Product>),
    /// An order.
    Order(Arc<Order>),
}

impl AggregateId {
    /// The id of an aggregate of this kind; none when the text cannot be one.
    #[must_use]
    pub fn parse(kind: AggregateKind, text: &str) -> Option<Self> {
        Some(match kind {
            AggregateKind::Customer => Self::Customer(text.parse().ok()?),
            AggregateKind::Product => Self::Product(text.to_owned().try_into().ok()?),
            AggregateKind::Order => Self::Order(text.parse().ok()?),
        })
    }
}

impl fmt::Display for AggregateId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Customer(id) | Self::Order(id) => id.fmt(f),
            Self::Product(sku) => f.write_str(sku.as_str()),
        }
    }
}

impl Aggregate {
    /// Reads an aggregate of this kind from its JSON.
    ///
    /// # Errors
    /// When it is not the JSON of such an aggregate.
    pub fn from_json(kind: AggregateKind, state: Value) -> Result<Self, JsonError> {
        Ok(match kind {
            AggregateKind::Customer => Self::Customer(json::from_value(state)?),
            AggregateKind::Product => Self::Product(json::from_value(state)?),
            AggregateKind::Order => Self::Order(json::from_value(state)?),
        })
    }

    /// The aggregate after one more event of its stream; none when that event cannot have come then.
    #[must_use]
    pub fn evolve(id: &AggregateId, before: Option<Self>, event: &Event) -> Option<Self> {
        match (id, before) {
            (AggregateId::Customer(id), None) => customer::evolve(*id, None, event).map(Self::from),
            (AggregateId::Customer(id), Some(Self::Customer(before))) => {
                customer::evolve(*id, Some(Arc::unwrap_or_clone(before)), event).map(Self::from)
            }
            (AggregateId::Product(sku), None) => product::evolve(sku, None, event).map(Self::from),
            (AggregateId::Product(sku), Some(Self::Product(before))) => {
                product::evolve(sku, Some(Arc::unwrap_or_clone(before)), event).map(Self::from)
            }
            (AggregateId::Order(id), None) => order::evolve(*id, None, event).map(Self::from),
            (AggregateId::Order(id), Some(Self::Order(before))) => {
                order::evolve(*id, Some(Arc::unwrap_or_clone(before)), event).map(Self::from)
            }
            _ => None,
        }
    }

    /// The customer, if it is one.
    #[must_use]
    pub fn as_customer(&self) -> Option<&Customer> {
        match self {
            Self::Customer(customer) => Some(customer),
            Self::Product(_) | Self::Order(_) => None,
        }
    }

    /// The product, if it is one.
    #[must_use]
    pub fn as_product(&self) -> Option<&Product> {
        match self {
            Self::Product(product) => Some(product),
            Self::Customer(_) | Self::Order(_) => None,
        }
    }

    /// The order, if it is one.
    #[must_use]
    pub fn as_order(&self) -> Option<&Order> {
        match self {
            Self::Order(order) => Some(order),
            Self::Customer(_) | Self::Product(_) => None,
        }
    }

    /// The aggregate's id.
    #[must_use]
    pub fn id(&self) -> AggregateId {
        match self {
            Self::Customer(customer) => AggregateId::Customer(customer.id),
            Self::Product(product) => AggregateId::Product(product.sku.clone()),
            Self::Order(order) => AggregateId::Order(order.id),
        }
    }

    /// The aggregate's version.
    #[must_use]
    pub fn version(&self) -> i64 {
        match self {
            Self::Customer(customer) => customer.version,
            Self::Product(product) => product.version,
            Self::Order(order) => order.version,
        }
    }
}

impl From<Customer> for Aggregate {
    fn from(customer: Customer) -> Self {
        Self::Customer(Arc::new(customer))
    }
}

impl From<Product> for Aggregate {
    fn from(product: Product) -> Self {
        Self::Product(Arc::new(product))
    }
}

impl From<Order> for Aggregate {
    fn from(order: Order) -> Self {
        Self::Order(Arc::new(order))
    }
}
