//! What one S2 writes: the rows that the decisions of a batch insert, move and rely on.
//! Never decides anything: the guards it carries are checked by `s2_write.sql`.

use std::{collections::BTreeMap, sync::Arc};

use serde::Serialize;
use serde_json::value::RawValue;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::domain::{
    customer::Customer,
    order::{Line, Order},
    product::Product,
    value::Sku,
};

/// The rows of one S2, each list in the order of the decisions.
#[derive(Debug, Default)]
pub(super) struct ChangeSet {
    pub(super) keys: Vec<NewKey>,
    pub(super) new_orders: Vec<Arc<Order>>,
    pub(super) moved_orders: Vec<Moved<Arc<Order>>>,
    /// Orders that have fewer lines than before: the id, and the number of the last line that stays.
    pub(super) dropped_lines: Vec<(Uuid, i32)>,
    pub(super) lines: Vec<OrderLine>,
    pub(super) new_customers: Vec<Arc<Customer>>,
    pub(super) moved_customers: Vec<Moved<Arc<Customer>>>,
    pub(super) new_products: Vec<Arc<Product>>,
    pub(super) moved_products: Vec<Moved<Arc<Product>>>,
    /// Customers that must still be as they were read, and the version then.
    pub(super) seen_customers: BTreeMap<Uuid, i64>,
    /// Products that must still be as they were read, and the version then.
    pub(super) seen_products: BTreeMap<Sku, i64>,
    pub(super) stock: Vec<StockMove>,
    pub(super) levels: Vec<LevelAfter>,
    pub(super) events: Vec<NewEvent>,
    /// Give way soon where somebody holds a row.
    pub(super) impatient: bool,
}

/// An Idempotency-Key that was used: nobody may have used it before.
#[derive(Debug)]
pub(super) struct NewKey {
    pub(super) caller: String,
    pub(super) key: String,
    pub(super) fingerprint: String,
    pub(super) event_id: Uuid,
}

/// A row that goes from the version `from` to what it is `now`, whole.
#[derive(Debug)]
pub(super) struct Moved<T> {
    pub(super) from: i64,
    pub(super) now: T,
}

/// A line of a new order, or one that takes the place of the line with its number.
#[derive(Debug)]
pub(super) struct OrderLine {
    pub(super) order: Arc<Order>,
    /// From 1.
    pub(super) number: i32,
    /// Its place among the order's lines.
    pub(super) index: usize,
}

impl OrderLine {
    /// What the line says.
    pub(super) fn line(&self) -> &Line {
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
    pub(super) kind: String,
    pub(super) data: Box<RawValue>,
    pub(super) state: Box<RawValue>,
    pub(super) metadata: Metadata,
    pub(super) occurred_at: OffsetDateTime,
}

/// For the audit trail: who asked, and in which trace.
#[derive(Debug, Serialize)]
pub(super) struct Metadata {
    pub(super) caller: String,
    pub(super) traceparent: Option<String>,
}

impl ChangeSet {
    /// True when this part of `s2_write.sql` has something to do; `None` for a part that nobody knows.
    pub(super) fn has(&self, part: &str) -> Option<bool> {
        Some(match part {
            "" => true,
            "patience" => self.impatient,
            "keys" => !self.keys.is_empty(),
            "newOrders" => !self.new_orders.is_empty(),
            "movedOrders" => !self.moved_orders.is_empty(),
            "droppedLines" => !self.dropped_lines.is_empty(),
            "lines" => !self.lines.is_empty(),
            "newCustomers" => !self.new_customers.is_empty(),
            "movedCustomers" => !self.moved_customers.is_empty(),
            "newProducts" => !self.new_products.is_empty(),
            "movedProducts" => !self.moved_products.is_empty(),
            "seenCustomers" => !self.seen_customers.is_empty(),
            "seenProducts" => !self.seen_products.is_empty(),
            "stock" => !self.stock.is_empty(),
            "noStock" => self.stock.is_empty(),
            _ => return None,
        })
    }
}
