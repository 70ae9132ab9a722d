//! What a caller wants done, what the edge knows about the request, and what comes of it.
//! Never touches a connection, a clock or an id generator: everything it needs comes in.

use std::sync::Arc;

use serde::Serialize;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::domain::{
    customer::Customer,
    event::StockLevel,
    order::{Order, Shipment},
    product::Product,
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
        /// What the caller believes it costs, if he says so.
        expected_total: Option<Money>,
    },
    /// Give an order other lines.
    ChangeOrderLines {
        /// Id of the order.
        id: Uuid,
        /// What is wanted now; each SKU once.
        lines: Vec<(Sku, Quantity)>,
        /// What the caller believes it costs then, if he says so.
        expected_total: Option<Money>,
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

impl Command {
    /// The order that must be read for this.
    pub(super) fn order(&self) -> Option<Uuid> {
        match self {
            Self::ChangeOrderLines { id, .. }
            | Self::PayOrder { id, .. }
            | Self::ShipOrder { id, .. }
            | Self::DeliverOrder { id }
            | Self::CancelOrder { id, .. } => Some(*id),
            _ => None,
        }
    }

    /// The aggregate that is changed by this, by its id; none when it is made by it.
    pub(super) fn changed(&self) -> Option<String> {
        match self {
            Self::RegisterCustomer { .. } | Self::AddProduct { .. } | Self::PlaceOrder { .. } => None,
            Self::RenameCustomer { id, .. } | Self::ChangeCustomerEmail { id, .. } => Some(id.to_string()),
            Self::RenameProduct { sku, .. }
            | Self::ChangeProductPrice { sku, .. }
            | Self::RestockProduct { sku, .. } => Some(sku.as_str().to_owned()),
            Self::ChangeOrderLines { .. }
            | Self::PayOrder { .. }
            | Self::ShipOrder { .. }
            | Self::DeliverOrder { .. }
            | Self::CancelOrder { .. } => self.order().map(|id| id.to_string()),
        }
    }

    /// The customer that must be read for this.
    pub(super) fn customer(&self) -> Option<Uuid> {
        match self {
            Self::RegisterCustomer { id, .. }
            | Self::RenameCustomer { id, .. }
            | Self::ChangeCustomerEmail { id, .. } => Some(*id),
            Self::PlaceOrder { customer, .. } => Some(*customer),
            _ => None,
        }
    }

    /// The products that must be read for this.
    pub(super) fn skus(&self) -> impl Iterator<Item = &Sku> {
        let (one, many): (Option<&Sku>, &[(Sku, Quantity)]) = match self {
            Self::AddProduct { sku, .. }
            | Self::RenameProduct { sku, .. }
            | Self::ChangeProductPrice { sku, .. }
            | Self::RestockProduct { sku, .. } => (Some(sku), &[]),
            Self::PlaceOrder { lines, .. } | Self::ChangeOrderLines { lines, .. } => (None, lines),
            _ => (None, &[]),
        };
        one.into_iter().chain(many.iter().map(|(sku, _)| sku))
    }
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
    /// The only customer whose things this caller may touch; what is somebody else's is not there for him.
    pub only: Option<Uuid>,
    /// W3C trace context of the request.
    pub traceparent: Option<String>,
    /// What must be so for the command to be done.
    pub preconditions: Preconditions,
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

/// What a caller says of the aggregate that a command is meant for (RFC 9110, section 13.1).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Preconditions {
    /// `If-Match`: it is at one of these versions.
    pub matches: Option<Versions>,
    /// `If-Unmodified-Since`: it has not changed after this second; looked at without `If-Match` only.
    pub unmodified_since: Option<OffsetDateTime>,
    /// `If-None-Match`: it is at none of these versions.
    pub matches_none: Option<Versions>,
}

/// Versions of an aggregate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Versions {
    /// `*`: any, as long as it exists.
    Any,
    /// One of these.
    OneOf(Vec<i64>),
}

/// The precondition that does not hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unmet {
    /// `If-Match`.
    IfMatch,
    /// `If-Unmodified-Since`.
    IfUnmodifiedSince,
    /// `If-None-Match`.
    IfNoneMatch,
}

impl Preconditions {
    /// Whether they hold for an aggregate at this version, changed last at this time, in the order of RFC 9110, section
    /// 13.2.2; `None` is what does not exist, or has no times.
    ///
    /// # Errors
    /// The one that does not.
    pub fn hold(&self, version: Option<i64>, changed_at: Option<OffsetDateTime>) -> Result<(), Unmet> {
        match (&self.matches, self.unmodified_since, changed_at) {
            (Some(versions), ..) if !versions.contain(version) => return Err(Unmet::IfMatch),
            // Times go over the wire in whole seconds.
            (None, Some(since), Some(changed)) if changed.unix_timestamp() > since.unix_timestamp() => {
                return Err(Unmet::IfUnmodifiedSince);
            }
            _ => {}
        }
        match &self.matches_none {
            Some(versions) if versions.contain(version) => Err(Unmet::IfNoneMatch),
            _ => Ok(()),
        }
    }
}

impl Versions {
    /// True when this version is among them; `None` is what does not exist.
    fn contain(&self, version: Option<i64>) -> bool {
        match self {
            Self::Any => version.is_some(),
            Self::OneOf(versions) => version.is_some_and(|version| versions.contains(&version)),
        }
    }
}

impl Unmet {
    /// The header field's name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::IfMatch => "If-Match",
            Self::IfUnmodifiedSince => "If-Unmodified-Since",
            Self::IfNoneMatch => "If-None-Match",
        }
    }
}

/// A command that was committed.
#[derive(Debug, Clone, PartialEq)]
pub struct Accepted {
    /// Id of the aggregate: an order id, a customer id or a SKU.
    pub subject: String,
    /// Version of the aggregate after it.
    pub version: i64,
    /// The aggregate after it.
    pub state: State,
    /// Stock levels that the command moved, as they were right after it.
    pub stock: Vec<StockLevel>,
    /// Id of the event.
    pub event_id: Uuid,
    /// When it happened (UTC).
    pub at: OffsetDateTime,
    /// True when this is the answer to an earlier request with the same Idempotency-Key.
    pub replayed: bool,
}

/// An aggregate as an event left it, in the shape of the log's column `state`.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum State {
    /// An order.
    Order(Arc<Order>),
    /// A customer.
    Customer(Arc<Customer>),
    /// A product.
    Product(Arc<Product>),
}

impl State {
    /// The aggregate's id.
    pub(super) fn subject(&self) -> String {
        match self {
            Self::Order(order) => order.id.to_string(),
            Self::Customer(customer) => customer.id.to_string(),
            Self::Product(product) => product.sku.as_str().to_owned(),
        }
    }

    /// The aggregate's version.
    pub(super) fn version(&self) -> i64 {
        match self {
            Self::Order(order) => order.version,
            Self::Customer(customer) => customer.version,
            Self::Product(product) => product.version,
        }
    }

    /// Reads the log's column `state`, beside the type of its event.
    pub(super) fn of_event(kind: &str, state: serde_json::Value) -> serde_json::Result<Self> {
        if kind.starts_with("orders.Order") {
            serde_json::from_value(state).map(Arc::new).map(Self::Order)
        } else if kind.starts_with("orders.Customer") {
            serde_json::from_value(state).map(Arc::new).map(Self::Customer)
        } else {
            serde_json::from_value(state).map(Arc::new).map(Self::Product)
        }
    }
}
