//! Answers of accepted commands: the aggregate, its ETag, where to read it, and the token to read it with.
//! Never says more than the event does: a replayed answer is rendered from the event again, and is the same.

use axum::{
    Json,
    http::{HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use schemars::JsonSchema;
use serde::Serialize;
use uuid::Uuid;

use super::{
    consistency::{CONSISTENCY_TOKEN, ConsistencyToken},
    problem::Problem,
};
use crate::{
    domain::{aggregate::Aggregate, customer::Customer, order::OrderStatus, product::Product, value::Money},
    write::AcceptedCommand,
};

pub(super) const IDEMPOTENT_REPLAYED: &str = "idempotent-replayed";

pub(super) type CommandResult = Result<Response, Problem>;

/// The aggregate after the command.
#[derive(Debug, Serialize)]
#[serde(untagged)]
enum AnswerBody<'a> {
    Order(OrderAnswer<'a>),
    Customer(&'a Customer),
    Product(ProductAnswer<'a>),
}

/// An order in short; `Location` of a new one, or its own address, shows it whole.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "OrderAnswer")]
pub(super) struct OrderAnswer<'a> {
    /// Identity of the order.
    id: Uuid,
    /// One more with each change.
    version: i64,
    /// Status of the order.
    status: OrderStatus,
    /// Sum of the lines.
    total: &'a Money,
}

/// A product, and what is left of it where the command moved that.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "ProductAnswer")]
pub(super) struct ProductAnswer<'a> {
    #[serde(flatten)]
    product: &'a Product,
    /// Pieces left right after a restock.
    #[serde(skip_serializing_if = "Option::is_none")]
    available: Option<i64>,
}

/// 201, with the address of what is new.
pub(super) fn created(done: &AcceptedCommand) -> Response {
    let (_, collection) = kind(&done.state);
    let location = format!("/api/{collection}/{}", done.subject());
    (StatusCode::CREATED, [(header::LOCATION, location)], changed(done)).into_response()
}

/// 200.
pub(super) fn changed(done: &AcceptedCommand) -> Response {
    let body = match &done.state {
        Aggregate::Order(order) => AnswerBody::Order(OrderAnswer {
            id: order.id,
            version: order.version,
            status: order.progress.status(),
            total: &order.total,
        }),
        Aggregate::Customer(customer) => AnswerBody::Customer(customer),
        Aggregate::Product(product) => {
            let available = done.stock.first().map(|level| level.available);
            AnswerBody::Product(ProductAnswer { product, available })
        }
    };
    let etag = (header::ETAG, format!("\"{}\"", done.version()));
    let token = (
        HeaderName::from_static(CONSISTENCY_TOKEN),
        ConsistencyToken::after(done).encode(),
    );
    let mut response = ([etag, token], Json(body)).into_response();
    if done.replayed {
        let replayed = HeaderName::from_static(IDEMPOTENT_REPLAYED);
        response
            .headers_mut()
            .insert(replayed, HeaderValue::from_static("true"));
    }
    response
}

/// The aggregate's name, and where such things are.
fn kind(state: &Aggregate) -> (&'static str, &'static str) {
    match state {
        Aggregate::Order(_) => ("order", "orders"),
        Aggregate::Customer(_) => ("customer", "customers"),
        Aggregate::Product(_) => ("product", "products"),
    }
}
