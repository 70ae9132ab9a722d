//! The queries, answered from the documents in Cosmos DB: point reads where an id is known, one query otherwise.
//! Never reads more of a list than a page, and never sorts by more than one property: that would need composite indexes.

use std::{sync::Arc, time::Duration};

use serde_json::{Value, json};
use time::Date;
use uuid::Uuid;

use super::{
    connection::{CosmosConnection, CosmosContainer},
    document::{
        Document, Generation,
        customer::{CUSTOMER, CustomerDocument, OrderRowDocument},
        order::{EventDocument, ORDER, OrderDocument, event},
        product::{PRODUCT, ProductDocument},
        sales::{TotalsDocument, by_day, shard},
    },
    generation::PointerCache,
    position::ReadPosition,
    store::{DocumentStore, StoreError},
    view::{DaySales, HistoryEvent, OrderRow, Page, PageRequest, ProductView, Versioned},
};
use crate::domain::{customer::Customer, order::Order, order::OrderStatus, value::Sku};

/// Longest wait for a page of a list, and for the sums of a year: 16 small documents a day, in pages of their own.
const PAGE: Duration = Duration::from_secs(6);
const YEAR: Duration = Duration::from_secs(30);

/// The container that a health probe reads for the whole account.
#[must_use]
pub fn probed_container(connection: &Arc<CosmosConnection>) -> DocumentStore {
    DocumentStore::new(connection, CosmosContainer::Orders)
}

/// The documents, as they are read.
pub struct CosmosReadModel {
    orders: DocumentStore,
    customers: DocumentStore,
    products: DocumentStore,
    sales: DocumentStore,
    generations: Arc<PointerCache>,
}

impl CosmosReadModel {
    /// The documents of this account.
    #[must_use]
    pub fn new(connection: &Arc<CosmosConnection>, generations: &Arc<PointerCache>) -> Self {
        Self {
            generations: Arc::clone(generations),
            orders: DocumentStore::new(connection, CosmosContainer::Orders),
            customers: DocumentStore::new(connection, CosmosContainer::Customers),
            products: DocumentStore::new(connection, CosmosContainer::Products),
            sales: DocumentStore::new(connection, CosmosContainer::Sales),
        }
    }

    /// The generation that is read now.
    async fn live(&self) -> Result<Generation, StoreError> {
        Ok(self.generations.current().await?.live)
    }

    pub(super) async fn order(&self, id: Uuid) -> Result<Option<Versioned<Order>>, StoreError> {
        let pk = self.live().await?.partition(&id.to_string());
        let stored = self.orders.read::<OrderDocument>(&pk, ORDER).await?;
        Ok(stored.map(|stored| Versioned {
            etag: stored.document.version().to_string(),
            changed_at: Some(stored.document.changed_at()),
            value: stored.document.into_order(),
        }))
    }

    pub(super) async fn history(
        &self,
        id: Uuid,
        request: &PageRequest<i64>,
    ) -> Result<Page<HistoryEvent>, StoreError> {
        let text = format!(
            "SELECT TOP {} * FROM c WHERE c.kind = 'event' AND c.version > @after ORDER BY c.version",
            request.limit + 1
        );
        let pk = self.live().await?.partition(&id.to_string());
        let after = [("@after", json!(request.after.unwrap_or_default()))];
        let events = self.orders.query(Some(&pk), &text, &after, PAGE).await?;
        Ok(request.page(events.into_iter().map(EventDocument::into_event).collect()))
    }

    pub(super) async fn customer(&self, id: Uuid) -> Result<Option<Versioned<Customer>>, StoreError> {
        let pk = self.live().await?.partition(&id.to_string());
        let stored = self.customers.read::<CustomerDocument>(&pk, CUSTOMER).await?;
        Ok(stored.map(|stored| stored.document.into_versioned()))
    }

    pub(super) async fn customer_orders(
        &self,
        customer: Uuid,
        status: Option<OrderStatus>,
        request: &PageRequest<Uuid>,
    ) -> Result<Page<OrderRow>, StoreError> {
        let generation = self.live().await?;
        let pk = generation.partition(&customer.to_string());
        let (text, parameters) = newest_orders(generation, status, request);
        let rows = self.customers.query(Some(&pk), &text, &parameters, PAGE).await?;
        Ok(request.page(rows))
    }

    pub(super) async fn orders(
        &self,
        status: Option<OrderStatus>,
        request: &PageRequest<Uuid>,
    ) -> Result<Page<OrderRow>, StoreError> {
        let (text, parameters) = newest_orders(self.live().await?, status, request);
        let rows = self.orders.query(None, &text, &parameters, PAGE).await?;
        Ok(request.page(rows))
    }

    pub(super) async fn product(&self, sku: &Sku) -> Result<Option<Versioned<ProductView>>, StoreError> {
        let pk = self.live().await?.partition(sku.as_str());
        let stored = self.products.read::<ProductDocument>(&pk, PRODUCT).await?;
        Ok(stored.and_then(|stored| stored.document.into_versioned()))
    }

    pub(super) async fn products(&self, request: &PageRequest<Sku>) -> Result<Page<ProductView>, StoreError> {
        let text = format!(
            "SELECT TOP {} * FROM c WHERE c.gen = @gen AND c.kind = 'product' AND c.sku > @after ORDER BY c.sku",
            request.limit + 1
        );
        let after = request.after.as_ref().map_or("", Sku::as_str);
        let parameters = [("@gen", json!(self.live().await?)), ("@after", json!(after))];
        let products: Vec<ProductDocument> = self.products.query(None, &text, &parameters, PAGE).await?;
        let shown = products.into_iter().filter_map(ProductDocument::into_versioned);
        Ok(request.page(shown.map(|seen| seen.value).collect()))
    }

    pub(super) async fn sales(&self, from: Date, to: Date) -> Result<Vec<DaySales>, StoreError> {
        let text =
            "SELECT * FROM c WHERE c.gen = @gen AND c.kind = 'totals' AND c.day >= @from AND c.day <= @to";
        let parameters = [
            ("@gen", json!(self.live().await?)),
            ("@from", json!(from.to_string())),
            ("@to", json!(to.to_string())),
        ];
        let shards: Vec<TotalsDocument> = self.sales.query(None, text, &parameters, YEAR).await?;
        Ok(by_day(shards))
    }

    /// One point read says whether the projection has come so far.
    pub(super) async fn has(&self, position: &ReadPosition) -> Result<bool, StoreError> {
        Ok(match position {
            ReadPosition::Order { id, version } => {
                let order = self.order(*id).await?;
                order.is_some_and(|order| order.value.version >= *version)
            }
            ReadPosition::Event { order, version } => {
                let pk = self.live().await?.partition(&order.to_string());
                let id = event(*version);
                self.orders.read::<Value>(&pk, &id).await?.is_some()
            }
            ReadPosition::OrderOf {
                customer,
                id,
                version,
            } => {
                let pk = self.live().await?.partition(&customer.to_string());
                let id = id.to_string();
                let row = self.customers.read::<OrderRowDocument>(&pk, &id).await?;
                row.is_some_and(|row| row.document.into_row().version >= *version)
            }
            ReadPosition::Customer { id, version } => {
                let customer = self.customer(*id).await?;
                customer.is_some_and(|customer| customer.value.version >= *version)
            }
            ReadPosition::Product { sku, version } => {
                let product = self.product(sku).await?;
                product.is_some_and(|product| product.value.product.version >= *version)
            }
            ReadPosition::Sale { day, order, event } => {
                let pk = shard(self.live().await?, *day, *order);
                self.sales.read::<Value>(&pk, &event.to_string()).await?.is_some()
            }
        })
    }
}

/// Orders from the newest id on, of one status or of all; the same in one partition and over all of them. Without the lines,
/// which no list shows.
fn newest_orders(
    generation: Generation,
    status: Option<OrderStatus>,
    request: &PageRequest<Uuid>,
) -> (String, Vec<(&'static str, Value)>) {
    let mut text = format!(
        "SELECT TOP {} c.orderId AS id, c.version, c.status, c.customer, c.total, c.placedAt \
         FROM c WHERE c.gen = @gen AND c.kind = 'order'",
        request.limit + 1
    );
    let mut parameters = vec![("@gen", json!(generation))];
    if let Some(after) = request.after {
        text.push_str(" AND c.orderId < @after");
        parameters.push(("@after", json!(after)));
    }
    if let Some(status) = status {
        text.push_str(" AND c.status = @status");
        parameters.push(("@status", json!(status)));
    }
    text.push_str(" ORDER BY c.orderId DESC");
    (text, parameters)
}
