//! Orders: one, what happened to it, and the list of all.
//! Never shows a customer that somebody else's order exists.

use axum::{extract::State, response::Response};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{
    fresh,
    listing::{PageAnswer, Parameters},
    model, one,
};
use crate::{
    domain::order::Order,
    http::{
        Reach,
        call::{Caller, Named},
        commands::id,
        consistency::{Source, Token, Wish},
        endpoint::Doc,
        problem::{Kind, Problem},
    },
    read::{
        model::Mark,
        view::{HistoryEvent, OrderRow, Seen},
    },
};

pub(super) const ORDER: &str = "0198c9c1-0000-7000-8000-000000000002";
pub(super) const CUSTOMER: &str = "0198c9c1-0000-7000-8000-000000000001";

/// What an order looks like in a list.
pub(super) fn row_example() -> Value {
    json!({
        "id": ORDER, "version": 2, "status": "paid", "customer": { "id": CUSTOMER, "name": "Ada Lovelace" },
        "total": { "amount": 2598, "currency": "EUR" }, "placedAt": "2026-11-25T09:00:00Z"
    })
}

pub(in crate::http) fn get_doc() -> Doc {
    let example = json!({
        "id": ORDER, "version": 2, "status": "paid",
        "customer": { "id": CUSTOMER, "name": "Ada Lovelace" },
        "lines": [{
            "sku": "MUG-BLUE", "name": "Blue mug", "quantity": 2, "unitPrice": { "amount": 1299, "currency": "EUR" }
        }],
        "total": { "amount": 2598, "currency": "EUR" },
        "placedAt": "2026-11-25T09:00:00Z", "paidAt": "2026-11-25T09:05:00Z"
    });
    Doc::new::<Order>("Read an order", example)
        .detail(
            "As its newest projected event left it: a change shows up here a moment after its command was answered, or, \
             with the command's `Consistency-Token`, at once.",
        )
        .refuses(&[Kind::UnknownOrder, Kind::ReadModelBehind])
}

/// `GET /api/orders/{id}`: `ETag: "<version>"`.
pub(in crate::http) async fn get(
    State(reach): State<Reach>,
    caller: Caller,
    wish: Wish,
    Named(order): Named,
) -> Result<Response, Problem> {
    let id = id(&order, Kind::UnknownOrder)?;
    let (order, source) = visible(&reach, &caller, &wish, id).await?;
    Ok(wish.told(source, fresh::one(&order)))
}

pub(in crate::http) fn history_doc() -> Doc {
    let placed = json!({
        "customer": { "id": CUSTOMER, "name": "Ada Lovelace" },
        "lines": [{
            "sku": "MUG-BLUE", "name": "Blue mug", "quantity": 2, "unitPrice": { "amount": 1299, "currency": "EUR" }
        }],
        "total": { "amount": 2598, "currency": "EUR" }, "at": "2026-11-25T09:00:00Z"
    });
    let event = json!({ "version": 1, "type": "orders.OrderPlaced.v1", "at": "2026-11-25T09:00:00Z", "data": placed });
    Doc::new::<PageAnswer<HistoryEvent>>("Read what happened to an order", json!({ "items": [event] }))
        .detail("Oldest first. An event whose message comes late takes its place when it has come.")
        .pages(&[])
        .refuses(&[Kind::UnknownOrder, Kind::ReadModelBehind])
}

/// `GET /api/orders/{id}/history`.
pub(in crate::http) async fn history(
    State(reach): State<Reach>,
    caller: Caller,
    wish: Wish,
    Named(order): Named,
    parameters: Parameters,
) -> Result<Response, Problem> {
    let slice = parameters.slice(|key| key.parse().ok())?;
    let id = id(&order, Kind::UnknownOrder)?;
    let model = model(&reach)?;
    let marks = marks(&caller, &wish, id, Token::history_of);
    let source = wish.insist(model, &marks).await?;
    let order = model.order(id).await?.ok_or_else(absent)?;
    own(&caller, &order)?;
    let page = model.history(id, &slice).await?;
    let answer = parameters.answer(page, |event| event.version.to_string())?;
    Ok(wish.told(source, answer))
}

pub(in crate::http) fn list_doc() -> Doc {
    Doc::new::<PageAnswer<OrderRow>>("List everybody's orders", json!({ "items": [row_example()] }))
        .detail("Newest first.")
        .pages(&["status"])
        .refuses(&[Kind::ReadModelBehind])
}

/// `GET /api/orders?status=&limit=&cursor=`.
pub(in crate::http) async fn list(
    State(reach): State<Reach>,
    _staff: Caller,
    wish: Wish,
    parameters: Parameters,
) -> Result<Response, Problem> {
    let (status, slice) = (parameters.status()?, parameters.slice(|key| key.parse().ok())?);
    let model = model(&reach)?;
    let source = wish.insist(model, &wish.mark(Token::any_order)).await?;
    let page = model.orders(status, &slice).await?;
    let answer = parameters.answer(page, |order| order.id.to_string())?;
    Ok(wish.told(source, answer))
}

/// Where to look for the token's event before this order is read there. A customer's wait begins in his own list, where
/// somebody else's order is missing just as one is that does not exist: how long he waits, and for what, tells neither.
fn marks(caller: &Caller, wish: &Wish, id: Uuid, there: fn(&Token, Uuid) -> Option<Mark>) -> Vec<Mark> {
    let there = wish.mark(|token| there(token, id));
    let own = caller.scope.only().filter(|_| !there.is_empty());
    let listed = own
        .into_iter()
        .flat_map(|customer| wish.mark(|token| token.order_of(customer)));
    listed.chain(there.clone()).collect()
}

/// The order, if it is there for this caller.
async fn visible(
    reach: &Reach,
    caller: &Caller,
    wish: &Wish,
    id: Uuid,
) -> Result<(Seen<Order>, Source), Problem> {
    let (order, source) = one(
        reach,
        (wish, marks(caller, wish, id, Token::this_order)),
        async |model| model.order(id).await,
        async |writer| {
            let order = writer.order(id).await?;
            Ok(order.map(|(order, changed_at)| Seen {
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

fn own(caller: &Caller, order: &Seen<Order>) -> Result<(), Problem> {
    match caller.scope.only() {
        Some(only) if only != order.value.customer.id => Err(absent()),
        _ => Ok(()),
    }
}

fn absent() -> Problem {
    Problem::new(Kind::UnknownOrder, Kind::UnknownOrder.meaning())
}
