//! What the documents must be, folded out of the history by the rules of the domain and written down as docs/read-model.md
//! describes them. Never uses a projection, nor the state that travels with an event.

use std::collections::BTreeMap;

use handler::{
    domain::{aggregate::Aggregate, fold::StreamFold, order::Order, timestamp::Timestamp},
    read::document::{Generation, sales::shard},
};
use serde_json::{Value, json};
use time::format_description::well_known::Rfc3339;

use crate::{documents::Place, shop::Shop};

/// Documents by their places.
pub(crate) type All = BTreeMap<Place, Value>;

/// All documents of a generation; `None` when the history is not one that can be.
pub(crate) fn documents(shop: &Shop, generation: Generation) -> Option<All> {
    let mut all = sales(shop, generation);
    let mut streams: BTreeMap<&str, StreamFold> = BTreeMap::new();
    for committed in &shop.log {
        let event = &committed.event;
        let stream = streams.entry(&event.subject).or_default();
        stream.add(event).ok()?;
        if let (Aggregate::Order(order), at) = stream.last()? {
            let pk = generation.partition(&event.subject);
            let id = format!("event-{}", order.version);
            let document = json!({ "id": id, "pk": pk, "gen": generation, "kind": "event", "orderId": order.id,
                "version": order.version, "type": event.kind, "at": text(at)?, "data": event.data });
            all.insert(("orders", pk, id), document);
        }
    }
    for stream in streams.values() {
        match stream.last()? {
            (Aggregate::Order(order), at) => {
                put(&mut all, "customers", row(order, generation)?);
                put(&mut all, "orders", whole(order, generation, at)?);
            }
            (Aggregate::Customer(it), at) => {
                let pk = generation.partition(&it.id.to_string());
                let document = json!({ "id": "customer", "pk": pk, "gen": generation, "kind": "customer",
                    "customerId": it.id, "version": it.version, "name": it.name, "email": it.email,
                    "changedAt": text(at)? });
                put(&mut all, "customers", document);
            }
            (Aggregate::Product(it), at) => {
                let described = json!({ "version": it.version, "name": it.name, "price": it.price,
                    "changedAt": text(at)? });
                let mut document = json!({ "id": "product", "pk": generation.partition(it.sku.as_str()),
                    "gen": generation, "kind": "product", "sku": it.sku, "described": described });
                if let Some(level) = shop.stock.get(&it.sku).filter(|level| level.seq > 0) {
                    document["stock"] = json!({ "available": level.available, "seq": level.seq });
                }
                put(&mut all, "products", document);
            }
        }
    }
    Some(all)
}

/// The order's own document: all of the order, under other names for its id.
fn whole(order: &Order, generation: Generation, changed_at: Timestamp) -> Option<Value> {
    let mut document = serde_json::to_value(order).ok()?;
    let pk = generation.partition(&order.id.to_string());
    for (name, value) in [
        ("id", json!("order")),
        ("pk", json!(pk)),
        ("gen", json!(generation)),
        ("kind", json!("order")),
        ("orderId", json!(order.id)),
        ("changedAt", json!(text(changed_at)?)),
    ] {
        document[name] = value;
    }
    Some(document)
}

/// The order in its customer's list.
fn row(order: &Order, generation: Generation) -> Option<Value> {
    Some(
        json!({ "id": order.id, "pk": generation.partition(&order.customer.id.to_string()), "gen": generation,
        "kind": "order", "orderId": order.id, "version": order.version, "status": order.progress.status(),
        "customer": order.customer, "total": order.total, "placedAt": text(order.placed_at)? }),
    )
}

/// The sums of one currency in one shard of a day.
#[derive(Default)]
struct CurrencySums {
    paid_orders: i64,
    paid: i128,
    cancelled_orders: i64,
    cancelled: i128,
}

/// CurrencySums and markers, counted one by one.
fn sales(shop: &Shop, generation: Generation) -> All {
    let mut all = All::new();
    let mut days: BTreeMap<(String, String), BTreeMap<&str, CurrencySums>> = BTreeMap::new();
    for sold in &shop.sales {
        let pk = shard(generation, sold.at.utc().date(), sold.order);
        let marker =
            json!({ "id": sold.event, "pk": pk, "gen": generation, "kind": "marker", "orderId": sold.order });
        put(&mut all, "sales", marker);
        let day = days.entry((pk, sold.at.utc().date().to_string())).or_default();
        let of = day.entry(sold.total.currency.as_str()).or_default();
        let amount = i128::from(sold.total.amount);
        if sold.cancelled {
            (of.cancelled_orders, of.cancelled) = (of.cancelled_orders + 1, of.cancelled + amount);
        } else {
            (of.paid_orders, of.paid) = (of.paid_orders + 1, of.paid + amount);
        }
    }
    for ((pk, day), currencies) in days {
        let sums = |of: CurrencySums| {
            json!({ "paidOrders": of.paid_orders, "paid": of.paid.to_string(),
                "cancelledOrders": of.cancelled_orders, "cancelled": of.cancelled.to_string() })
        };
        let currencies: BTreeMap<&str, Value> = currencies
            .into_iter()
            .map(|(name, of)| (name, sums(of)))
            .collect();
        let totals = json!({ "id": "totals", "pk": pk, "gen": generation, "kind": "totals", "day": day,
            "currencies": currencies });
        put(&mut all, "sales", totals);
    }
    all
}

/// A document at the place that it names itself.
fn put(all: &mut All, container: &'static str, document: Value) {
    let named = |name: &str| document[name].as_str().unwrap_or_default().to_owned();
    all.insert((container, named("pk"), named("id")), document);
}

fn text(at: Timestamp) -> Option<String> {
    at.utc().format(&Rfc3339).ok()
}
