//! Products: one with what is left of it, and the catalogue.
//! Never promises that a piece is still there: an order asks the write model.

use axum::{extract::State, response::Response};
use serde_json::{Value, json};

use super::{
    conditional,
    listing::{PageAnswer, QueryParameters},
    read_model, read_one,
};
use crate::{
    domain::value::Sku,
    http::{
        AppState,
        call::{Caller, PathId},
        consistency::{ConsistencyToken, ReadConsistency},
        endpoint::EndpointDoc,
        problem::{Problem, ProblemKind},
    },
    read::view::{ProductView, Versioned},
};

fn example() -> Value {
    json!({
        "sku": "MUG-BLUE", "version": 2, "name": "Blue mug", "price": { "amount": 1299, "currency": "EUR" },
        "available": 40
    })
}

pub(in crate::http) fn get_doc() -> EndpointDoc {
    EndpointDoc::new::<ProductView>("Read a product", example())
        .detail("`ETag` is `\"<version>-<seq>\"`: it changes with the product and with its stock; `If-Match` of a command takes it.")
        .errors(&[ProblemKind::UnknownProduct, ProblemKind::ReadModelBehind])
}

/// `GET /api/products/{sku}`: `ETag: "<version>-<seq>"`.
pub(in crate::http) async fn get(
    State(state): State<AppState>,
    _anyone: Caller,
    consistency: ReadConsistency,
    PathId(sku): PathId,
) -> Result<Response, Problem> {
    let absent = || Problem::new(ProblemKind::UnknownProduct, ProblemKind::UnknownProduct.meaning());
    let sku = Sku::try_from(sku).map_err(|_| absent())?;
    let positions = consistency.positions(|token| token.this_product(&sku));
    let (seen, source) = read_one(
        &state,
        &consistency,
        &positions,
        async |model| model.product(&sku).await,
        async |writer| {
            let product = writer.product(&sku).await?;
            Ok(product.map(|(product, level)| Versioned {
                etag: format!("{}-{}", product.version, level.seq),
                changed_at: None,
                value: ProductView {
                    product,
                    available: level.available,
                    seq: level.seq,
                },
            }))
        },
    )
    .await?;
    let seen = seen.ok_or_else(absent)?;
    Ok(consistency.annotate(source, conditional::item(&seen)))
}

pub(in crate::http) fn list_doc() -> EndpointDoc {
    EndpointDoc::new::<PageAnswer<ProductView>>("List the catalogue", json!({ "items": [example()] }))
        .detail("By SKU.")
        .paged(&[])
        .errors(&[ProblemKind::ReadModelBehind])
}

/// `GET /api/products?limit=&cursor=`.
pub(in crate::http) async fn list(
    State(state): State<AppState>,
    _anyone: Caller,
    consistency: ReadConsistency,
    parameters: QueryParameters,
) -> Result<Response, Problem> {
    let request = parameters.request(|key| Sku::try_from(key).ok())?;
    let model = read_model(&state)?;
    let source = consistency
        .require(model, &consistency.positions(ConsistencyToken::any_product))
        .await?;
    let page = model.products(&request).await?;
    let answer = parameters.answer(page, |product| product.product.sku.as_str().to_owned())?;
    Ok(consistency.annotate(source, answer))
}
