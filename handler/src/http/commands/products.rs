//! Commands about products: add, rename, change the price, restock.
//! Never sets a stock level: pieces come in, and orders take them out.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::NewName;
use crate::{
    domain::{
        command::Command,
        product::ProductCommand,
        value::{Name, Price, Quantity, Sku, fresh},
    },
    http::{
        answer::{CommandResult, ProductAnswer, changed, created},
        call::{CommandRequest, PathId},
        endpoint::EndpointDoc,
        problem::{Problem, ProblemKind},
    },
};

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct NewProduct {
    /// Stock keeping unit, which no other product has.
    sku: Sku,
    /// Name of the product.
    #[serde(deserialize_with = "fresh")]
    name: Name,
    /// Price of one piece.
    price: Price,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct NewPrice {
    /// The new price of one piece.
    price: Price,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct Restock {
    /// Pieces that came in.
    quantity: Quantity,
}

fn price(amount: i64) -> Value {
    json!({ "amount": amount, "currency": "EUR" })
}

fn example(version: i64) -> Value {
    json!({ "sku": "MUG-BLUE", "version": version, "name": "Blue mug", "price": price(1299) })
}

/// The SKU in a path; a text that is no SKU names no product.
fn sku_in_path(sku: String) -> Result<Sku, Problem> {
    let absent = ProblemKind::UnknownProduct;
    Sku::try_from(sku).map_err(|_| Problem::new(absent, absent.meaning()))
}

pub(in crate::http) fn add_doc() -> EndpointDoc {
    EndpointDoc::new::<ProductAnswer<'_>>("Add a product to the catalogue", example(1))
        .body::<NewProduct>(json!({ "sku": "MUG-BLUE", "name": "Blue mug", "price": price(1299) }))
        .status(201)
        .detail("None are in stock yet: restock it.")
        .errors(&[ProblemKind::ProductExists])
}

pub(in crate::http) async fn add(CommandRequest { call, body }: CommandRequest<NewProduct>) -> CommandResult {
    let NewProduct { sku, name, price } = body;
    let command = Command::Product(sku, ProductCommand::Add { name, price });
    Ok(created(&call.execute(command).await?))
}

pub(in crate::http) fn rename_doc() -> EndpointDoc {
    EndpointDoc::new::<ProductAnswer<'_>>("Give a product another name", example(2))
        .body::<NewName>(json!({ "name": "Blue mug" }))
        .detail("Orders keep the name that they were placed under.")
        .errors(&[ProblemKind::UnknownProduct])
}

pub(in crate::http) async fn rename(
    PathId(sku): PathId,
    CommandRequest {
        call,
        body: NewName { name },
    }: CommandRequest<NewName>,
) -> CommandResult {
    let sku = sku_in_path(sku)?;
    let command = Command::Product(sku, ProductCommand::Rename { name });
    Ok(changed(&call.execute(command).await?))
}

pub(in crate::http) fn change_price_doc() -> EndpointDoc {
    EndpointDoc::new::<ProductAnswer<'_>>("Give a product another price", example(2))
        .body::<NewPrice>(json!({ "price": price(1299) }))
        .detail("Orders keep the price that they were placed at.")
        .errors(&[ProblemKind::UnknownProduct])
}

pub(in crate::http) async fn change_price(
    PathId(sku): PathId,
    CommandRequest {
        call,
        body: NewPrice { price },
    }: CommandRequest<NewPrice>,
) -> CommandResult {
    let sku = sku_in_path(sku)?;
    let command = Command::Product(sku, ProductCommand::ChangePrice { price });
    Ok(changed(&call.execute(command).await?))
}

pub(in crate::http) fn restock_doc() -> EndpointDoc {
    let mut answer = example(3);
    answer["available"] = json!(100);
    EndpointDoc::new::<ProductAnswer<'_>>("Take pieces into stock", answer)
        .body::<Restock>(json!({ "quantity": 100 }))
        .errors(&[ProblemKind::UnknownProduct])
}

pub(in crate::http) async fn restock(
    PathId(sku): PathId,
    CommandRequest {
        call,
        body: Restock { quantity },
    }: CommandRequest<Restock>,
) -> CommandResult {
    let sku = sku_in_path(sku)?;
    let command = Command::Product(sku, ProductCommand::Restock { quantity });
    Ok(changed(&call.execute(command).await?))
}
