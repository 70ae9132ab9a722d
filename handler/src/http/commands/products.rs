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
        answer::{Answer, ProductAnswer, changed, created},
        call::{Given, Named},
        endpoint::Doc,
        problem::{Kind, Problem},
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
    let absent = Kind::UnknownProduct;
    Sku::try_from(sku).map_err(|_| Problem::new(absent, absent.meaning()))
}

pub(in crate::http) fn add_doc() -> Doc {
    Doc::new::<ProductAnswer<'_>>("Add a product to the catalogue", example(1))
        .takes::<NewProduct>(json!({ "sku": "MUG-BLUE", "name": "Blue mug", "price": price(1299) }))
        .creates()
        .detail("None are in stock yet: restock it.")
        .refuses(&[Kind::ProductExists])
}

pub(in crate::http) async fn add(Given { call, body }: Given<NewProduct>) -> Answer {
    let NewProduct { sku, name, price } = body;
    let command = Command::Product(sku, ProductCommand::Add { name, price });
    Ok(created(&call.execute(command).await?))
}

pub(in crate::http) fn rename_doc() -> Doc {
    Doc::new::<ProductAnswer<'_>>("Give a product another name", example(2))
        .takes::<NewName>(json!({ "name": "Blue mug" }))
        .detail("Orders keep the name that they were placed under.")
        .refuses(&[Kind::UnknownProduct])
}

pub(in crate::http) async fn rename(
    Named(sku): Named,
    Given {
        call,
        body: NewName { name },
    }: Given<NewName>,
) -> Answer {
    let sku = sku_in_path(sku)?;
    let command = Command::Product(sku, ProductCommand::Rename { name });
    Ok(changed(&call.execute(command).await?))
}

pub(in crate::http) fn change_price_doc() -> Doc {
    Doc::new::<ProductAnswer<'_>>("Give a product another price", example(2))
        .takes::<NewPrice>(json!({ "price": price(1299) }))
        .detail("Orders keep the price that they were placed at.")
        .refuses(&[Kind::UnknownProduct])
}

pub(in crate::http) async fn change_price(
    Named(sku): Named,
    Given {
        call,
        body: NewPrice { price },
    }: Given<NewPrice>,
) -> Answer {
    let sku = sku_in_path(sku)?;
    let command = Command::Product(sku, ProductCommand::ChangePrice { price });
    Ok(changed(&call.execute(command).await?))
}

pub(in crate::http) fn restock_doc() -> Doc {
    let mut answer = example(3);
    answer["available"] = json!(100);
    Doc::new::<ProductAnswer<'_>>("Take pieces into stock", answer)
        .takes::<Restock>(json!({ "quantity": 100 }))
        .refuses(&[Kind::UnknownProduct])
}

pub(in crate::http) async fn restock(
    Named(sku): Named,
    Given {
        call,
        body: Restock { quantity },
    }: Given<Restock>,
) -> Answer {
    let sku = sku_in_path(sku)?;
    let command = Command::Product(sku, ProductCommand::Restock { quantity });
    Ok(changed(&call.execute(command).await?))
}
