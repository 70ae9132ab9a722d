//! What customers and staff ask of a handler in the course of a shop's history.
//! Never goes past the API.

use std::net::SocketAddr;

use anyhow::{Context as _, Result};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::size::{REGULARS, Size};
use crate::{client::Connection, dice::Dice, requests::post};

/// Requests under way at a time.
const CONNECTIONS: usize = 16;
/// Pieces of each product.
const PIECES: i64 = 10_000;

/// The handler in which it happens.
pub(super) struct Shop(pub(super) SocketAddr);

impl Shop {
    /// Customers, and products with stock; the customers' ids.
    pub(super) async fn open(&self, size: Size) -> Result<Vec<String>> {
        let customer =
            |n| json!({ "name": format!("Customer {n}"), "email": format!("customer-{n}@example.org") });
        let customers = (0..size.customers).map(|n| ("/api/customers".to_owned(), customer(n)));
        let customers = self.ask(customers).await?;
        let price = json!({ "amount": 500, "currency": "EUR" });
        let product = |n| json!({ "sku": sku(n), "name": format!("Product {n}"), "price": price });
        self.ask((0..size.products).map(|n| ("/api/products".to_owned(), product(n))))
            .await?;
        let stock = |n| {
            (
                format!("/api/products/{}/stock", sku(n)),
                json!({ "quantity": PIECES }),
            )
        };
        self.ask((0..size.products).map(stock)).await?;
        customers.iter().map(id).collect()
    }

    /// Orders, each placed, paid and sent off; their ids.
    pub(super) async fn sell(&self, size: Size, customers: &[String]) -> Result<Vec<String>> {
        let mut dice = Dice::same();
        let shelf = size.products / 3;
        let order = |n: usize| {
            let customer = match n % 4 {
                0 => n / 4 % REGULARS,
                _ => dice.below(customers.len()),
            };
            // A shelf for each line, so that no product comes twice.
            let lines =
                [0, 1, 2].map(|line| json!({ "sku": sku(line * shelf + dice.below(shelf)), "quantity": 1 }));
            (
                "/api/orders".to_owned(),
                json!({ "customerId": customers[customer], "lines": lines }),
            )
        };
        let placed = self.ask((0..size.orders).map(order)).await?;
        let orders: Vec<String> = placed.iter().map(id).collect::<Result<_>>()?;
        let paths = |what: &'static str| orders.iter().map(move |id| format!("/api/orders/{id}/{what}"));
        let payments = placed.iter().map(|order| json!({ "amount": order["total"] }));
        self.ask(paths("payment").zip(payments)).await?;
        let parcels =
            (0..size.orders).map(|n| json!({ "carrier": "Post", "trackingNumber": format!("1Z{n:09}") }));
        self.ask(paths("shipment").zip(parcels)).await?;
        Ok(orders)
    }

    /// Posts all of these, several at a time, and returns the answers in the order of the requests.
    async fn ask(&self, requests: impl Iterator<Item = (String, Value)>) -> Result<Vec<Value>> {
        let requests: Vec<Vec<u8>> = requests
            .map(|(path, body)| post(&path, "", &body.to_string()))
            .collect();
        let count = requests.len();
        let mut shares = vec![Vec::new(); CONNECTIONS];
        for (number, request) in requests.into_iter().enumerate() {
            shares[number % CONNECTIONS].push((number, request));
        }
        let mut asking: JoinSet<Result<Vec<(usize, Value)>>> = shares
            .into_iter()
            .map(|share| ask_in_turn(self.0, share))
            .collect();
        let mut answers = vec![Value::Null; count];
        while let Some(answered) = asking.join_next().await {
            for (number, answer) in answered?? {
                answers[number] = answer;
            }
        }
        Ok(answers)
    }
}

async fn ask_in_turn(address: SocketAddr, share: Vec<(usize, Vec<u8>)>) -> Result<Vec<(usize, Value)>> {
    let mut connection = Connection::open(address).await?;
    let mut answers = Vec::with_capacity(share.len());
    for (number, request) in share {
        let answer = connection.send(&request).await?;
        answers.push((number, serde_json::from_slice(answer)?));
    }
    Ok(answers)
}

fn sku(product: usize) -> String {
    format!("SKU-{}", 1001 + product)
}

fn id(answer: &Value) -> Result<String> {
    let id = answer["id"]
        .as_str()
        .with_context(|| format!("no id in {answer}"))?;
    Ok(id.to_owned())
}
