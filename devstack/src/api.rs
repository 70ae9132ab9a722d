//! The commands and reads of the order API that the stack itself uses, to seed and to demonstrate.
//! It never hides an answer: whatever is not the expected status is told in full.

use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::http::{Answer, Client};
use crate::stack::Stack;

/// The products of a fresh shop, with prices in cents.
const PRODUCTS: [(&str, &str, i64); 3] = [
    ("MUG-BLUE", "Blue mug", 1299),
    ("PEN-BLACK", "Black pen", 250),
    ("BOOK-DDD", "Book", 4900),
];

/// The API of a stack, whichever host serves a call.
pub(crate) struct Api<'a> {
    client: Client,
    stack: &'a Stack,
}

impl<'a> Api<'a> {
    pub(crate) fn new(stack: &'a Stack) -> Self {
        Self {
            client: Client::new(),
            stack,
        }
    }

    fn url(&self, method: &str, path: &str) -> String {
        format!("{}/api{path}", self.stack.url_of(method, path))
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Result<Value> {
        let answer = self.try_post(path, body).await?;
        if !(200..300).contains(&answer.status) {
            bail!("POST {path} answered {} {}", answer.status, answer.body);
        }
        Ok(answer.body)
    }

    pub(crate) async fn try_post(&self, path: &str, body: &Value) -> Result<Answer> {
        self.client.post(&self.url("POST", path), &[], body).await
    }

    pub(crate) async fn get(&self, path: &str) -> Result<Answer> {
        self.client.get(&self.url("GET", path), &[]).await
    }

    /// Customers, and products with stock; gives a customer's id. Products that exist are only restocked.
    pub(crate) async fn seed(&self) -> Result<String> {
        for (sku, name, amount) in PRODUCTS {
            let price = json!({ "amount": amount, "currency": "EUR" });
            let product = json!({ "sku": sku, "name": name, "price": price });
            let answer = self.try_post("/products", &product).await?;
            if answer.status != 201 && answer.status != 409 {
                bail!("POST /products answered {} {}", answer.status, answer.body);
            }
            self.post(&format!("/products/{sku}/stock"), &json!({ "quantity": 100 }))
                .await?;
        }
        let grace = json!({ "name": "Grace Hopper", "email": "grace@example.org" });
        self.post("/customers", &grace).await?;
        let ada = json!({ "name": "Ada Lovelace", "email": "ada@example.org" });
        id(&self.post("/customers", &ada).await?)
    }

    /// Registers the signed-in customer; gives their id, which is `oid` when they are registered already.
    pub(crate) async fn register_self(&self, oid: Uuid) -> Result<String> {
        let customer = json!({ "name": "Alan Turing", "email": "alan@example.org" });
        let answer = self.try_post("/customers", &customer).await?;
        match answer.status {
            201 => id(&answer.body),
            409 => Ok(oid.to_string()),
            status => bail!("POST /customers answered {status} {}", answer.body),
        }
    }
}

/// The id in an answer to a command.
pub(crate) fn id(body: &Value) -> Result<String> {
    Ok(body["id"]
        .as_str()
        .with_context(|| format!("an answer without an id: {body}"))?
        .to_owned())
}
