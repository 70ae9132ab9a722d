//! A random history of a small shop, made by the rules of the domain, with the stock that each event moves.
//! Never writes it anywhere: it says what is committed, in which order, and what of it had to be there before.

use std::collections::{BTreeMap, BTreeSet};

use handler::domain::{
    customer::{self, Customer, CustomerCommand},
    event::{Event, RecordedEvent, StockLevel},
    order::{self, Catalogue, CatalogueEntry, Order, OrderCommand, OrderFacts, Shipment},
    product::{self, Product, ProductCommand},
    timestamp::Timestamp,
    value::{Money, Quantity, Sku},
};
use serde::Serialize;
use serde_json::{Value, json};
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use crate::fault_plan::FaultPlan;

const CUSTOMERS: usize = 3;
const PRODUCTS: usize = 4;

/// The lines that an order asks for.
type Lines = Vec<(Sku, Quantity)>;

/// The shop as it stands after its history: what the tables of the write model would hold.
#[derive(Default)]
pub(crate) struct Shop {
    customers: BTreeMap<Uuid, Customer>,
    products: BTreeMap<Sku, Product>,
    orders: BTreeMap<Uuid, Order>,
    pub(crate) stock: BTreeMap<Sku, StockLevel>,
    /// Sales and cancellations.
    pub(crate) sales: Vec<Sale>,
    pub(crate) log: Vec<CommittedEvent>,
    orders_placed: u64,
}

/// An event, and whatever its transaction read or locked: its like that came before must be visible first.
pub(crate) struct CommittedEvent {
    pub(crate) event: RecordedEvent,
    pub(crate) touches: BTreeSet<String>,
}

/// An order was paid, or a paid one cancelled.
pub(crate) struct Sale {
    pub(crate) event: Uuid,
    pub(crate) order: Uuid,
    pub(crate) at: Timestamp,
    pub(crate) total: Money,
    pub(crate) cancelled: bool,
}

/// The state that an event left behind.
struct NewState<S> {
    version: i64,
    subject: String,
    state: S,
    stock: Vec<StockLevel>,
    touches: BTreeSet<String>,
}

impl Shop {
    /// A shop to which so many things have happened.
    pub(crate) fn with(plan: &FaultPlan, events: usize) -> Self {
        let mut shop = Self::default();
        // Refused commands leave nothing; the bound is for a shop in which nothing can happen any more.
        for _ in 0..events * 50 {
            if shop.log.len() >= events {
                break;
            }
            // What cannot be asked for is not asked.
            let _ = shop.step(plan);
        }
        shop
    }

    /// Some hours after the one before, so that sales fall on several days.
    fn now(&self) -> Timestamp {
        let hours = i64::try_from(self.log.len()).unwrap_or_default();
        let now = OffsetDateTime::UNIX_EPOCH + Duration::hours(5 * (hours + 1));
        now.try_into().unwrap_or(Timestamp::UNIX_EPOCH)
    }

    fn step(&mut self, plan: &FaultPlan) -> Option<()> {
        match plan.pick(20) {
            0 | 1 => self.customer_step(plan),
            2..=6 => self.product_step(plan),
            7..=10 => self.place(plan),
            _ => self.order_step(plan),
        }
    }

    fn customer_step(&mut self, plan: &FaultPlan) -> Option<()> {
        let id = customer_id(plan.pick(CUSTOMERS));
        let n = plan.between(0..=99);
        let command = match (self.customers.contains_key(&id), n % 2) {
            (false, _) => CustomerCommand::Register {
                name: text("Ada")?,
                email: text("ada@example.org")?,
            },
            (true, 0) => CustomerCommand::Rename {
                name: text(&format!("Ada {n}"))?,
            },
            (true, _) => CustomerCommand::ChangeEmail {
                email: text(&format!("ada{n}@example.org"))?,
            },
        };
        let before = self.customers.get(&id).cloned();
        let event = customer::decide(id, before.as_ref(), &command).ok()?;
        let after = customer::evolve(id, before, &event)?;
        self.customers.insert(id, after.clone());
        let touches = [id.to_string()].into();
        let subject = id.to_string();
        self.record(
            &event,
            NewState {
                version: after.version,
                subject,
                state: after,
                stock: Vec::new(),
                touches,
            },
        )
    }

    fn product_step(&mut self, plan: &FaultPlan) -> Option<()> {
        let sku = sku(plan.pick(PRODUCTS))?;
        let price = || {
            let currency = if plan.percent(90) { "EUR" } else { "USD" };
            serde_json::from_value(json!({ "amount": plan.between(1..=5_000), "currency": currency })).ok()
        };
        let pieces = i64::try_from(plan.between(1..=30)).ok()?;
        let command = match (self.products.contains_key(&sku), plan.pick(4)) {
            (false, _) => ProductCommand::Add {
                name: text("Thing")?,
                price: price()?,
            },
            (true, 0) => ProductCommand::Rename {
                name: text(&format!("Thing {pieces}"))?,
            },
            (true, 1) => ProductCommand::ChangePrice { price: price()? },
            (true, _) => ProductCommand::Restock {
                quantity: pieces.try_into().ok()?,
            },
        };
        let before = self.products.get(&sku).cloned();
        let event = product::decide(&sku, before.as_ref(), &command).ok()?;
        let after = product::evolve(&sku, before, &event)?;
        self.products.insert(sku.clone(), after.clone());
        let empty = StockLevel {
            sku: sku.clone(),
            available: 0,
            seq: 0,
        };
        self.stock.entry(sku.clone()).or_insert(empty);
        let stock = match &event {
            Event::ProductRestocked { quantity } => self.moved([(sku.clone(), quantity.get())]),
            _ => Vec::new(),
        };
        let (subject, touches) = (sku.as_str().to_owned(), [sku.as_str().to_owned()].into());
        self.record(
            &event,
            NewState {
                version: after.version,
                subject,
                state: after,
                stock,
                touches,
            },
        )
    }

    fn place(&mut self, plan: &FaultPlan) -> Option<()> {
        let customer = self.customers.get(&customer_id(plan.pick(CUSTOMERS)))?.id;
        let lines = self.wanted(plan)?;
        let id = order_id(self.orders_placed);
        let command = OrderCommand::Place {
            customer,
            lines,
            expected_total: None,
        };
        self.order(id, command)?;
        self.orders_placed += 1;
        Some(())
    }

    /// Mostly of an order that is young: orders are done with at some time.
    fn order_step(&mut self, plan: &FaultPlan) -> Option<()> {
        let back = plan.between(1..=self.orders_placed.clamp(1, 6));
        let id = order_id(self.orders_placed.checked_sub(back)?);
        let command = match plan.pick(10) {
            0 | 1 => OrderCommand::ChangeLines {
                lines: self.wanted(plan)?,
                expected_total: None,
            },
            2..=4 => OrderCommand::Pay {
                amount: self.orders.get(&id)?.total.clone(),
            },
            5 | 6 => {
                let shipment = Shipment {
                    carrier: text("Post")?,
                    tracking_number: text("1Z")?,
                };
                OrderCommand::Ship { shipment }
            }
            7 => OrderCommand::Deliver,
            _ => OrderCommand::Cancel {
                reason: text("changed my mind")?,
            },
        };
        self.order(id, command)
    }

    /// Some pieces of one to three products.
    fn wanted(&self, plan: &FaultPlan) -> Option<Lines> {
        let first = plan.pick(PRODUCTS);
        let mut lines = Vec::new();
        for n in 0..=plan.pick(3) {
            let sku = sku((first + n) % PRODUCTS)?;
            self.products.get(&sku)?;
            lines.push((sku, i64::try_from(plan.between(1..=4)).ok()?.try_into().ok()?));
        }
        Some(lines)
    }

    fn catalogue(&self) -> Catalogue {
        let entry = |(sku, product): (&Sku, &Product)| {
            let available = self.stock.get(sku)?.available;
            let product = product.clone().into();
            Some((sku.clone(), CatalogueEntry { product, available }))
        };
        self.products.iter().filter_map(entry).collect()
    }

    fn order(&mut self, id: Uuid, command: OrderCommand) -> Option<()> {
        let before = self.orders.get(&id).cloned();
        let customer = match &command {
            OrderCommand::Place { customer, .. } => self.customers.get(customer),
            _ => None,
        };
        let facts = OrderFacts {
            customer,
            catalogue: &self.catalogue(),
            at: self.now(),
        };
        let event = order::decide(id, before.as_ref(), &command, facts).ok()?;
        let was_paid = before
            .as_ref()
            .is_some_and(|order| order.progress.paid_at().is_some());
        let was = held(before.as_ref());
        let after = order::evolve(id, before, &event)?;
        let is = held(Some(&after));
        let pieces = |side: &BTreeMap<Sku, i64>, sku: &Sku| side.get(sku).copied().unwrap_or_default();
        let skus: BTreeSet<Sku> = was.keys().chain(is.keys()).cloned().collect();
        let deltas = skus
            .iter()
            .map(|sku| (sku.clone(), pieces(&was, sku) - pieces(&is, sku)));
        let stock = self.moved(deltas.filter(|(_, delta)| *delta != 0));
        let cancelled = matches!(event, Event::OrderCancelled { .. });
        if matches!(event, Event::OrderPaid { .. }) || (cancelled && was_paid) {
            let (event, at) = (event_id(self.log.len()), self.now());
            self.sales.push(Sale {
                event,
                order: id,
                at,
                total: after.total.clone(),
                cancelled,
            });
        }
        self.orders.insert(id, after.clone());
        let mut touches: BTreeSet<String> = skus.iter().map(|sku| sku.as_str().to_owned()).collect();
        touches.extend([id.to_string(), after.customer.id.to_string()]);
        let subject = id.to_string();
        self.record(
            &event,
            NewState {
                version: after.version,
                subject,
                state: after,
                stock,
                touches,
            },
        )
    }

    fn moved(&mut self, deltas: impl IntoIterator<Item = (Sku, i64)>) -> Vec<StockLevel> {
        let mut levels = Vec::new();
        for (sku, delta) in deltas {
            if let Some(level) = self.stock.get_mut(&sku) {
                (level.available, level.seq) = (level.available + delta, level.seq + 1);
                levels.push(level.clone());
            }
        }
        levels
    }

    fn record<S: Serialize>(&mut self, event: &Event, after: NewState<S>) -> Option<()> {
        let (event_type, data) = event.to_parts().ok()?;
        let stock = if after.stock.is_empty() {
            Value::Null
        } else {
            serde_json::to_value(&after.stock).ok()?
        };
        let event = RecordedEvent {
            event_id: event_id(self.log.len()),
            subject: after.subject,
            version: after.version,
            kind: event_type.name().to_owned(),
            data: serde_json::from_str(data.get()).ok()?,
            state: serde_json::to_value(&after.state).ok()?,
            stock,
            traceparent: None,
            occurred_at: self.now(),
        };
        self.log.push(CommittedEvent {
            event,
            touches: after.touches,
        });
        Some(())
    }
}

/// The pieces that an order keeps out of stock.
fn held(order: Option<&Order>) -> BTreeMap<Sku, i64> {
    let held = order.filter(|order| order.progress.cancelled().is_none());
    let lines = held.into_iter().flat_map(|order| &order.lines);
    lines
        .map(|line| (line.sku.clone(), line.quantity.get()))
        .collect()
}

fn text<T: TryFrom<String>>(text: &str) -> Option<T> {
    T::try_from(text.to_owned()).ok()
}

fn sku(n: usize) -> Option<Sku> {
    text(&format!("SKU-{n}"))
}

fn id(kind: u128, n: u128) -> Uuid {
    Uuid::from_u128(kind << 64 | n)
}

fn customer_id(n: usize) -> Uuid {
    id(1, n as u128)
}

fn order_id(n: u64) -> Uuid {
    id(2, n.into())
}

fn event_id(n: usize) -> Uuid {
    id(3, n as u128)
}
