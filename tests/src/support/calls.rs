//! The commands of the shop as requests: the one place that knows their paths and bodies.
//! Never sends: `shop` does, and tests that send one again and again.

use serde_json::{Value, json};

use super::client::{Answer, Call};

pub(crate) fn register(name: &str, email: &str) -> Call {
    Call::post("/api/customers", json!({ "name": name, "email": email }))
}

pub(crate) fn rename_customer(customer: &str, name: &str) -> Call {
    Call::put(
        &format!("/api/customers/{customer}/name"),
        json!({ "name": name }),
    )
}

pub(crate) fn change_email(customer: &str, email: &str) -> Call {
    Call::put(
        &format!("/api/customers/{customer}/email"),
        json!({ "email": email }),
    )
}

/// A product at so many cents.
pub(crate) fn add_product(sku: &str, name: &str, cents: i64) -> Call {
    Call::post(
        "/api/products",
        json!({ "sku": sku, "name": name, "price": euros(cents) }),
    )
}

pub(crate) fn restock(sku: &str, pieces: i64) -> Call {
    Call::post(
        &format!("/api/products/{sku}/stock"),
        json!({ "quantity": pieces }),
    )
}

pub(crate) fn rename_product(sku: &str, name: &str) -> Call {
    Call::put(&format!("/api/products/{sku}/name"), json!({ "name": name }))
}

pub(crate) fn change_price(sku: &str, cents: i64) -> Call {
    Call::put(
        &format!("/api/products/{sku}/price"),
        json!({ "price": euros(cents) }),
    )
}

pub(crate) fn place(customer: &str, lines: &[(&str, i64)]) -> Call {
    Call::post(
        "/api/orders",
        json!({ "customerId": customer, "lines": order_lines(lines) }),
    )
}

/// For the customer who is signed in.
pub(crate) fn place_own(lines: &[(&str, i64)]) -> Call {
    Call::post("/api/orders", json!({ "lines": order_lines(lines) }))
}

pub(crate) fn change_lines(order: &Answer, lines: &[(&str, i64)]) -> Call {
    let path = format!("/api/orders/{}/lines", order.id());
    Call::put(&path, json!({ "lines": order_lines(lines) }))
}

/// What the order costs.
pub(crate) fn pay(order: &Answer) -> Call {
    step(order, "payment", json!({ "amount": order.body["total"] }))
}

pub(crate) fn ship(order: &Answer) -> Call {
    step(order, "shipment", parcel())
}

pub(crate) fn deliver(order: &Answer) -> Call {
    step(order, "delivery", json!({}))
}

pub(crate) fn cancel(order: &Answer) -> Call {
    step(order, "cancellation", json!({ "reason": "changed my mind" }))
}

/// The parcel of every shipment.
pub(crate) fn parcel() -> Value {
    json!({ "carrier": "DHL", "trackingNumber": "JD0146" })
}

pub(crate) fn euros(cents: i64) -> Value {
    json!({ "amount": cents, "currency": "EUR" })
}

fn step(order: &Answer, step: &str, body: Value) -> Call {
    Call::post(&format!("/api/orders/{}/{step}", order.id()), body)
}

fn order_lines(lines: &[(&str, i64)]) -> Vec<Value> {
    let line = |(sku, quantity): &(&str, i64)| json!({ "sku": sku, "quantity": quantity });
    lines.iter().map(line).collect()
}
