//! Products: added, renamed, priced anew, restocked.
//! Never sets a stock level: pieces come in, and orders take them out.

use axum::{
    Router,
    extract::Path,
    routing::{post, put},
};
use serde::Deserialize;
use serde_json::json;

use super::{Answer, Call, NewName, Problem, Reach, absent, created, ok};
use crate::{
    domain::value::{Name, Price, Quantity, Sku},
    http::body::Strict,
    write::Command,
};

pub(super) fn routes() -> Router<Reach> {
    Router::new()
        .route("/api/products", post(add_product))
        .route("/api/products/{sku}/name", put(rename_product))
        .route("/api/products/{sku}/price", put(change_product_price))
        .route("/api/products/{sku}/stock", post(restock_product))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Product {
    sku: Sku,
    name: Name,
    price: Price,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewPrice {
    price: Price,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Restock {
    quantity: Quantity,
}

/// The SKU in a path; what is no SKU names no product.
fn known(sku: String) -> Result<Sku, Problem> {
    Sku::try_from(sku).map_err(|_| absent("product"))
}

async fn add_product(call: Call, Strict(body, sent): Strict<Product>) -> Answer {
    let command = Command::AddProduct {
        sku: body.sku,
        name: body.name,
        price: body.price,
    };
    let done = call.execute(sent, command).await?;
    let answer = json!({ "sku": done.subject, "version": done.version });
    Ok(created(&done, "products", answer))
}

async fn rename_product(
    call: Call,
    Path(sku): Path<String>,
    Strict(NewName { name }, sent): Strict<NewName>,
) -> Answer {
    let sku = known(sku)?;
    let done = call.execute(sent, Command::RenameProduct { sku, name }).await?;
    Ok(ok(&done, done.state.clone()))
}

async fn change_product_price(
    call: Call,
    Path(sku): Path<String>,
    Strict(NewPrice { price }, sent): Strict<NewPrice>,
) -> Answer {
    let sku = known(sku)?;
    let done = call
        .execute(sent, Command::ChangeProductPrice { sku, price })
        .await?;
    Ok(ok(&done, done.state.clone()))
}

async fn restock_product(
    call: Call,
    Path(sku): Path<String>,
    Strict(Restock { quantity }, sent): Strict<Restock>,
) -> Answer {
    let sku = known(sku)?;
    let done = call
        .execute(sent, Command::RestockProduct { sku, quantity })
        .await?;
    let available = done.stock.first().map(|level| level.available);
    let answer = json!({ "sku": done.subject, "version": done.version, "available": available });
    Ok(ok(&done, answer))
}
