//! What the documents of one aggregate must be, folded out of its events by the rules of the domain.
//! Never looks at the state that travels with an event: projections do, and these are to agree with them.

use serde_json::json;
use uuid::Uuid;

use super::Failed;
use crate::{
    domain::{
        customer::{self, Customer},
        event::Event,
        order::{self, Order},
        product::{self, Product},
        value::Sku,
    },
    read::document::{
        Generation,
        customer::{CustomerDocument, OrderRowDocument},
        order::{EventDocument, OrderDocument},
        product::ProductDocument,
    },
    write::outbox::Pending,
};

/// The documents of an aggregate.
pub struct Expected {
    /// As it is now.
    pub aggregate: Aggregate,
    /// Of an order: a document for each event.
    pub history: Vec<EventDocument>,
}

/// Those that show it as it is now.
pub enum Aggregate {
    /// The order, and its row in its customer's list.
    Order(Box<OrderDocument>, OrderRowDocument),
    /// The customer.
    Customer(CustomerDocument),
    /// Without a stock level, which other aggregates' events move as well.
    Product(ProductDocument),
}

/// The aggregate so far.
enum Folded {
    Order(Uuid, Option<Order>),
    Customer(Uuid, Option<Customer>),
    Product(Sku, Option<Product>),
}

/// Folds all events of a stream.
///
/// # Errors
/// [`Failed`] when the log itself cannot be: an event that is unknown, or that could not happen then.
pub fn expected(of: Generation, stream: &str, events: &[Pending]) -> Result<Expected, Failed> {
    let broken = |why: &str| Failed::refused(format!("the log of {stream}: {why}"));
    let first = events.first().ok_or_else(|| broken("it is empty"))?;
    let mut folded =
        Folded::begin(stream, &first.event.kind).ok_or_else(|| broken("whose it is cannot be told"))?;
    for row in events {
        let event = json!({ "type": row.event.kind, "data": row.event.data });
        let event: Event = serde_json::from_value(event).map_err(|error| broken(&error.to_string()))?;
        folded = folded
            .then(&event)
            .ok_or_else(|| broken("something happened that could not"))?;
    }
    let at = events
        .last()
        .map_or(first.event.occurred_at, |last| last.event.occurred_at);
    let history = |row: &Pending| {
        let what = (row.event.kind.clone(), row.event.data.clone());
        let Folded::Order(id, _) = &folded else {
            return None;
        };
        Some(EventDocument::new(
            of,
            *id,
            row.event.version,
            what,
            row.event.occurred_at,
        ))
    };
    let history = events.iter().filter_map(history).collect();
    let aggregate = match folded {
        Folded::Order(_, Some(order)) => {
            let row = OrderRowDocument::new(of, order.clone().into());
            Aggregate::Order(Box::new(OrderDocument::new(of, order, at)), row)
        }
        Folded::Customer(_, Some(customer)) => Aggregate::Customer(CustomerDocument::new(of, customer, at)),
        Folded::Product(sku, Some(product)) => {
            Aggregate::Product(ProductDocument::new(of, &sku, Some((product, at)), None))
        }
        _ => return Err(broken("nothing came of it")),
    };
    Ok(Expected { aggregate, history })
}

impl Folded {
    fn begin(stream: &str, kind: &str) -> Option<Self> {
        if kind.starts_with("orders.Product") {
            return Some(Self::Product(stream.to_owned().try_into().ok()?, None));
        }
        let id = stream.parse().ok()?;
        Some(if kind.starts_with("orders.Order") {
            Self::Order(id, None)
        } else {
            Self::Customer(id, None)
        })
    }

    fn then(self, event: &Event) -> Option<Self> {
        Some(match self {
            Self::Order(id, order) => Self::Order(id, Some(order::evolve(id, order, event)?)),
            Self::Customer(id, customer) => Self::Customer(id, Some(customer::evolve(id, customer, event)?)),
            Self::Product(sku, product) => {
                let next = product::evolve(&sku, product, event)?;
                Self::Product(sku, Some(next))
            }
        })
    }
}
