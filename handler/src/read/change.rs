//! What one event asks of the documents: a list of changes, each to one document and whatever stands beside it.
//! Never looks at a document: each change finds out by itself what is left to be done, in any order and any number of times.

use std::sync::Arc;

use super::{
    document::{
        Generation,
        customer::{CustomerDocument, OrderRowDocument},
        order::{EventDocument, OrderDocument},
        product::ProductDocument,
        sales::Sale,
    },
    incoming::Incoming,
};
use crate::domain::aggregate::Aggregate;

/// A change to one partition of one container.
#[derive(Debug, Clone)]
pub enum Change {
    /// Container `orders`: the order as it is now, and what happened to it.
    Order(Box<OrderDocument>, Box<EventDocument>),
    /// Container `customers`: the customer as he or she is now.
    Customer(CustomerDocument),
    /// Container `customers`: the order in its customer's list.
    OrderRow(OrderRowDocument),
    /// Container `products`: what is said of a product, what is left of it, or both.
    Product(ProductDocument),
    /// Container `sales`: an order was paid, or a paid one cancelled.
    Sale(Sale),
}

/// Everything that this event asks of one generation.
#[must_use]
pub fn changes(generation: Generation, incoming: Incoming) -> Vec<Change> {
    let Incoming {
        event_id,
        event_type,
        at,
        version,
        data,
        state,
        stock,
    } = incoming;
    let levels = stock.iter();
    match state {
        Aggregate::Customer(customer) => vec![Change::Customer(CustomerDocument::new(
            generation,
            Arc::unwrap_or_clone(customer),
            at,
        ))],
        Aggregate::Product(product) => {
            let level = levels.clone().find(|level| level.sku == product.sku);
            let sku = product.sku.clone();
            vec![Change::Product(ProductDocument::new(
                generation,
                &sku,
                Some((Arc::unwrap_or_clone(product), at)),
                level,
            ))]
        }
        Aggregate::Order(order) => {
            let what = (event_type.name().to_owned(), data);
            let event = EventDocument::new(generation, order.id, version, what, at);
            let mut changes: Vec<Change> = levels
                .map(|level| Change::Product(ProductDocument::new(generation, &level.sku, None, Some(level))))
                .collect();
            changes.extend(Sale::of(generation, event_id, &order, at).map(Change::Sale));
            changes.push(Change::OrderRow(OrderRowDocument::new(
                generation,
                (*order).clone().into(),
            )));
            changes.push(Change::Order(
                Box::new(OrderDocument::new(generation, Arc::unwrap_or_clone(order), at)),
                Box::new(event),
            ));
            changes
        }
    }
}
