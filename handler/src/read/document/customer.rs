//! Container `customers`: each customer's own document, and one row for each of the customer's orders.
//! Never holds a list inside a document: a customer may have any number of orders.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Document, Generation};
use crate::{
    domain::{
        customer::Customer,
        timestamp::Timestamp,
        value::{Email, Name},
    },
    read::view::{OrderRow, Versioned},
};

/// Every customer's own document has this id in its partition.
pub const CUSTOMER: &str = "customer";

/// A customer; partition key `"1|<customer id>"`, id `"customer"`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CustomerDocument {
    id: String,
    pk: String,
    r#gen: Generation,
    kind: String,
    customer_id: Uuid,
    version: i64,
    name: Name,
    email: Email,
    changed_at: Timestamp,
}

/// An order in its customer's list; partition key `"1|<customer id>"`, id the order's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OrderRowDocument {
    pk: String,
    r#gen: Generation,
    kind: String,
    order_id: Uuid,
    #[serde(flatten)]
    row: OrderRow,
}

impl CustomerDocument {
    /// The customer as an event of `changed_at` left them.
    #[must_use]
    pub fn new(generation: Generation, customer: Customer, changed_at: Timestamp) -> Self {
        Self {
            id: CUSTOMER.to_owned(),
            pk: generation.partition(&customer.id.to_string()),
            r#gen: generation,
            kind: "customer".to_owned(),
            customer_id: customer.id,
            version: customer.version,
            name: customer.name,
            email: customer.email,
            changed_at,
        }
    }

    /// The customer as callers know it.
    #[must_use]
    pub fn into_versioned(self) -> Versioned<Customer> {
        Versioned {
            etag: self.version.to_string(),
            changed_at: Some(self.changed_at),
            value: Customer {
                id: self.customer_id,
                version: self.version,
                name: self.name,
                email: self.email,
            },
        }
    }
}

impl Document for CustomerDocument {
    fn pk(&self) -> &str {
        &self.pk
    }

    fn id(&self) -> String {
        self.id.clone()
    }

    fn version(&self) -> i64 {
        self.version
    }
}

impl OrderRowDocument {
    /// The order, in its customer's list.
    #[must_use]
    pub fn new(generation: Generation, row: OrderRow) -> Self {
        Self {
            pk: generation.partition(&row.customer.id.to_string()),
            r#gen: generation,
            kind: "order".to_owned(),
            order_id: row.id,
            row,
        }
    }

    /// The row as callers know it.
    #[must_use]
    pub fn into_row(self) -> OrderRow {
        self.row
    }
}

impl Document for OrderRowDocument {
    fn pk(&self) -> &str {
        &self.pk
    }

    fn id(&self) -> String {
        self.row.id.to_string()
    }

    fn version(&self) -> i64 {
        self.row.version
    }
}
