//! A change set as the array parameters of `s2_write.sql`, by the names that it gives them.
//! Never changes a value on the way: what the domain made is what is bound.

use std::sync::Arc;

use tokio_postgres::types::{Json, ToSql};

use super::change::{ChangeSet, Moved};
use crate::domain::{
    order::{Order, Shipment},
    value::Sku,
};

/// An array parameter.
pub(super) type Column<'a> = Box<dyn ToSql + Sync + Send + 'a>;

impl ChangeSet {
    /// The parameter that `s2_write.sql` calls `name`.
    pub(super) fn column(&self, name: &str) -> Option<Column<'_>> {
        self.of_events(name)
            .or_else(|| self.of_stock(name))
            .or_else(|| self.of_keys_and_lines(name))
            .or_else(|| self.of_orders(name))
            .or_else(|| self.of_customers(name))
            .or_else(|| self.of_products(name))
    }

    fn of_events(&self, name: &str) -> Option<Column<'_>> {
        let rows = &self.events;
        Some(match name {
            "event" => each(rows, |e| e.event_id),
            "eventStream" => each(rows, |e| &e.stream),
            "eventVersion" => each(rows, |e| e.version),
            "eventType" => each(rows, |e| &e.kind),
            "eventData" => each(rows, |e| Json(&e.data)),
            "eventState" => each(rows, |e| Json(&e.state)),
            "eventMetadata" => each(rows, |e| Json(&e.metadata)),
            "eventAt" => each(rows, |e| e.occurred_at),
            _ => return None,
        })
    }

    fn of_stock(&self, name: &str) -> Option<Column<'_>> {
        Some(match name {
            "stock" => each(&self.stock, |s| s.sku.as_str()),
            "stockDelta" => each(&self.stock, |s| s.delta),
            "stockLowest" => each(&self.stock, |s| s.lowest),
            "stockMoves" => each(&self.stock, |s| s.moves),
            "moveEvent" => each(&self.levels, |l| l.event_id),
            "moveSku" => each(&self.levels, |l| l.sku.as_str()),
            "moveLater" => each(&self.levels, |l| l.later),
            "moveBehind" => each(&self.levels, |l| l.behind),
            _ => return None,
        })
    }

    fn of_keys_and_lines(&self, name: &str) -> Option<Column<'_>> {
        Some(match name {
            "keyCaller" => each(&self.keys, |k| &k.caller),
            "key" => each(&self.keys, |k| &k.key),
            "keyFingerprint" => each(&self.keys, |k| &k.fingerprint),
            "keyEvent" => each(&self.keys, |k| k.event_id),
            "droppedOrder" => each(&self.dropped_lines, |(order, _)| order),
            "droppedAfter" => each(&self.dropped_lines, |(_, line)| line),
            "lineOrder" => each(&self.lines, |l| l.order.id),
            "line" => each(&self.lines, |l| l.number),
            "lineSku" => each(&self.lines, |l| l.line().sku.as_str()),
            "lineName" => each(&self.lines, |l| l.line().name.as_str()),
            "lineQuantity" => each(&self.lines, |l| l.line().quantity.get()),
            "linePrice" => each(&self.lines, |l| l.line().unit_price.amount),
            _ => return None,
        })
    }

    fn of_orders(&self, name: &str) -> Option<Column<'_>> {
        let (new, moved) = (&self.new_orders, &self.moved_orders);
        Some(match name {
            "newOrder" => each(new, |o| o.id),
            "newOrderVersion" => each(new, |o| o.version),
            "newOrderStatus" => each(new, |o| o.progress.status().name()),
            "newOrderCustomer" => each(new, |o| o.customer.id),
            "newOrderCustomerName" => each(new, |o| o.customer.name.as_str()),
            "newOrderTotal" => each(new, |o| o.total.amount),
            "newOrderCurrency" => each(new, |o| o.total.currency.as_str()),
            "newOrderPlacedAt" => each(new, |o| o.placed_at),
            "movedOrder" => each(moved, |m| m.now.id),
            "movedOrderFrom" => each(moved, |m| m.from),
            "movedOrderVersion" => each(moved, |m| m.now.version),
            "movedOrderStatus" => each(moved, |m| m.now.progress.status().name()),
            "movedOrderTotal" => each(moved, |m| m.now.total.amount),
            "movedOrderCurrency" => each(moved, |m| m.now.total.currency.as_str()),
            "movedOrderPaidAt" => each(moved, |m| m.now.progress.paid_at()),
            "movedOrderShippedAt" => each(moved, |m| m.now.progress.shipped_at()),
            "movedOrderCarrier" => each(moved, |m| parcel(m).map(|s| s.carrier.as_str())),
            "movedOrderTrackingNumber" => each(moved, |m| parcel(m).map(|s| s.tracking_number.as_str())),
            "movedOrderDeliveredAt" => each(moved, |m| m.now.progress.delivered_at()),
            "movedOrderCancelledAt" => each(moved, |m| m.now.progress.cancelled().map(|(at, _)| at)),
            "movedOrderReason" => each(moved, |m| m.now.progress.cancelled().map(|(_, why)| why.as_str())),
            _ => return None,
        })
    }

    fn of_customers(&self, name: &str) -> Option<Column<'_>> {
        let (new, moved) = (&self.new_customers, &self.moved_customers);
        Some(match name {
            "newCustomer" => each(new, |c| c.id),
            "newCustomerVersion" => each(new, |c| c.version),
            "newCustomerName" => each(new, |c| c.name.as_str()),
            "newCustomerEmail" => each(new, |c| c.email.as_str()),
            "movedCustomer" => each(moved, |m| m.now.id),
            "movedCustomerFrom" => each(moved, |m| m.from),
            "movedCustomerVersion" => each(moved, |m| m.now.version),
            "movedCustomerName" => each(moved, |m| m.now.name.as_str()),
            "movedCustomerEmail" => each(moved, |m| m.now.email.as_str()),
            "seenCustomer" => Box::new(self.seen_customers.keys().collect::<Vec<_>>()),
            "seenCustomerVersion" => Box::new(self.seen_customers.values().collect::<Vec<_>>()),
            _ => return None,
        })
    }

    fn of_products(&self, name: &str) -> Option<Column<'_>> {
        let (new, moved) = (&self.new_products, &self.moved_products);
        Some(match name {
            "newProduct" => each(new, |p| p.sku.as_str()),
            "newProductVersion" => each(new, |p| p.version),
            "newProductName" => each(new, |p| p.name.as_str()),
            "newProductPrice" => each(new, |p| p.price.money().amount),
            "newProductCurrency" => each(new, |p| p.price.money().currency.as_str()),
            "movedProduct" => each(moved, |m| m.now.sku.as_str()),
            "movedProductFrom" => each(moved, |m| m.from),
            "movedProductVersion" => each(moved, |m| m.now.version),
            "movedProductName" => each(moved, |m| m.now.name.as_str()),
            "movedProductPrice" => each(moved, |m| m.now.price.money().amount),
            "movedProductCurrency" => each(moved, |m| m.now.price.money().currency.as_str()),
            "seenProduct" => Box::new(self.seen_products.keys().map(Sku::as_str).collect::<Vec<_>>()),
            "seenProductVersion" => Box::new(self.seen_products.values().collect::<Vec<_>>()),
            _ => return None,
        })
    }
}

fn parcel(moved: &Moved<Arc<Order>>) -> Option<&Shipment> {
    moved.now.progress.shipment()
}

/// One element a row.
fn each<'a, T, V>(rows: &'a [T], value: impl Fn(&'a T) -> V) -> Column<'a>
where
    V: ToSql + Sync + Send + 'a,
{
    Box::new(rows.iter().map(value).collect::<Vec<V>>())
}
