//! The rows that one S2 writes: those that the decisions of a batch insert, move and rely on.
//! Never decides anything: the guards that it carries are checked by `write.sql`.

use std::{collections::BTreeMap, sync::Arc};

use serde::Serialize;
use serde_json::value::RawValue;
use uuid::Uuid;

use crate::domain::{
    customer::Customer,
    event::EventType,
    order::{Order, OrderLine},
    product::Product,
    timestamp::Timestamp,
    value::Sku,
};

/// The rows of one S2, each list in the order of the decisions.
#[derive(Debug, Default)]
pub(super) struct ChangeSet {
    pub(super) keys: Vec<NewKey>,
    pub(super) new_orders: Vec<Arc<Order>>,
    pub(super) moved_orders: Vec<MovedRow<Arc<Order>>>,
    /// Orders that have fewer lines than before: the id, and the number of the last line that stays.
    pub(super) dropped_lines: Vec<(Uuid, i32)>,
    pub(super) lines: Vec<OrderLineRow>,
    pub(super) new_customers: Vec<Arc<Customer>>,
    pub(super) moved_customers: Vec<MovedRow<Arc<Customer>>>,
    pub(super) new_products: Vec<Arc<Product>>,
    pub(super) moved_products: Vec<MovedRow<Arc<Product>>>,
    /// Customers that must still be as they were read, and the version then.
    pub(super) seen_customers: BTreeMap<Uuid, i64>,
    /// Products that must still be as they were read, and the version then.
    pub(super) seen_products: BTreeMap<Sku, i64>,
    pub(super) stock: Vec<StockMove>,
    pub(super) levels: Vec<LevelAfter>,
    pub(super) events: Vec<NewEvent>,
    /// Give way soon where another transaction holds a row.
    pub(super) impatient: bool,
}

/// An Idempotency-Key that was used now for the first time.
#[derive(Debug)]
pub(super) struct NewKey {
    pub(super) caller: String,
    pub(super) key: String,
    pub(super) fingerprint: String,
    pub(super) event_id: Uuid,
}

/// A row that goes from the version `from` to what it is `now`, whole.
#[derive(Debug)]
pub(super) struct MovedRow<T> {
    pub(super) from: i64,
    pub(super) now: T,
}

/// A line of a new order, or one that takes the place of the line with its number.
#[derive(Debug)]
pub(super) struct OrderLineRow {
    pub(super) order: Arc<Order>,
    /// From 1.
    pub(super) number: i32,
    /// Its place among the order's lines.
    pub(super) index: usize,
}

impl OrderLineRow {
    /// The line of the order.
    pub(super) fn line(&self) -> &OrderLine {
        &self.order.lines[self.index]
    }
}

/// All moves of one SKU's stock: their sum, the lowest point on the way (at most 0), and how many they are.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct StockMove {
    pub(super) sku: Sku,
    pub(super) delta: i64,
    pub(super) lowest: i64,
    pub(super) moves: i64,
}

/// One event's move of a SKU: how much (`later`) and how often (`behind`) events after it move that SKU.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct LevelAfter {
    pub(super) event_id: Uuid,
    pub(super) sku: Sku,
    pub(super) later: i64,
    pub(super) behind: i64,
}

/// A row of the event log; its outbox row is made by the statement itself.
#[derive(Debug)]
pub(super) struct NewEvent {
    pub(super) event_id: Uuid,
    pub(super) stream: String,
    pub(super) version: i64,
    pub(super) event_type: EventType,
    pub(super) data: Box<RawValue>,
    pub(super) state: Box<RawValue>,
    pub(super) metadata: EventMetadata,
    pub(super) occurred_at: Timestamp,
}

/// For the audit trail: who asked, and in which trace.
#[derive(Debug, Serialize)]
pub(super) struct EventMetadata {
    pub(super) caller: String,
    pub(super) traceparent: Option<String>,
}
