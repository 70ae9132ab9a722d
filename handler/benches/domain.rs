//! What the pure part costs by itself: deciding, evolving, and an event as the JSON that the bus carries.
//! Never does I/O, as the domain never does; the whole command is measured by `cargo run --release -p bench -- commands`.

use std::{collections::BTreeMap, error::Error, hint::black_box, sync::Arc};

use criterion::Criterion;
use handler::{
    bus::CloudEvent,
    domain::{
        customer::{self, Customer},
        event::{Event, RecordedEvent},
        order::{self, Catalogue, CatalogueEntry, Order, OrderCommand, OrderFacts, Shipment},
        product::Product,
        timestamp::Timestamp,
        value::{Currency, Email, InvalidValue, Money, Name, Price, Quantity, Sku},
    },
};
use serde_json::json;
use uuid::Uuid;

const ID: Uuid = Uuid::from_u128(0x0189_0000_0000_7000_8000_0000_0000_0007);
const AT: Timestamp = Timestamp::UNIX_EPOCH;

type Outcome<T> = Result<T, Box<dyn Error>>;

fn main() -> Outcome<()> {
    let mut criterion = Criterion::default().configure_from_args();
    for lines in [3, 100] {
        decide_place(&mut criterion, lines)?;
    }
    evolve_a_life(&mut criterion)?;
    event_to_json(&mut criterion)?;
    criterion.final_summary();
    Ok(())
}

/// The decision alone.
fn decide_place(criterion: &mut Criterion, lines: u32) -> Outcome<()> {
    let (command, shop) = (place(lines)?, Shop::new(lines)?);
    order::decide(ID, None, &command, shop.facts())?;
    criterion.bench_function(&format!("decide PlaceOrder, {lines} lines"), |bencher| {
        bencher.iter(|| order::decide(ID, None, black_box(&command), shop.facts()));
    });
    Ok(())
}

/// Placed, paid, shipped, delivered: an order of three lines from its four events.
fn evolve_a_life(criterion: &mut Criterion) -> Outcome<()> {
    let events = life()?;
    criterion.bench_function("evolve an order over its four events", |bencher| {
        bencher.iter(|| replay(black_box(&events)));
    });
    Ok(())
}

/// What the relay does with one row of the outbox: envelope and body, for an order of three lines.
fn event_to_json(criterion: &mut Criterion) -> Outcome<()> {
    let events = life()?;
    let first = events.first().ok_or("a life without events")?;
    let state = order::evolve(ID, None, first).ok_or("no order after its first event")?;
    let (event_type, data) = first.to_parts()?;
    let stock = (state.lines.iter()).map(|line| json!({ "sku": line.sku, "available": 997, "seq": 12 }));
    let recorded = RecordedEvent {
        event_id: ID,
        subject: ID.to_string(),
        version: state.version,
        kind: event_type.name().to_owned(),
        data: serde_json::from_str(data.get())?,
        stock: stock.collect(),
        state: serde_json::to_value(&state)?,
        traceparent: Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".to_owned()),
        occurred_at: AT,
    };
    criterion.bench_function("OrderPlaced to its two JSON columns", |bencher| {
        bencher.iter(|| black_box(first).to_parts());
    });
    criterion.bench_function("OrderPlaced to CloudEvents JSON", |bencher| {
        bencher.iter(|| serde_json::to_vec(&CloudEvent::from(black_box(&recorded))));
    });
    Ok(())
}

/// The events of an order that arrives.
fn life() -> Outcome<Vec<Event>> {
    let total = money(3 * 500)?;
    let shipment = Shipment {
        carrier: name("Post")?,
        tracking_number: name("1Z999AA10123456784")?,
    };
    let commands = [
        place(3)?,
        OrderCommand::Pay { amount: total },
        OrderCommand::Ship { shipment },
        OrderCommand::Deliver,
    ];
    let shop = Shop::new(3)?;
    let mut events = Vec::new();
    for command in commands {
        let state = replay(&events);
        events.push(order::decide(ID, state.as_ref(), &command, shop.facts())?);
    }
    Ok(events)
}

fn replay(events: &[Event]) -> Option<Order> {
    events
        .iter()
        .fold(None, |state, event| order::evolve(ID, state, event))
}

/// One piece each of the shop's products.
fn place(lines: u32) -> Outcome<OrderCommand> {
    let mut wanted = Vec::new();
    for number in 0..lines {
        wanted.push((sku(number)?, Quantity::try_from(1)?));
    }
    Ok(OrderCommand::Place {
        customer: ID,
        lines: wanted,
        expected_total: None,
    })
}

/// A customer and some products.
struct Shop {
    customer: Customer,
    catalogue: Catalogue,
}

impl Shop {
    fn new(products: u32) -> Outcome<Self> {
        let price = Price::try_from(money(500)?)?;
        let mut catalogue = BTreeMap::new();
        for number in 0..products {
            let product = Arc::new(Product {
                sku: sku(number)?,
                version: 1,
                name: name(&format!("Product {number}"))?,
                price: price.clone(),
            });
            let available = 1_000;
            catalogue.insert(product.sku.clone(), CatalogueEntry { product, available });
        }
        let registered = Event::CustomerRegistered {
            name: name("Ada Lovelace")?,
            email: Email::try_from("ada@example.org".to_owned())?,
        };
        let customer = customer::evolve(ID, None, &registered).ok_or("nobody is registered")?;
        Ok(Self { customer, catalogue })
    }

    fn facts(&self) -> OrderFacts<'_> {
        OrderFacts {
            customer: Some(&self.customer),
            catalogue: &self.catalogue,
            at: AT,
        }
    }
}

fn sku(number: u32) -> Result<Sku, InvalidValue> {
    Sku::try_from(format!("SKU-{}", 1001 + number))
}

fn name(text: &str) -> Result<Name, InvalidValue> {
    Name::try_from(text.to_owned())
}

fn money(amount: i64) -> Result<Money, InvalidValue> {
    let currency = Currency::try_from("EUR".to_owned())?;
    Ok(Money { amount, currency })
}
