//! Orders: one, its history, and the list of all.
//! Never shows a customer that another customer's order exists.

use axum::{extract::State, response::Response};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{
    conditional,
    listing::{PageAnswer, QueryParameters},
    read_model, read_one,
};
use crate::{
    domain::order::Order,
    http::{
        AppState,
        call::{Caller, PathId},
        commands::id,
        consistency::{ConsistencyToken, ReadConsistency, ReadSource},
        endpoint::EndpointDoc,
        problem::{Problem, ProblemKind},
    },
    read::{
        position::ReadPosition,
        view::{HistoryEvent, OrderRow, Versioned},
    },
};

pub(super) const ORDER: &str = "0198c9c1-0000-7000-8000-000000000002";
pub(super) const CUSTOMER: &str = "0198c9c1-0000-7000-8000-000000000001";

/// An order as it stands in a list.
pub(super) fn row_example() -> Value {
    json!({
        "id": ORDER, "version": 2, "status": "paid", "customer": { "id": CUSTOMER, "name": "Ada Lovelace" },
        "total": { "amount": 2598, "currency": "EUR" }, "placedAt": "2026-11-25T09:00:00Z"
    })
}

pub(in crate::http) fn get_doc() -> EndpointDoc {
    let example = json!({
        "id": ORDER, "version": 2, "status": "paid",
        "customer": { "id": CUSTOMER, "name": "Ada Lovelace" },
        "lines": [{
            "sku": "MUG-BLUE", "name": "Blue mug", "quantity": 2, "unitPrice": { "amount": 1299, "currency": "EUR" }
        }],
        "total": { "amount": 2598, "currency": "EUR" },
        "placedAt": "2026-11-25T09:00:00Z", "paidAt": "2026-11-25T09:05:00Z"
    });
    EndpointDoc::new::<Order>("Read an order", example)
        .detail(
            "As its newest projected event left it: a change shows up here a moment after its command was answered, or, \
             with the command's `Consistency-Token`, at once.",
        )
        .errors(&[ProblemKind::UnknownOrder, ProblemKind::ReadModelBehind])
}

/// `GET /api/orders/{id}`: `ETag: "<version>"`.
pub(in crate::http) async fn get(
    State(state): State<AppState>,
    caller: Caller,
    consistency: ReadConsistency,
    PathId(order): PathId,
) -> Result<Response, Problem> {
    let id = id(&order, ProblemKind::UnknownOrder)?;
    let (order, source) = visible(&state, &caller, &consistency, id).await?;
    Ok(consistency.annotate(source, conditional::item(&order)))
}

pub(in crate::http) fn history_doc() -> EndpointDoc {
    let placed = json!({
        "customer": { "id": CUSTOMER, "name": "Ada Lovelace" },
        "lines": [{
            "sku": "MUG-BLUE", "name": "Blue mug", "quantity": 2, "unitPrice": { "amount": 1299, "currency": "EUR" }
        }],
        "total": { "amount": 2598, "currency": "EUR" }, "at": "2026-11-25T09:00:00Z"
    });
    let event = json!({ "version": 1, "type": "orders.OrderPlaced.v1", "at": "2026-11-25T09:00:00Z", "data": placed });
    EndpointDoc::new::<PageAnswer<HistoryEvent>>(
        "Read what happened to an order",
        json!({ "items": [event] }),
    )
    .detail("Oldest first. An event whose message comes late takes its place when it has come.")
    .paged(&[])
    .errors(&[ProblemKind::UnknownOrder, ProblemKind::ReadModelBehind])
}

/// `GET /api/orders/{id}/history`.
pub(in crate::http) async fn history(
    State(state): State<AppState>,
    caller: Caller,
    consistency: ReadConsistency,
    PathId(order): PathId,
    parameters: QueryParameters,
) -> Result<Response, Problem> {
    let request = parameters.request(|key| key.parse().ok())?;
    let id = id(&order, ProblemKind::UnknownOrder)?;
    let model = read_model(&state)?;
    let positions = positions_of(&caller, &consistency, id, ConsistencyToken::history_of);
    let source = consistency.require(model, &positions).await?;
    let order = model.order(id).await?.ok_or_else(absent)?;
    own(&caller, &order)?;
    let page = model.history(id, &request).await?;
    let answer = parameters.answer(page, |event| event.version.to_string())?;
    Ok(consistency.annotate(source, answer))
}

pub(in crate::http) fn list_doc() -> EndpointDoc {
    EndpointDoc::new::<PageAnswer<OrderRow>>("List everybody's orders", json!({ "items": [row_example()] }))
        .detail("Newest first.")
        .paged(&["status"])
        .errors(&[ProblemKind::ReadModelBehind])
}

/// `GET /api/orders?status=&limit=&cursor=`.
pub(in crate::http) async fn list(
    State(state): State<AppState>,
    _staff: Caller,
    consistency: ReadConsistency,
    parameters: QueryParameters,
) -> Result<Response, Problem> {
    let (status, request) = (parameters.status()?, parameters.request(|key| key.parse().ok())?);
    let model = read_model(&state)?;
    let source = consistency
        .require(model, &consistency.positions(ConsistencyToken::any_order))
        .await?;
    let page = model.orders(status, &request).await?;
    let answer = parameters.answer(page, |order| order.id.to_string())?;
    Ok(consistency.annotate(source, answer))
}

/// The positions to wait for before this order is read. A customer's wait begins in their own list, where another customer's order
/// is missing just as one that does not exist: the wait tells nothing about either.
fn positions_of(
    caller: &Caller,
    consistency: &ReadConsistency,
    id: Uuid,
    there: fn(&ConsistencyToken, Uuid) -> Option<ReadPosition>,
) -> Vec<ReadPosition> {
    let there = consistency.positions(|token| there(token, id));
    let own = caller.scope.only().filter(|_| !there.is_empty());
    let listed = own
        .into_iter()
        .flat_map(|customer| consistency.positions(|token| token.order_of(customer)));
    listed.chain(there.clone()).collect()
}

/// The order, if it is there for this caller.
async fn visible(
    state: &AppState,
    caller: &Caller,
    consistency: &ReadConsistency,
    id: Uuid,
) -> Result<(Versioned<Order>, ReadSource), Problem> {
    let (order, source) = read_one(
        state,
        consistency,
        &positions_of(caller, consistency, id, ConsistencyToken::this_order),
        async |model| model.order(id).await,
        async |writer| {
            let order = writer.order(id).await?;
            Ok(order.map(|(order, changed_at)| Versioned {
                etag: order.version.to_string(),
                changed_at,
                value: order,
            }))
        },
    )
    .await?;
    let order = order.ok_or_else(absent)?;
    own(caller, &order)?;
    Ok((order, source))
}

fn own(caller: &Caller, order: &Versioned<Order>) -> Result<(), Problem> {
    match caller.scope.only() {
        Some(only) if only != order.value.customer.id => Err(absent()),
        _ => Ok(()),
    }
}

fn absent() -> Problem {
    Problem::new(ProblemKind::UnknownOrder, ProblemKind::UnknownOrder.meaning())
}
