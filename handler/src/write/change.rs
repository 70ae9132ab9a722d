//! The one parameter of S2: every row that a decision inserts or moves, as JSON that the statement unpacks.
//! Never decides anything: the guards it carries are checked by `s2_write.sql`.

use serde::Serialize;
use serde_json::Value;
use time::OffsetDateTime;
use uuid::Uuid;

/// What one S2 writes. Keys are camelCase, the rows' fields are the columns' names.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ChangeSet {
    pub(super) keys: Vec<NewKey>,
    pub(super) order_moves: Vec<OrderMove>,
    pub(super) customer_moves: Vec<CustomerMove>,
    pub(super) product_moves: Vec<ProductMove>,
    pub(super) priced: Vec<Priced>,
    pub(super) stock_moves: Vec<StockMove>,
    pub(super) new_customers: Vec<NewCustomer>,
    pub(super) new_products: Vec<NewProduct>,
    pub(super) new_orders: Vec<NewOrder>,
    pub(super) lines: Vec<OrderLine>,
    pub(super) events: Vec<NewEvent>,
}

/// An Idempotency-Key that was used: nobody may have used it before.
#[derive(Debug, Serialize)]
pub(super) struct NewKey {
    pub(super) caller: String,
    pub(super) key: String,
    pub(super) fingerprint: String,
    pub(super) event_id: Uuid,
}

/// An order that goes from `expected` to `version`; what is null stays as it was, and lines beyond `lines` go.
#[derive(Debug, Default, Serialize)]
pub(super) struct OrderMove {
    pub(super) id: Uuid,
    pub(super) expected: i64,
    pub(super) version: i64,
    pub(super) status: String,
    pub(super) total: i64,
    pub(super) currency: String,
    pub(super) lines: i32,
    #[serde(with = "time::serde::rfc3339::option")]
    pub(super) paid_at: Option<OffsetDateTime>,
    #[serde(with = "time::serde::rfc3339::option")]
    pub(super) shipped_at: Option<OffsetDateTime>,
    pub(super) carrier: Option<String>,
    pub(super) tracking_number: Option<String>,
    #[serde(with = "time::serde::rfc3339::option")]
    pub(super) delivered_at: Option<OffsetDateTime>,
    #[serde(with = "time::serde::rfc3339::option")]
    pub(super) cancelled_at: Option<OffsetDateTime>,
    pub(super) reason: Option<String>,
}

/// A customer that goes from `expected` to `version`, whole.
#[derive(Debug, Serialize)]
pub(super) struct CustomerMove {
    pub(super) id: Uuid,
    pub(super) expected: i64,
    pub(super) version: i64,
    pub(super) name: String,
    pub(super) email: String,
}

/// A product that goes from `expected` to `version`, whole.
#[derive(Debug, Serialize)]
pub(super) struct ProductMove {
    pub(super) sku: String,
    pub(super) expected: i64,
    pub(super) version: i64,
    pub(super) name: String,
    pub(super) price: i64,
    pub(super) currency: String,
}

/// A product whose price was used: it must still have this version.
#[derive(Debug, Serialize)]
pub(super) struct Priced {
    pub(super) sku: String,
    pub(super) version: i64,
}

/// Pieces that come in (positive) or go out (negative).
#[derive(Debug, Serialize)]
pub(super) struct StockMove {
    pub(super) sku: String,
    pub(super) delta: i64,
}

#[derive(Debug, Serialize)]
pub(super) struct NewCustomer {
    pub(super) id: Uuid,
    pub(super) version: i64,
    pub(super) name: String,
    pub(super) email: String,
}

#[derive(Debug, Serialize)]
pub(super) struct NewProduct {
    pub(super) sku: String,
    pub(super) version: i64,
    pub(super) name: String,
    pub(super) price: i64,
    pub(super) currency: String,
}

#[derive(Debug, Serialize)]
pub(super) struct NewOrder {
    pub(super) id: Uuid,
    pub(super) version: i64,
    pub(super) status: String,
    pub(super) customer_id: Uuid,
    pub(super) customer_name: String,
    pub(super) total: i64,
    pub(super) currency: String,
    #[serde(with = "time::serde::rfc3339")]
    pub(super) placed_at: OffsetDateTime,
}

/// A line of a new order, or one that takes the place of the line with its number.
#[derive(Debug, Serialize)]
pub(super) struct OrderLine {
    pub(super) order_id: Uuid,
    pub(super) line: i32,
    pub(super) sku: String,
    pub(super) name: String,
    pub(super) quantity: i64,
    pub(super) unit_price: i64,
}

/// A row of the event log; `moves` are the SKUs whose stock it moved.
#[derive(Debug, Serialize)]
pub(super) struct NewEvent {
    pub(super) event_id: Uuid,
    pub(super) stream: String,
    pub(super) version: i64,
    pub(super) r#type: String,
    pub(super) data: Value,
    pub(super) state: Value,
    pub(super) moves: Vec<String>,
    pub(super) metadata: Value,
    #[serde(with = "time::serde::rfc3339")]
    pub(super) occurred_at: OffsetDateTime,
}
