//! Turns one event into changes, each to one document and what stands beside it.
//! Never reads a document: each change finds what is left to do, in any order and any number of times.

use std::sync::Arc;

use super::{
    document::{
        Generation,
        customer::{CustomerDocument, OrderRowDocument},
        order::{EventDocument, OrderDocument},
        product::ProductDocument,
        sales::Sale,
    },
    incoming::IncomingEvent,
};
use crate::domain::aggregate::Aggregate;

/// A change to one partition of one container.
#[derive(Debug, Clone)]
pub enum DocumentChange {
    /// Container `orders`: the order as it is now, and what happened to it.
    Order(Box<OrderDocument>, Box<EventDocument>),
    /// Container `customers`: the customer as they are now.
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
pub fn changes(generation: Generation, incoming: IncomingEvent) -> Vec<DocumentChange> {
    let IncomingEvent {
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
        Aggregate::Customer(customer) => vec![DocumentChange::Customer(CustomerDocument::new(
            generation,
            Arc::unwrap_or_clone(customer),
            at,
        ))],
        Aggregate::Product(product) => {
            let level = levels.clone().find(|level| level.sku == product.sku);
            let sku = product.sku.clone();
            vec![DocumentChange::Product(ProductDocument::new(
                generation,
                &sku,
                Some((Arc::unwrap_or_clone(product), at)),
                level,
            ))]
        }
        Aggregate::Order(order) => {
            let kind = event_type.name().to_owned();
            let event = EventDocument::new(generation, order.id, version, kind, data, at);
            let mut changes: Vec<DocumentChange> = levels
                .map(|level| {
                    DocumentChange::Product(ProductDocument::new(generation, &level.sku, None, Some(level)))
                })
                .collect();
            changes.extend(Sale::from_event(generation, event_id, &order, at).map(DocumentChange::Sale));
            changes.push(DocumentChange::OrderRow(OrderRowDocument::new(
                generation,
                (*order).clone().into(),
            )));
            changes.push(DocumentChange::Order(
                Box::new(OrderDocument::new(generation, Arc::unwrap_or_clone(order), at)),
                Box::new(event),
            ));
            changes
        }
    }
}
