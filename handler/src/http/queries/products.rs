//! Products: one with what is left of it, and the catalogue.
//! Never promises that a piece is still there: an order asks the write model.

use axum::{extract::State, response::Response};
use serde_json::{Value, json};

use super::{
    fresh,
    listing::{PageAnswer, Parameters},
    model, one,
};
use crate::{
    domain::value::Sku,
    http::{
        Reach,
        call::{Caller, Named},
        consistency::{Token, Wish},
        endpoint::Doc,
        problem::{Kind, Problem},
    },
    read::view::{ProductView, Seen},
};

fn example() -> Value {
    json!({
        "sku": "MUG-BLUE", "version": 2, "name": "Blue mug", "price": { "amount": 1299, "currency": "EUR" },
        "available": 40
    })
}

pub(in crate::http) fn get_doc() -> Doc {
    Doc::new::<ProductView>("Read a product", example())
        .detail("`ETag` is `\"<version>-<seq>\"`: it changes with the product and with its stock; `If-Match` of a command takes it.")
        .refuses(&[Kind::UnknownProduct, Kind::ReadModelBehind])
}

/// `GET /api/products/{sku}`: `ETag: "<version>-<seq>"`.
pub(in crate::http) async fn get(
    State(reach): State<Reach>,
    _anyone: Caller,
    wish: Wish,
    Named(sku): Named,
) -> Result<Response, Problem> {
    let absent = || Problem::new(Kind::UnknownProduct, Kind::UnknownProduct.meaning());
    let sku = Sku::try_from(sku).map_err(|_| absent())?;
    let mark = wish.mark(|token| token.this_product(&sku));
    let (seen, source) = one(
        &reach,
        (&wish, mark),
        async |model| model.product(&sku).await,
        async |writer| {
            let product = writer.product(&sku).await?;
            Ok(product.map(|(product, level)| Seen {
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
    Ok(wish.told(source, fresh::one(&seen)))
}

pub(in crate::http) fn list_doc() -> Doc {
    Doc::new::<PageAnswer<ProductView>>("List the catalogue", json!({ "items": [example()] }))
        .detail("By SKU.")
        .pages(&[])
        .refuses(&[Kind::ReadModelBehind])
}

/// `GET /api/products?limit=&cursor=`.
pub(in crate::http) async fn list(
    State(reach): State<Reach>,
    _anyone: Caller,
    wish: Wish,
    parameters: Parameters,
) -> Result<Response, Problem> {
    let slice = parameters.slice(|key| Sku::try_from(key).ok())?;
    let model = model(&reach)?;
    let source = wish.insist(model, &wish.mark(Token::any_product)).await?;
    let page = model.products(&slice).await?;
    let answer = parameters.answer(page, |product| product.product.sku.as_str().to_owned())?;
    Ok(wish.told(source, answer))
}
