//! What the documents of one aggregate must be, folded out of its events by the rules of the domain.
//! Never looks at the state that travels with an event: projections do, and these are to agree with them.

use serde_json::json;
use time::OffsetDateTime;
use uuid::Uuid;

use super::super::Failed;
use crate::{
    domain::{
        customer::{self, Customer},
        event::Event,
        order::{self, Order},
        product::{self, Product},
        value::Sku,
    },
    log::LogEntry,
    read::document::{
        Generation,
        customer::{CustomerDocument, OrderRowDocument},
        order::{EventDocument, OrderDocument},
        product::ProductDocument,
    },
};

/// An aggregate as its events so far have made it.
pub(in crate::operations) struct Fold<'a> {
    of: Generation,
    stream: &'a str,
    folded: Option<Folded>,
    at: OffsetDateTime,
}

/// Whose events they are.
#[derive(Debug, Clone)]
pub(in crate::operations) enum Whose {
    Order(Uuid),
    Customer(Uuid),
    Product(Sku),
}

enum Folded {
    Order(Order),
    Customer(Customer),
    Product(Product),
}

impl Whose {
    /// By the name of its first event.
    pub(in crate::operations) fn of(stream: &str, kind: &str) -> Option<Self> {
        if kind.starts_with("orders.Product") {
            return Some(Self::Product(stream.to_owned().try_into().ok()?));
        }
        let id = stream.parse().ok()?;
        Some(if kind.starts_with("orders.Order") {
            Self::Order(id)
        } else {
            Self::Customer(id)
        })
    }
}

impl<'a> Fold<'a> {
    pub(in crate::operations) fn new(of: Generation, stream: &'a str) -> Self {
        Self {
            of,
            stream,
            folded: None,
            at: OffsetDateTime::UNIX_EPOCH,
        }
    }

    /// Puts the next event to it.
    ///
    /// # Errors
    /// [`Failed`] when the log itself cannot be: an event that is unknown, or that could not happen then.
    pub(in crate::operations) fn then(&mut self, row: &LogEntry) -> Result<(), Failed> {
        let event = json!({ "type": row.event.kind, "data": row.event.data });
        let event: Event = serde_json::from_value(event).map_err(|error| self.broken(&error.to_string()))?;
        let whose = Whose::of(self.stream, &row.event.kind)
            .ok_or_else(|| self.broken("whose it is cannot be told"))?;
        let next = match (whose, self.folded.take()) {
            (Whose::Order(id), None) => order::evolve(id, None, &event).map(Folded::Order),
            (Whose::Order(id), Some(Folded::Order(order))) => {
                order::evolve(id, Some(order), &event).map(Folded::Order)
            }
            (Whose::Customer(id), None) => customer::evolve(id, None, &event).map(Folded::Customer),
            (Whose::Customer(id), Some(Folded::Customer(customer))) => {
                customer::evolve(id, Some(customer), &event).map(Folded::Customer)
            }
            (Whose::Product(sku), None) => product::evolve(&sku, None, &event).map(Folded::Product),
            (Whose::Product(sku), Some(Folded::Product(product))) => {
                product::evolve(&sku, Some(product), &event).map(Folded::Product)
            }
            _ => None,
        };
        let next = next.ok_or_else(|| self.broken("something happened that could not"))?;
        self.folded = Some(next);
        self.at = row.event.occurred_at;
        Ok(())
    }

    /// The document of an order.
    pub(in crate::operations) fn order(&self) -> Option<OrderDocument> {
        match &self.folded {
            Some(Folded::Order(order)) => Some(OrderDocument::new(self.of, order.clone(), self.at)),
            _ => None,
        }
    }

    /// The row of an order in its customer's list.
    pub(in crate::operations) fn row(&self) -> Option<OrderRowDocument> {
        match &self.folded {
            Some(Folded::Order(order)) => Some(OrderRowDocument::new(self.of, order.clone().into())),
            _ => None,
        }
    }

    /// Whose order it is.
    pub(in crate::operations) fn customer_of_order(&self) -> Option<Uuid> {
        match &self.folded {
            Some(Folded::Order(order)) => Some(order.customer.id),
            _ => None,
        }
    }

    /// The document of a customer.
    pub(in crate::operations) fn customer(&self) -> Option<CustomerDocument> {
        match &self.folded {
            Some(Folded::Customer(customer)) => {
                Some(CustomerDocument::new(self.of, customer.clone(), self.at))
            }
            _ => None,
        }
    }

    /// The document of a product, but for its stock level, which other aggregates' events move as well.
    pub(in crate::operations) fn product(&self) -> Option<ProductDocument> {
        match &self.folded {
            Some(Folded::Product(product)) => {
                let described = Some((product.clone(), self.at));
                Some(ProductDocument::new(self.of, &product.sku, described, None))
            }
            _ => None,
        }
    }

    fn broken(&self, why: &str) -> Failed {
        Failed::refused(format!("the log of {}: {why}", self.stream))
    }
}

/// What an event of an order leaves in its history.
pub(in crate::operations) fn history(of: Generation, order: Uuid, row: &LogEntry) -> EventDocument {
    let what = (row.event.kind.clone(), row.event.data.clone());
    EventDocument::new(of, order, row.event.version, what, row.event.occurred_at)
}
