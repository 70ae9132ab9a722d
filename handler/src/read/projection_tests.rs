//! The projections' algebra: any order, any repetition and any interruption of the same messages ends in the same documents.
//! Never uses the projections to say what the documents must be: that is folded from the events in order.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use serde_json::{Value, json};
use time::{Date, Duration, OffsetDateTime};
use uuid::Uuid;

use super::{
    change::{DocumentChange, changes},
    document::{
        Document, Generation,
        order::OrderDocument,
        product::ProductDocument,
        sales::{Sale, by_day},
    },
    incoming::IncomingEvent,
    view::{DaySales, OrderRow},
};
use crate::domain::{
    aggregate::Aggregate,
    customer::{self, Customer, CustomerCommand},
    event::{Event, EventType, StockLevel},
    order::{self, CatalogueEntry, Order, OrderCommand, OrderFacts, Shipment},
    product::{self, Product, ProductCommand},
    testing::{id, price, quantity, text},
    timestamp::Timestamp,
    value::Sku,
};

/// A shop in memory that plays random steps and keeps every event as its message would say it.
#[derive(Default)]
struct Shop {
    customers: BTreeMap<Uuid, Customer>,
    products: BTreeMap<Sku, Product>,
    stock: BTreeMap<Sku, StockLevel>,
    orders: BTreeMap<Uuid, Order>,
    log: Vec<IncomingEvent>,
}

/// The pieces that an order takes out of stock.
fn held(order: Option<&Order>) -> BTreeMap<Sku, i64> {
    let held = order.filter(|order| order.progress.cancelled().is_none());
    let lines = held.into_iter().flat_map(|order| &order.lines);
    lines
        .map(|line| (line.sku.clone(), line.quantity.get()))
        .collect()
}

impl Shop {
    /// Three steps to a day, so that sales fall on several.
    fn now(&self) -> Timestamp {
        let hours = 8 * i64::try_from(self.log.len()).unwrap();
        (OffsetDateTime::UNIX_EPOCH + Duration::hours(hours))
            .try_into()
            .unwrap()
    }

    fn move_stock(&mut self, sku: &Sku, delta: i64) -> StockLevel {
        let level = self.stock.get_mut(sku).unwrap();
        (level.available, level.seq) = (level.available + delta, level.seq + 1);
        level.clone()
    }

    fn catalogue(&self) -> BTreeMap<Sku, CatalogueEntry> {
        let entry = |(sku, product): (&Sku, &Product)| {
            let available = self.stock.get(sku)?.available;
            let product = product.clone().into();
            Some((sku.clone(), CatalogueEntry { product, available }))
        };
        self.products.iter().filter_map(entry).collect()
    }

    fn record(&mut self, event: &Event, version: i64, state: Aggregate, stock: Vec<StockLevel>) {
        let (event_type, data) = event.to_parts().unwrap();
        self.log.push(IncomingEvent {
            event_id: id(1_000 + self.log.len() as u128),
            event_type,
            at: self.now(),
            version,
            data: serde_json::from_str(data.get()).unwrap(),
            state,
            stock,
        });
    }

    fn customer(&mut self, who: Uuid, command: CustomerCommand) {
        let before = self.customers.get(&who).cloned();
        let Ok(event) = customer::decide(who, before.as_ref(), &command) else {
            return;
        };
        let after = customer::evolve(who, before, &event).unwrap();
        self.customers.insert(who, after.clone());
        self.record(&event, after.version, after.into(), Vec::new());
    }

    fn product(&mut self, sku: &Sku, command: ProductCommand) {
        let before = self.products.get(sku).cloned();
        let Ok(event) = product::decide(sku, before.as_ref(), &command) else {
            return;
        };
        let after = product::evolve(sku, before, &event).unwrap();
        self.products.insert(sku.clone(), after.clone());
        let empty = StockLevel {
            sku: sku.clone(),
            available: 0,
            seq: 0,
        };
        self.stock.entry(sku.clone()).or_insert(empty);
        let stock = match &event {
            Event::ProductRestocked { quantity } => vec![self.move_stock(sku, quantity.get())],
            _ => Vec::new(),
        };
        self.record(&event, after.version, after.into(), stock);
    }

    fn order(&mut self, which: Uuid, command: OrderCommand) {
        let before = self.orders.get(&which).cloned();
        let customer = match &command {
            OrderCommand::Place { customer, .. } => self.customers.get(customer),
            _ => None,
        };
        let facts = OrderFacts {
            customer,
            catalogue: &self.catalogue(),
            at: self.now(),
        };
        let Ok(event) = order::decide(which, before.as_ref(), &command, facts) else {
            return;
        };
        let (was, after) = (
            held(before.as_ref()),
            order::evolve(which, before, &event).unwrap(),
        );
        let is = held(Some(&after));
        let skus: BTreeSet<Sku> = was.keys().chain(is.keys()).cloned().collect();
        let pieces = |side: &BTreeMap<Sku, i64>, sku: &Sku| side.get(sku).copied().unwrap_or_default();
        let moved: Vec<(Sku, i64)> = skus
            .into_iter()
            .map(|sku| (sku.clone(), pieces(&was, &sku) - pieces(&is, &sku)))
            .collect();
        let moved = moved.into_iter().filter(|(_, delta)| *delta != 0);
        let stock = moved.map(|(sku, delta)| self.move_stock(&sku, delta)).collect();
        self.orders.insert(which, after.clone());
        self.record(&event, after.version, after.into(), stock);
    }

    /// One step, whatever the four numbers make of it; many are refused, and leave nothing.
    fn step(&mut self, [what, a, b, c]: [u8; 4]) {
        match what % 12 {
            0 | 1 => self.customer_step(what % 2 == 0, id(u128::from(a % 2) + 1), c),
            2..=4 => self.product_step(what % 12, &sku(b), c),
            step => self.order_step(step, a, b, c),
        }
    }

    fn customer_step(&mut self, new: bool, who: Uuid, c: u8) {
        let (name, email) = (text(&format!("Ada {c}")), text("ada@example.org"));
        let command = if new {
            CustomerCommand::Register { name, email }
        } else {
            CustomerCommand::Rename { name }
        };
        self.customer(who, command);
    }

    fn product_step(&mut self, step: u8, sku: &Sku, c: u8) {
        let currency = if c.is_multiple_of(5) { "USD" } else { "EUR" };
        let name = text("Thing");
        let command = match step {
            2 => ProductCommand::Add {
                name,
                price: price(500, "EUR"),
            },
            3 => ProductCommand::ChangePrice {
                price: price(i64::from(c) + 1, currency),
            },
            _ => ProductCommand::Restock {
                quantity: quantity(i64::from(c) + 1),
            },
        };
        self.product(sku, command);
    }

    fn order_step(&mut self, step: u8, a: u8, b: u8, c: u8) {
        let which = id(u128::from(a % 6) + 100);
        let known = self.orders.get(&which).cloned();
        let mut lines = vec![(sku(b), quantity(i64::from(c % 4) + 1))];
        if c % 2 == 1 {
            lines.push((sku(b.wrapping_add(1)), quantity(2)));
        }
        let expected_total = None;
        let command = match (step, known) {
            // An id is placed once.
            (5 | 6, None) => OrderCommand::Place {
                customer: id(u128::from(a % 2) + 1),
                lines,
                expected_total,
            },
            (7, Some(_)) => OrderCommand::ChangeLines {
                lines,
                expected_total,
            },
            (8, Some(order)) => OrderCommand::Pay { amount: order.total },
            (9, Some(_)) => {
                let shipment = Shipment {
                    carrier: text("DHL"),
                    tracking_number: text("JD01"),
                };
                OrderCommand::Ship { shipment }
            }
            (10, Some(_)) => OrderCommand::Deliver,
            (11, Some(_)) => OrderCommand::Cancel { reason: text("no") },
            _ => return,
        };
        self.order(which, command);
    }
}

fn sku(n: u8) -> Sku {
    text(["MUG", "PEN", "CUP"][usize::from(n % 3)])
}

/// Documents by container and partition and id, as the store would hold them.
type World = BTreeMap<(&'static str, String, String), Value>;

/// Puts a document over what is there, as one conditional write does.
fn merge<D: Document>(world: &mut World, container: &'static str, incoming: &D) {
    let place = (container, incoming.pk().to_owned(), incoming.id());
    let existing: Option<D> = world
        .get(&place)
        .map(|there| serde_json::from_value(there.clone()).unwrap());
    let next = match &existing {
        None => Some(incoming.clone()),
        Some(existing) => incoming.replacing(existing),
    };
    if let Some(next) = next {
        world.insert(place, serde_json::to_value(next).unwrap());
    }
}

fn apply(world: &mut World, change: &DocumentChange) {
    match change {
        DocumentChange::Order(order, event) => {
            merge(world, "orders", &**order);
            let place = ("orders", event.pk().to_owned(), event.id().to_owned());
            world.insert(place, serde_json::to_value(event).unwrap());
        }
        DocumentChange::Customer(customer) => merge(world, "customers", customer),
        DocumentChange::OrderRow(row) => merge(world, "customers", row),
        DocumentChange::Product(product) => merge(world, "products", product),
        DocumentChange::Sale(sale) => {
            let marker = ("sales", sale.pk(), sale.marker().id().to_owned());
            if !world.contains_key(&marker) {
                let totals = ("sales", sale.pk(), "totals".to_owned());
                let existing = world
                    .get(&totals)
                    .map(|there| serde_json::from_value(there.clone()).unwrap());
                world.insert(
                    totals,
                    serde_json::to_value(sale.added_to(existing.as_ref())).unwrap(),
                );
                world.insert(marker, serde_json::to_value(sale.marker()).unwrap());
            }
        }
    }
}

/// The contents of the documents of one kind, in any order.
fn said<D: Document, T>(world: &World, container: &str, read: fn(D) -> T) -> Vec<T> {
    let there = world.iter().filter(|((place, ..), _)| *place == container);
    there
        .filter_map(|(_, document)| serde_json::from_value(document.clone()).ok())
        .map(read)
        .collect()
}

/// Holds the documents against the shop's own state, and sales against the log.
fn assert_shows(world: &World, shop: &Shop) {
    let orders = said(world, "orders", OrderDocument::into_order);
    assert_eq!(orders, shop.orders.values().cloned().collect::<Vec<_>>());
    let events: BTreeSet<String> = world
        .iter()
        .filter(|((container, _, id), _)| *container == "orders" && id != "order")
        .map(|(_, event)| {
            json!([event["orderId"], event["version"], event["type"], event["data"]]).to_string()
        })
        .collect();
    let of_orders = shop.log.iter().filter_map(|event| match &event.state {
        Aggregate::Order(order) => {
            Some(json!([order.id, event.version, event.event_type.name(), event.data]).to_string())
        }
        _ => None,
    });
    assert_eq!(events, of_orders.collect());
    let rows = said(
        world,
        "customers",
        super::document::customer::OrderRowDocument::into_row,
    );
    let rows: BTreeMap<Uuid, OrderRow> = rows.into_iter().map(|row| (row.id, row)).collect();
    assert_eq!(
        rows,
        shop.orders
            .iter()
            .map(|(id, order)| (*id, order.clone().into()))
            .collect()
    );
    let customers = said(
        world,
        "customers",
        super::document::customer::CustomerDocument::into_versioned,
    );
    let customers: Vec<Customer> = customers.into_iter().map(|seen| seen.value).collect();
    assert_eq!(customers, shop.customers.values().cloned().collect::<Vec<_>>());
    let products = said(world, "products", ProductDocument::into_versioned)
        .into_iter()
        .flatten();
    let products: Vec<_> = products
        .map(|seen| (seen.value.product, seen.value.available, seen.value.seq))
        .collect();
    let stocked = shop.products.values().map(|product| {
        let level = &shop.stock[&product.sku];
        (product.clone(), level.available, level.seq)
    });
    let mut stocked: Vec<_> = stocked.collect();
    stocked.sort_by(|a, b| a.0.sku.cmp(&b.0.sku));
    assert_eq!(products, stocked);
    let totals = world
        .iter()
        .filter(|((container, _, id), _)| *container == "sales" && id == "totals");
    let totals = totals.map(|(_, totals)| serde_json::from_value(totals.clone()).unwrap());
    assert_eq!(by_day(totals), sold(&shop.log));
}

/// Paid and cancelled amounts by day and currency, counted off the log.
fn sold(log: &[IncomingEvent]) -> Vec<DaySales> {
    let mut sold: BTreeMap<(Date, String), DaySales> = BTreeMap::new();
    for event in log {
        let Aggregate::Order(order) = &event.state else {
            continue;
        };
        let paid = event.event_type == EventType::OrderPaid;
        if !paid && (event.event_type != EventType::OrderCancelled || order.progress.paid_at().is_none()) {
            continue;
        }
        let key = (event.at.utc().date(), order.total.currency.as_str().to_owned());
        let day = sold.entry(key).or_insert_with(|| DaySales {
            day: event.at.utc().date(),
            currency: order.total.currency.clone(),
            paid_orders: 0,
            paid: 0,
            cancelled_orders: 0,
            cancelled: 0,
        });
        let amount = i128::from(order.total.amount);
        if paid {
            (day.paid_orders, day.paid) = (day.paid_orders + 1, day.paid + amount);
        } else {
            (day.cancelled_orders, day.cancelled) = (day.cancelled_orders + 1, day.cancelled + amount);
        }
    }
    sold.into_values().collect()
}

/// A shop that has everything, so that most steps come to something.
fn opened() -> Shop {
    let mut shop = Shop::default();
    for n in 0..3 {
        [[0, n, 0, 0], [2, 0, n, 0], [4, 0, n, 99]]
            .into_iter()
            .for_each(|step| shop.step(step));
    }
    shop
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_order_repetition_and_interruption_of_the_messages_ends_in_the_plain_fold(
        steps in prop::collection::vec(any::<[u8; 4]>(), 1..120),
        again in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..60),
        seed in any::<u64>(),
    ) {
        let mut shop = opened();
        steps.into_iter().for_each(|step| shop.step(step));
        // Every message whole at least once; some again, and some cut off: only the marked ones of its writes were done.
        let mut deliveries: Vec<(usize, u8)> = (0..shop.log.len()).map(|n| (n, u8::MAX)).collect();
        deliveries.extend(again.into_iter().map(|(which, writes)| (which.index(shop.log.len()), writes)));
        deliveries.sort_by_key(|(n, writes)| {
            use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};
            BuildHasherDefault::<DefaultHasher>::default().hash_one((seed, n, writes))
        });
        let mut world = World::new();
        for (n, writes) in deliveries {
            for (place, change) in changes(Generation::FIRST, shop.log[n].clone()).iter().enumerate() {
                if writes >> (place % 8) & 1 == 1 {
                    apply(&mut world, change);
                }
            }
        }
        assert_shows(&world, &shop);
    }

    #[test]
    fn the_two_registers_of_a_product_never_decide_about_one_another(
        parts in prop::collection::vec((prop::option::of(1_i64..6), prop::option::of(1_i64..6)), 1..30)
    ) {
        let sku: Sku = text("MUG");
        let mut world = World::new();
        for (version, seq) in &parts {
            let product = version.map(|version| {
                let product = Product { sku: sku.clone(), version, name: text("Mug"), price: price(version, "EUR") };
                (product, Timestamp::UNIX_EPOCH)
            });
            let level = seq.map(|seq| StockLevel { sku: sku.clone(), available: 10 * seq, seq });
            if product.is_some() || level.is_some() {
                merge(&mut world, "products", &ProductDocument::new(Generation::FIRST, &sku, product, level.as_ref()));
            }
        }
        let newest = parts.iter().filter_map(|(version, _)| *version).max();
        let highest = parts.iter().filter_map(|(_, seq)| *seq).max().unwrap_or_default();
        let shown = said(&world, "products", ProductDocument::into_versioned).pop().flatten();
        prop_assert_eq!(
            shown.map(|seen| (seen.value.product.version, seen.value.product.price, seen.value.available, seen.etag)),
            newest.map(|version| (version, price(version, "EUR"), 10 * highest, format!("{version}-{highest}")))
        );
    }
}

/// An order that has just been paid, or cancelled after it was.
fn sold_order(n: u128, amount: i64, currency: &str, cancelled: bool) -> Order {
    const AT: &str = "2026-11-24T10:00:00Z";
    let mut order = json!({
        "id": id(n), "version": 2, "status": "paid", "customer": { "id": id(1), "name": "Ada" }, "lines": [],
        "total": { "amount": amount, "currency": currency }, "placedAt": AT, "paidAt": AT,
    });
    if cancelled {
        (order["status"], order["cancelledAt"], order["reason"]) =
            (json!("cancelled"), json!(AT), json!("no"));
    }
    serde_json::from_value(order).unwrap()
}

proptest! {
    #[test]
    fn each_sale_counts_once_on_its_day_whatever_comes_when_and_how_often(
        facts in prop::collection::vec((1_i64..=1 << 53, any::<bool>(), any::<bool>(), 0_i64..3), 1..40),
        again in prop::collection::vec(any::<prop::sample::Index>(), 0..60),
    ) {
        let day = |n: i64| (OffsetDateTime::UNIX_EPOCH + Duration::days(n)).date();
        let sales: Vec<DocumentChange> = facts.iter().zip(1_u128..).map(|(&(amount, euro, cancelled, on), n)| {
            let order = sold_order(n, amount, if euro { "EUR" } else { "USD" }, cancelled);
            DocumentChange::Sale(Sale::from_event(Generation::FIRST, id(n), &order, day(on).midnight().assume_utc().try_into().unwrap()).unwrap())
        }).collect();
        let mut world = World::new();
        for index in again.iter().map(|which| which.index(sales.len())).chain((0..sales.len()).rev()) {
            apply(&mut world, &sales[index]);
        }
        let totals = world.iter().filter(|((.., id), _)| id == "totals");
        let shown = by_day(totals.map(|(_, totals)| serde_json::from_value(totals.clone()).unwrap()));
        for DaySales { day: on, currency, paid_orders, paid, cancelled_orders, cancelled } in &shown {
            let of = |cancelled: bool| facts.iter().filter(move |fact| {
                day(fact.3) == *on && fact.1 == (currency.as_str() == "EUR") && fact.2 == cancelled
            });
            let sum = |cancelled: bool| of(cancelled).map(|fact| i128::from(fact.0)).sum::<i128>();
            prop_assert_eq!((*paid, *cancelled), (sum(false), sum(true)));
            prop_assert_eq!((*paid_orders, *cancelled_orders), (of(false).count() as i64, of(true).count() as i64));
        }
        let counted: i64 = shown.iter().map(|sales| sales.paid_orders + sales.cancelled_orders).sum();
        prop_assert_eq!(counted, facts.len() as i64);
    }
}

#[test]
fn a_history_of_many_steps_reaches_every_kind_of_event() {
    let mut shop = opened();
    (0..4_000_u16).for_each(|n| {
        let [a, b] = n.wrapping_mul(40_503).to_be_bytes();
        shop.step([a, b, a ^ b, a.wrapping_add(b)]);
    });
    let kinds: BTreeSet<&str> = shop.log.iter().map(|event| event.event_type.name()).collect();
    assert!(kinds.len() >= 11, "{kinds:?}");
    assert!(!sold(&shop.log).is_empty());
}
