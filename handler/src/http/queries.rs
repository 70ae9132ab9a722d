//! The reads: one document each, with its ETag.
//! Never asks the write model, and never waits for a projection.

use axum::{
    Json,
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde_json::json;

use super::{
    Reach,
    call::{Caller, Named},
    commands::id,
    endpoint::Doc,
    problem::{Kind, Problem},
};
use crate::{
    domain::order::Order,
    read::document::{ORDER_DOCUMENT, OrderDocument, partition},
};

pub(super) fn get_order_doc() -> Doc {
    let example = json!({
        "id": "0198c9c1-0000-7000-8000-000000000002", "version": 2, "status": "paid",
        "customer": { "id": "0198c9c1-0000-7000-8000-000000000001", "name": "Ada Lovelace" },
        "lines": [{
            "sku": "MUG-BLUE", "name": "Blue mug", "quantity": 2, "unitPrice": { "amount": 1299, "currency": "EUR" }
        }],
        "total": { "amount": 2598, "currency": "EUR" },
        "placedAt": "2026-11-25T09:00:00Z", "paidAt": "2026-11-25T09:05:00Z"
    });
    Doc::new::<Order>("Read an order", example)
        .detail("As its newest projected event left it: a change shows up here a moment after its command was answered.")
        .refuses(&[Kind::UnknownOrder])
}

/// `GET /api/orders/{id}`: the order as its newest projected event left it, `ETag: "<version>"`.
pub(super) async fn get_order(
    State(reach): State<Reach>,
    caller: Caller,
    Named(order): Named,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let absent = || Problem::new(Kind::UnknownOrder, Kind::UnknownOrder.meaning());
    let id = id(&order, Kind::UnknownOrder)?;
    let orders = reach
        .orders
        .as_ref()
        .ok_or_else(|| Problem::not_configured("read model"))?;
    let pk = partition(&id.to_string());
    let stored = orders
        .read::<OrderDocument>(&pk, ORDER_DOCUMENT)
        .await?
        .ok_or_else(absent)?;
    let order = stored.document.into_order();
    if caller.scope.only().is_some_and(|only| only != order.customer.id) {
        return Err(absent());
    }
    let etag = format!("\"{}\"", order.version);
    let fresh = [
        (header::ETAG, etag.clone()),
        (header::CACHE_CONTROL, "private, no-cache".to_owned()),
    ];
    if known(&headers, &etag) {
        return Ok((StatusCode::NOT_MODIFIED, fresh).into_response());
    }
    Ok((fresh, Json(order)).into_response())
}

/// `If-None-Match` names this ETag, or any (RFC 9110, section 13.1.2; weak comparison).
fn known(headers: &HeaderMap, etag: &str) -> bool {
    let values = headers
        .get_all(header::IF_NONE_MATCH)
        .iter()
        .filter_map(|value| value.to_str().ok());
    values
        .flat_map(|value| value.split(','))
        .map(|tag| tag.trim().trim_start_matches("W/"))
        .any(|tag| tag == "*" || tag == etag)
}
