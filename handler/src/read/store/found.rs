//! Something that lies where a document should be, and can be read as one or cannot.
//! Never a reason to stop: a comparison names it, and the projector overwrites it.

use serde::{Deserialize, Deserializer, de::DeserializeOwned};
use serde_json::Value;

use crate::json;

/// A document, or something else in its place.
#[derive(Debug, Clone, PartialEq)]
pub enum FoundDocument<D> {
    /// A document.
    Document(D),
    /// Something else.
    Unreadable {
        /// The reason.
        why: String,
        /// All of it, but for what the store adds (`_etag`, `_ts`, …).
        json: Value,
    },
}

impl<D> FoundDocument<D> {
    /// The document; `None` when it cannot be read as one.
    #[must_use]
    pub fn readable(&self) -> Option<&D> {
        match self {
            Self::Document(document) => Some(document),
            Self::Unreadable { .. } => None,
        }
    }
}

impl<'de, D: DeserializeOwned> Deserialize<'de> for FoundDocument<D> {
    fn deserialize<S: Deserializer<'de>>(deserializer: S) -> Result<Self, S::Error> {
        let mut json = Value::deserialize(deserializer)?;
        Ok(match json::from_value(json.clone()) {
            Ok(document) => Self::Document(document),
            Err(error) => {
                if let Value::Object(members) = &mut json {
                    members.retain(|name, _| !name.starts_with('_'));
                }
                let why = error.to_string();
                Self::Unreadable { why, json }
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::read::document::{
        customer::OrderRowDocument, order::OrderDocument, product::ProductDocument, sales::TotalsDocument,
    };

    const ID: &str = "0198c9c1-0000-7000-8000-000000000001";
    const AT: &str = "2026-11-24T10:00:00Z";

    /// True when it is read as it is, and not with an array in the place of the object at `pointer`.
    fn wants_an_object<D: DeserializeOwned>(mut json: Value, pointer: &str, array: Value) -> bool {
        let read = |json: &Value| {
            let found: FoundDocument<D> = serde_json::from_value(json.clone()).unwrap();
            found.readable().is_some()
        };
        let is_read = read(&json);
        *json.pointer_mut(pointer).unwrap() = array;
        is_read && !read(&json)
    }

    #[test]
    fn an_array_is_no_object_anywhere_in_a_document() {
        let (customer, total) = (
            json!({ "id": ID, "name": "Ada" }),
            json!({ "amount": 5, "currency": "EUR" }),
        );
        let order = json!({
            "id": "order", "pk": format!("1|{ID}"), "gen": 1, "kind": "order", "orderId": ID, "version": 3, "customer": customer,
            "lines": [{ "sku": "MUG", "name": "Mug", "quantity": 5, "unitPrice": { "amount": 1, "currency": "EUR" } }],
            "total": total, "placedAt": AT, "status": "shipped", "paidAt": AT, "shippedAt": AT,
            "shipment": { "carrier": "Post", "trackingNumber": "1" }, "changedAt": AT,
        });
        for (pointer, array) in [
            ("/shipment", json!(["Post", "1"])),
            ("/customer", json!([ID, "Ada"])),
            ("/lines/0/unitPrice", json!([1, "EUR"])),
        ] {
            assert!(
                wants_an_object::<OrderDocument>(order.clone(), pointer, array),
                "{pointer}"
            );
        }
        let row = json!({
            "pk": format!("1|{ID}"), "gen": 1, "kind": "order", "orderId": ID, "id": ID, "version": 3, "status": "placed",
            "customer": customer, "total": total, "placedAt": AT,
        });
        for (pointer, array) in [("/customer", json!([ID, "Ada"])), ("/total", json!([5, "EUR"]))] {
            assert!(
                wants_an_object::<OrderRowDocument>(row.clone(), pointer, array),
                "{pointer}"
            );
        }
        let product = json!({
            "id": "product", "pk": "1|MUG", "gen": 1, "kind": "product", "sku": "MUG",
            "described": { "version": 1, "name": "Mug", "price": total, "changedAt": AT }, "stock": { "available": 1, "seq": 1 },
        });
        for (pointer, array) in [
            ("/stock", json!([1, 1])),
            ("/described", json!([1, "Mug", total, AT])),
            ("/described/price", json!([5, "EUR"])),
        ] {
            assert!(
                wants_an_object::<ProductDocument>(product.clone(), pointer, array),
                "{pointer}"
            );
        }
        let totals = json!({
            "id": "totals", "pk": "1|2026-11-24|0", "gen": 1, "kind": "totals", "day": "2026-11-24",
            "currencies": { "EUR": { "paidOrders": 1, "paid": "5", "cancelledOrders": 0, "cancelled": "0" } },
        });
        assert!(wants_an_object::<TotalsDocument>(
            totals,
            "/currencies/EUR",
            json!([1, "5", 0, "0"])
        ));
    }
}
