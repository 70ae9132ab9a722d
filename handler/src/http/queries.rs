//! The reads: one document each, with its ETag.
//! Never asks the write model, and never waits for a projection.

use axum::{
    Json, Router,
    extract::{Path, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use uuid::Uuid;

use super::{Reach, principal::Principal, problem::Problem};
use crate::read::document::{ORDER_DOCUMENT, OrderDocument, partition};

/// The routes of all queries, below the host's route prefix.
pub fn routes() -> Router<Reach> {
    Router::new().route("/api/orders/{id}", get(get_order))
}

/// `GET /api/orders/{id}`: the order as its newest projected event left it, `ETag: "<version>"`.
async fn get_order(
    State(reach): State<Reach>,
    Path(id): Path<String>,
    _caller: Principal,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let absent = || Problem::new(StatusCode::NOT_FOUND, "unknown-order", "there is no such order");
    let id = Uuid::try_parse(&id).map_err(|_| absent())?;
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
