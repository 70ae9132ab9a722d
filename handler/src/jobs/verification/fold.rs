//! The documents of one aggregate as they must be: its events folded by the rules of the domain.
//! Never looks at the state that travels with an event: projections do, and these are to agree with them.

use uuid::Uuid;

use super::super::engine::JobError;
use crate::{
    domain::fold::StreamFold,
    log::LogEntry,
    read::document::{
        Generation,
        customer::{CustomerDocument, OrderRowDocument},
        order::{EventDocument, OrderDocument},
        product::ProductDocument,
    },
};

/// An aggregate as its events so far have made it.
pub(super) struct DocumentFold<'a> {
    of: Generation,
    stream: &'a str,
    folded: StreamFold,
}

impl<'a> DocumentFold<'a> {
    pub(super) fn new(of: Generation, stream: &'a str) -> Self {
        Self {
            of,
            stream,
            folded: StreamFold::default(),
        }
    }

    /// Adds the next event.
    ///
    /// # Errors
    /// [`JobError`] when the log itself cannot be: an event that is unknown, or that could not happen then.
    pub(super) fn then(&mut self, row: &LogEntry) -> Result<(), JobError> {
        let added = self.folded.add(&row.event);
        added.map_err(|why| JobError::refused(format!("the log of {}: {why}", self.stream)))
    }

    /// The document of an order.
    pub(super) fn order(&self) -> Option<OrderDocument> {
        let (order, at) = self.folded.last()?;
        Some(OrderDocument::new(self.of, order.as_order()?.clone(), at))
    }

    /// The row of an order in its customer's list.
    pub(super) fn row(&self) -> Option<OrderRowDocument> {
        let (order, _) = self.folded.last()?;
        Some(OrderRowDocument::new(self.of, order.as_order()?.clone().into()))
    }

    /// The customer of an order.
    pub(super) fn customer_of_order(&self) -> Option<Uuid> {
        let (order, _) = self.folded.last()?;
        Some(order.as_order()?.customer.id)
    }

    /// The document of a customer.
    pub(super) fn customer(&self) -> Option<CustomerDocument> {
        let (customer, at) = self.folded.last()?;
        Some(CustomerDocument::new(
            self.of,
            customer.as_customer()?.clone(),
            at,
        ))
    }

    /// The document of a product, but for its stock level, which other aggregates' events move as well.
    pub(super) fn product(&self) -> Option<ProductDocument> {
        let (product, at) = self.folded.last()?;
        let product = product.as_product()?;
        Some(ProductDocument::new(
            self.of,
            &product.sku,
            Some((product.clone(), at)),
            None,
        ))
    }
}

/// The history entry that an event of an order leaves.
pub(super) fn history(of: Generation, order: Uuid, row: &LogEntry) -> EventDocument {
    let (kind, data) = (row.event.kind.clone(), row.event.data.clone());
    EventDocument::new(of, order, row.event.version, kind, data, row.event.occurred_at)
}
