//! Customers: one, and the list of one's orders.
//! Never shows a customer that another one is registered.

use axum::{extract::State, response::Response};
use serde_json::json;
use uuid::Uuid;

use super::{
    conditional,
    listing::{PageAnswer, QueryParameters},
    orders::{CUSTOMER, row_example},
    read_model, read_one,
};
use crate::{
    domain::customer::Customer,
    http::{
        AppState,
        call::{Caller, PathId},
        commands::id,
        consistency::ReadConsistency,
        endpoint::EndpointDoc,
        problem::{Problem, ProblemKind},
    },
    read::view::{OrderRow, Versioned},
};

pub(in crate::http) fn get_doc() -> EndpointDoc {
    let example = json!({ "id": CUSTOMER, "version": 1, "name": "Ada Lovelace", "email": "ada@example.org" });
    EndpointDoc::new::<Customer>("Read a customer", example)
        .errors(&[ProblemKind::UnknownCustomer, ProblemKind::ReadModelBehind])
}

/// `GET /api/customers/{id}`: `ETag: "<version>"`.
pub(in crate::http) async fn get(
    State(state): State<AppState>,
    caller: Caller,
    consistency: ReadConsistency,
    PathId(customer): PathId,
) -> Result<Response, Problem> {
    let id = own(&caller, &customer)?;
    let positions = consistency.positions(|token| token.customer(id));
    let (seen, source) = read_one(
        &state,
        &consistency,
        &positions,
        async |model| model.customer(id).await,
        async |writer| {
            let customer = writer.customer(id).await?;
            Ok(customer.map(|(customer, changed_at)| Versioned {
                etag: customer.version.to_string(),
                changed_at,
                value: customer,
            }))
        },
    )
    .await?;
    let seen = seen.ok_or_else(absent)?;
    Ok(consistency.annotate(source, conditional::item(&seen)))
}

pub(in crate::http) fn orders_doc() -> EndpointDoc {
    EndpointDoc::new::<PageAnswer<OrderRow>>("List a customer's orders", json!({ "items": [row_example()] }))
        .detail("Newest first; empty for a customer who has ordered nothing.")
        .paged(&["status"])
        .errors(&[ProblemKind::UnknownCustomer, ProblemKind::ReadModelBehind])
}

/// `GET /api/customers/{id}/orders?status=&limit=&cursor=`.
pub(in crate::http) async fn orders(
    State(state): State<AppState>,
    caller: Caller,
    consistency: ReadConsistency,
    PathId(customer): PathId,
    parameters: QueryParameters,
) -> Result<Response, Problem> {
    let (status, request) = (parameters.status()?, parameters.request(|key| key.parse().ok())?);
    let id = own(&caller, &customer)?;
    let model = read_model(&state)?;
    let positions = consistency.positions(|token| token.order_of(id));
    let source = consistency.require(model, &positions).await?;
    let page = model.customer_orders(id, status, &request).await?;
    let answer = parameters.answer(page, |order| order.id.to_string())?;
    Ok(consistency.annotate(source, answer))
}

/// The id in the path, if it is the caller's own or the caller may see everybody.
fn own(caller: &Caller, text: &str) -> Result<Uuid, Problem> {
    let id = id(text, ProblemKind::UnknownCustomer)?;
    match caller.scope.only() {
        Some(only) if only != id => Err(absent()),
        _ => Ok(id),
    }
}

fn absent() -> Problem {
    Problem::new(
        ProblemKind::UnknownCustomer,
        ProblemKind::UnknownCustomer.meaning(),
    )
}
