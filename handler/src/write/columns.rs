//! The one table of the names in `write.sql`: its parts, and its array parameters with their values.
//! Never changes a value on the way: what the domain made is what is bound.

use std::sync::Arc;

use tokio_postgres::types::{Json, ToSql};

use super::change::{ChangeSet, MovedRow};
use crate::domain::{
    order::{Order, Shipment},
    timestamp::Timestamp,
    value::Sku,
};

/// Values of an array parameter.
pub(super) type ColumnValues<'a> = Box<dyn ToSql + Sync + Send + 'a>;

/// A part of `write.sql`.
#[derive(Debug)]
pub(super) struct StatementPart {
    pub(super) name: &'static str,
    pub(super) has_rows: fn(&ChangeSet) -> bool,
}

/// An array parameter of `write.sql`, one element a row.
#[derive(Debug)]
pub(super) struct ArrayParameter {
    pub(super) name: &'static str,
    pub(super) values: for<'a> fn(&'a ChangeSet) -> ColumnValues<'a>,
}

pub(super) static PARTS: &[StatementPart] = &[
    part("", |_| true),
    part("patience", |c| c.impatient),
    part("keys", |c| !c.keys.is_empty()),
    part("newOrders", |c| !c.new_orders.is_empty()),
    part("movedOrders", |c| !c.moved_orders.is_empty()),
    part("droppedLines", |c| !c.dropped_lines.is_empty()),
    part("lines", |c| !c.lines.is_empty()),
    part("newCustomers", |c| !c.new_customers.is_empty()),
    part("movedCustomers", |c| !c.moved_customers.is_empty()),
    part("newProducts", |c| !c.new_products.is_empty()),
    part("movedProducts", |c| !c.moved_products.is_empty()),
    part("seenCustomers", |c| !c.seen_customers.is_empty()),
    part("seenProducts", |c| !c.seen_products.is_empty()),
    part("stock", |c| !c.stock.is_empty()),
    part("noStock", |c| c.stock.is_empty()),
];

pub(super) static COLUMNS: &[ArrayParameter] = &[
    column("event", |c| each(&c.events, |e| e.event_id)),
    column("eventStream", |c| each(&c.events, |e| &e.stream)),
    column("eventVersion", |c| each(&c.events, |e| e.version)),
    column("eventType", |c| each(&c.events, |e| e.event_type.name())),
    column("eventData", |c| each(&c.events, |e| Json(&e.data))),
    column("eventState", |c| each(&c.events, |e| Json(&e.state))),
    column("eventMetadata", |c| each(&c.events, |e| Json(&e.metadata))),
    column("eventAt", |c| each(&c.events, |e| e.occurred_at.utc())),
    column("stock", |c| each(&c.stock, |s| s.sku.as_str())),
    column("stockDelta", |c| each(&c.stock, |s| s.delta)),
    column("stockLowest", |c| each(&c.stock, |s| s.lowest)),
    column("stockMoves", |c| each(&c.stock, |s| s.moves)),
    column("moveEvent", |c| each(&c.levels, |l| l.event_id)),
    column("moveSku", |c| each(&c.levels, |l| l.sku.as_str())),
    column("moveLater", |c| each(&c.levels, |l| l.later)),
    column("moveBehind", |c| each(&c.levels, |l| l.behind)),
    column("keyCaller", |c| each(&c.keys, |k| &k.caller)),
    column("key", |c| each(&c.keys, |k| &k.key)),
    column("keyFingerprint", |c| each(&c.keys, |k| &k.fingerprint)),
    column("keyEvent", |c| each(&c.keys, |k| k.event_id)),
    column("droppedOrder", |c| each(&c.dropped_lines, |(order, _)| order)),
    column("droppedAfter", |c| each(&c.dropped_lines, |(_, line)| line)),
    column("lineOrder", |c| each(&c.lines, |l| l.order.id)),
    column("line", |c| each(&c.lines, |l| l.number)),
    column("lineSku", |c| each(&c.lines, |l| l.line().sku.as_str())),
    column("lineName", |c| each(&c.lines, |l| l.line().name.as_str())),
    column("lineQuantity", |c| each(&c.lines, |l| l.line().quantity.get())),
    column("linePrice", |c| each(&c.lines, |l| l.line().unit_price.amount)),
    column("newOrder", |c| each(&c.new_orders, |o| o.id)),
    column("newOrderVersion", |c| each(&c.new_orders, |o| o.version)),
    column("newOrderStatus", |c| {
        each(&c.new_orders, |o| o.progress.status().name())
    }),
    column("newOrderCustomer", |c| each(&c.new_orders, |o| o.customer.id)),
    column("newOrderCustomerName", |c| {
        each(&c.new_orders, |o| o.customer.name.as_str())
    }),
    column("newOrderTotal", |c| each(&c.new_orders, |o| o.total.amount)),
    column("newOrderCurrency", |c| {
        each(&c.new_orders, |o| o.total.currency.as_str())
    }),
    column("newOrderPlacedAt", |c| each(&c.new_orders, |o| o.placed_at.utc())),
    column("movedOrder", |c| each(&c.moved_orders, |m| m.now.id)),
    column("movedOrderFrom", |c| each(&c.moved_orders, |m| m.from)),
    column("movedOrderVersion", |c| each(&c.moved_orders, |m| m.now.version)),
    column("movedOrderStatus", |c| {
        each(&c.moved_orders, |m| m.now.progress.status().name())
    }),
    column("movedOrderTotal", |c| {
        each(&c.moved_orders, |m| m.now.total.amount)
    }),
    column("movedOrderCurrency", |c| {
        each(&c.moved_orders, |m| m.now.total.currency.as_str())
    }),
    column("movedOrderPaidAt", |c| {
        each(&c.moved_orders, |m| m.now.progress.paid_at().map(Timestamp::utc))
    }),
    column("movedOrderShippedAt", |c| {
        each(&c.moved_orders, |m| {
            m.now.progress.shipped_at().map(Timestamp::utc)
        })
    }),
    column("movedOrderCarrier", |c| {
        each(&c.moved_orders, |m| parcel(m).map(|s| s.carrier.as_str()))
    }),
    column("movedOrderTrackingNumber", |c| {
        each(&c.moved_orders, |m| parcel(m).map(|s| s.tracking_number.as_str()))
    }),
    column("movedOrderDeliveredAt", |c| {
        each(&c.moved_orders, |m| {
            m.now.progress.delivered_at().map(Timestamp::utc)
        })
    }),
    column("movedOrderCancelledAt", |c| {
        each(&c.moved_orders, |m| {
            m.now.progress.cancelled().map(|(at, _)| at.utc())
        })
    }),
    column("movedOrderReason", |c| {
        each(&c.moved_orders, |m| {
            m.now.progress.cancelled().map(|(_, why)| why.as_str())
        })
    }),
    column("newCustomer", |c| each(&c.new_customers, |c| c.id)),
    column("newCustomerVersion", |c| each(&c.new_customers, |c| c.version)),
    column("newCustomerName", |c| each(&c.new_customers, |c| c.name.as_str())),
    column("newCustomerEmail", |c| {
        each(&c.new_customers, |c| c.email.as_str())
    }),
    column("movedCustomer", |c| each(&c.moved_customers, |m| m.now.id)),
    column("movedCustomerFrom", |c| each(&c.moved_customers, |m| m.from)),
    column("movedCustomerVersion", |c| {
        each(&c.moved_customers, |m| m.now.version)
    }),
    column("movedCustomerName", |c| {
        each(&c.moved_customers, |m| m.now.name.as_str())
    }),
    column("movedCustomerEmail", |c| {
        each(&c.moved_customers, |m| m.now.email.as_str())
    }),
    column("seenCustomer", |c| {
        Box::new(c.seen_customers.keys().collect::<Vec<_>>())
    }),
    column("seenCustomerVersion", |c| {
        Box::new(c.seen_customers.values().collect::<Vec<_>>())
    }),
    column("newProduct", |c| each(&c.new_products, |p| p.sku.as_str())),
    column("newProductVersion", |c| each(&c.new_products, |p| p.version)),
    column("newProductName", |c| each(&c.new_products, |p| p.name.as_str())),
    column("newProductPrice", |c| {
        each(&c.new_products, |p| p.price.money().amount)
    }),
    column("newProductCurrency", |c| {
        each(&c.new_products, |p| p.price.money().currency.as_str())
    }),
    column("movedProduct", |c| {
        each(&c.moved_products, |m| m.now.sku.as_str())
    }),
    column("movedProductFrom", |c| each(&c.moved_products, |m| m.from)),
    column("movedProductVersion", |c| {
        each(&c.moved_products, |m| m.now.version)
    }),
    column("movedProductName", |c| {
        each(&c.moved_products, |m| m.now.name.as_str())
    }),
    column("movedProductPrice", |c| {
        each(&c.moved_products, |m| m.now.price.money().amount)
    }),
    column("movedProductCurrency", |c| {
        each(&c.moved_products, |m| m.now.price.money().currency.as_str())
    }),
    column("seenProduct", |c| {
        Box::new(c.seen_products.keys().map(Sku::as_str).collect::<Vec<_>>())
    }),
    column("seenProductVersion", |c| {
        Box::new(c.seen_products.values().collect::<Vec<_>>())
    }),
];

const fn part(name: &'static str, has_rows: fn(&ChangeSet) -> bool) -> StatementPart {
    StatementPart { name, has_rows }
}

const fn column(name: &'static str, values: for<'a> fn(&'a ChangeSet) -> ColumnValues<'a>) -> ArrayParameter {
    ArrayParameter { name, values }
}

fn parcel(moved: &MovedRow<Arc<Order>>) -> Option<&Shipment> {
    moved.now.progress.shipment()
}

/// One element a row.
fn each<'a, T, V>(rows: &'a [T], value: impl Fn(&'a T) -> V) -> ColumnValues<'a>
where
    V: ToSql + Sync + Send + 'a,
{
    Box::new(rows.iter().map(value).collect::<Vec<V>>())
}
