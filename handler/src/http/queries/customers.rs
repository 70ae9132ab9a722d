//! Customers: one, and the list of one's orders.
//! Never shows a customer that somebody else is registered.

use axum::{extract::State, response::Response};
use serde_json::json;
use uuid::Uuid;

use super::{
    fresh,
    listing::{PageAnswer, Parameters},
    model, one,
    orders::{CUSTOMER, row_example},
};
use crate::{
    domain::customer::Customer,
    http::{
        Reach,
        call::{Caller, Named},
        commands::id,
        consistency::Wish,
        endpoint::Doc,
        problem::{Kind, Problem},
    },
    read::view::{OrderRow, Seen},
};

pub(in crate::http) fn get_doc() -> Doc {
    let example = json!({ "id": CUSTOMER, "version": 1, "name": "Ada Lovelace", "email": "ada@example.org" });
    Doc::new::<Customer>("Read a customer", example).refuses(&[Kind::UnknownCustomer, Kind::ReadModelBehind])
}

/// `GET /api/customers/{id}`: `ETag: "<version>"`.
pub(in crate::http) async fn get(
    State(reach): State<Reach>,
    caller: Caller,
    wish: Wish,
    Named(customer): Named,
) -> Result<Response, Problem> {
    let id = own(&caller, &customer)?;
    let mark = wish.mark(|token| token.customer(id));
    let (seen, source) = one(
        &reach,
        (&wish, mark),
        async |model| model.customer(id).await,
        async |writer| {
            let customer = writer.customer(id).await?;
            Ok(customer.map(|(customer, changed_at)| Seen {
                etag: customer.version.to_string(),
                changed_at,
                value: customer,
            }))
        },
    )
    .await?;
    let seen = seen.ok_or_else(absent)?;
    Ok(wish.told(source, fresh::one(&seen)))
}

pub(in crate::http) fn orders_doc() -> Doc {
    Doc::new::<PageAnswer<OrderRow>>("List a customer's orders", json!({ "items": [row_example()] }))
        .detail("Newest first; empty for a customer who has ordered nothing.")
        .pages(&["status"])
        .refuses(&[Kind::UnknownCustomer, Kind::ReadModelBehind])
}

/// `GET /api/customers/{id}/orders?status=&limit=&cursor=`.
pub(in crate::http) async fn orders(
    State(reach): State<Reach>,
    caller: Caller,
    wish: Wish,
    Named(customer): Named,
    parameters: Parameters,
) -> Result<Response, Problem> {
    let (status, slice) = (parameters.status()?, parameters.slice(|key| key.parse().ok())?);
    let id = own(&caller, &customer)?;
    let model = model(&reach)?;
    let mark = wish.mark(|token| token.order_of(id));
    let source = wish.insist(model, &mark).await?;
    let page = model.customer_orders(id, status, &slice).await?;
    let answer = parameters.answer(page, |order| order.id.to_string())?;
    Ok(wish.told(source, answer))
}

/// The id in the path, if it is the caller's own or the caller may see everybody.
fn own(caller: &Caller, text: &str) -> Result<Uuid, Problem> {
    let id = id(text, Kind::UnknownCustomer)?;
    match caller.scope.only() {
        Some(only) if only != id => Err(absent()),
        _ => Ok(id),
    }
}

fn absent() -> Problem {
    Problem::new(Kind::UnknownCustomer, Kind::UnknownCustomer.meaning())
}
