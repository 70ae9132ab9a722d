//! The verbs of the shop: what customers and staff do, each one request.
//! Never judges the answer, but for what a test starts from.

use hyper::StatusCode;
use serde_json::json;

use super::{Answer, Client, calls};

impl Client {
    /// A customer, and products with this much stock, at 5.00 EUR each.
    pub(crate) async fn seed(&self, stock: &[(&str, i64)]) -> String {
        for (sku, pieces) in stock {
            let added = self.call(&calls::add_product(sku, sku, 500)).await;
            assert_eq!(added.status, StatusCode::CREATED, "{added:?}");
            let restocked = self.restock(sku, *pieces).await;
            assert_eq!(restocked.body["available"], json!(pieces), "{restocked:?}");
        }
        let registered = self.register("Ada").await;
        assert_eq!(registered.status, StatusCode::CREATED, "{registered:?}");
        registered.id().to_owned()
    }

    pub(crate) async fn register(&self, name: &str) -> Answer {
        self.call(&calls::register(name, "ada@example.org")).await
    }

    pub(crate) async fn rename_customer(&self, customer: &str, name: &str) -> Answer {
        self.call(&calls::rename_customer(customer, name)).await
    }

    pub(crate) async fn change_email(&self, customer: &str, email: &str) -> Answer {
        self.call(&calls::change_email(customer, email)).await
    }

    pub(crate) async fn rename_product(&self, sku: &str, name: &str) -> Answer {
        self.call(&calls::rename_product(sku, name)).await
    }

    pub(crate) async fn change_price(&self, sku: &str, cents: i64) -> Answer {
        self.call(&calls::change_price(sku, cents)).await
    }

    pub(crate) async fn restock(&self, sku: &str, pieces: i64) -> Answer {
        self.call(&calls::restock(sku, pieces)).await
    }

    pub(crate) async fn place(&self, customer: &str, lines: &[(&str, i64)]) -> Answer {
        self.call(&calls::place(customer, lines)).await
    }

    /// Orders as the customer who is signed in.
    pub(crate) async fn place_own(&self, lines: &[(&str, i64)]) -> Answer {
        self.call(&calls::place_own(lines)).await
    }

    pub(crate) async fn change_lines(&self, order: &Answer, lines: &[(&str, i64)]) -> Answer {
        self.call(&calls::change_lines(order, lines)).await
    }

    pub(crate) async fn pay(&self, order: &Answer) -> Answer {
        self.call(&calls::pay(order)).await
    }

    pub(crate) async fn ship(&self, order: &Answer) -> Answer {
        self.call(&calls::ship(order)).await
    }

    pub(crate) async fn deliver(&self, order: &Answer) -> Answer {
        self.call(&calls::deliver(order)).await
    }

    pub(crate) async fn cancel(&self, order: &Answer) -> Answer {
        self.call(&calls::cancel(order)).await
    }
}
