//! What must hold at the end of a run: nothing lost, nothing twice, each aggregate in order, every document as the plain fold of
//! the history says. Never asks a projection what a document must be.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
};

use handler::{
    bus::CloudEvent,
    operations::expected::{Aggregate, expected},
    read::document::{Document, Generation, sales::shard},
    write::outbox::Pending,
};
use serde::Serialize;
use serde_json::{Value, json};

use crate::{documents::Place, process::Outside, run::RUBBISH, shop::Shop};

/// Most differences that are told.
const TOLD: usize = 5;

/// # Errors
/// What does not hold.
pub(crate) fn check(shop: &Shop, outside: &Outside, generations: &[u32]) -> Result<(), String> {
    topic(shop, outside)?;
    let good = |body: &std::sync::Arc<[u8]>| &**body != RUBBISH;
    if let Some(dead) = outside.topic.subscription.dead().into_iter().find(good) {
        return Err(format!(
            "a good message is among the dead letters: {}",
            String::from_utf8_lossy(&dead)
        ));
    }
    let mut wanted = BTreeMap::new();
    for generation in generations {
        wanted.extend(documents(shop, Generation(*generation))?);
        wanted.extend(sales(shop, Generation(*generation)));
    }
    compare(&wanted, &outside.documents.all())
}

/// Every event is there, under one id and with one body, and each aggregate's in order.
fn topic(shop: &Shop, outside: &Outside) -> Result<(), String> {
    let mut first = BTreeMap::new();
    let mut order = Vec::new();
    for message in outside.topic.taken() {
        match first.get(&message.message_id) {
            None => {
                order.push(message.message_id.clone());
                first.insert(message.message_id, message.body);
            }
            Some(body) if *body == message.body => {}
            Some(_) => return Err(format!("message {} was sent with two bodies", message.message_id)),
        }
    }
    let mut subjects = BTreeMap::new();
    for committed in &shop.log {
        let event = &committed.event;
        let id = event.event_id.to_string();
        let body = first
            .remove(&id)
            .ok_or_else(|| format!("event {id} was lost: the topic never got it"))?;
        let wanted = serde_json::to_vec(&CloudEvent::from(event)).map_err(|error| error.to_string())?;
        if *body != *wanted {
            return Err(format!(
                "event {id} was sent as {}",
                String::from_utf8_lossy(&body)
            ));
        }
        subjects.insert(id, (&event.subject, event.version));
    }
    if let Some(id) = first.keys().next() {
        return Err(format!("message {id} is of no event"));
    }
    let overtaken = outside
        .topic
        .refused()
        .and_then(|id| subjects.get(id))
        .map(|(subject, _)| *subject);
    let mut versions: BTreeMap<&str, i64> = BTreeMap::new();
    for (subject, version) in order.iter().filter_map(|id| subjects.get(id)) {
        let before = versions.insert(subject, *version).unwrap_or_default();
        // One that was parked goes out when an operator says so.
        if before + 1 != *version && Some(*subject) != overtaken {
            return Err(format!(
                "{subject}: version {version} came onto the topic after version {before}"
            ));
        }
    }
    Ok(())
}

fn document(
    container: &'static str,
    pk: &str,
    id: String,
    document: &impl Serialize,
) -> Result<(Place, Value), String> {
    let document = serde_json::to_value(document).map_err(|error| error.to_string())?;
    Ok(((container, pk.to_owned(), id), document))
}

fn of<D: Document>(container: &'static str, shown: &D) -> Result<(Place, Value), String> {
    document(container, shown.pk(), shown.id(), shown)
}

/// All documents but those of sales, folded out of the events by the rules of the domain.
fn documents(shop: &Shop, generation: Generation) -> Result<Vec<(Place, Value)>, String> {
    let mut streams: BTreeMap<&str, Vec<Pending>> = BTreeMap::new();
    for (position, committed) in (1..).zip(&shop.log) {
        let event = committed.event.clone();
        streams
            .entry(&committed.event.subject)
            .or_default()
            .push(Pending { position, event });
    }
    let mut wanted = Vec::new();
    for (stream, events) in streams {
        let folded = expected(generation, stream, &events).map_err(|error| error.to_string())?;
        match folded.aggregate {
            Aggregate::Order(order, row) => wanted.extend([of("orders", &*order)?, of("customers", &row)?]),
            Aggregate::Customer(customer) => wanted.push(of("customers", &customer)?),
            Aggregate::Product(product) => {
                let level = shop.stock.get(product.sku()).filter(|level| level.seq > 0);
                wanted.push(of("products", &product.with(level))?);
            }
        }
        for event in &folded.history {
            wanted.push(document("orders", event.pk(), event.id().to_owned(), event)?);
        }
    }
    Ok(wanted)
}

/// The sums of one currency in one shard of a day.
#[derive(Default)]
struct Sums {
    paid_orders: i64,
    paid: i128,
    cancelled_orders: i64,
    cancelled: i128,
}

/// Sums and markers, counted one by one.
fn sales(shop: &Shop, generation: Generation) -> BTreeMap<Place, Value> {
    let mut wanted = BTreeMap::new();
    let mut sums: BTreeMap<(String, String), BTreeMap<&str, Sums>> = BTreeMap::new();
    for sold in &shop.sales {
        let pk = shard(generation, sold.at.date(), sold.order);
        let marker = json!({ "id": sold.event, "pk": pk, "gen": generation.0, "kind": "marker", "orderId": sold.order });
        wanted.insert(("sales", pk.clone(), sold.event.to_string()), marker);
        let shard = sums.entry((pk, sold.at.date().to_string())).or_default();
        let of = shard.entry(sold.total.currency.as_str()).or_default();
        let amount = i128::from(sold.total.amount);
        if sold.cancelled {
            (of.cancelled_orders, of.cancelled) = (of.cancelled_orders + 1, of.cancelled + amount);
        } else {
            (of.paid_orders, of.paid) = (of.paid_orders + 1, of.paid + amount);
        }
    }
    for ((pk, day), currencies) in sums {
        let sums = |of: Sums| {
            json!({ "paidOrders": of.paid_orders, "paid": of.paid.to_string(),
                "cancelledOrders": of.cancelled_orders, "cancelled": of.cancelled.to_string() })
        };
        let currencies: BTreeMap<&str, Value> = currencies
            .into_iter()
            .map(|(name, of)| (name, sums(of)))
            .collect();
        let totals = json!({ "id": "totals", "pk": pk, "gen": generation.0, "kind": "totals", "day": day,
            "currencies": currencies });
        wanted.insert(("sales", pk, "totals".to_owned()), totals);
    }
    wanted
}

fn compare(wanted: &BTreeMap<Place, Value>, found: &BTreeMap<Place, Value>) -> Result<(), String> {
    let places: BTreeSet<&Place> = wanted.keys().chain(found.keys()).collect();
    let differ: Vec<&Place> = places
        .into_iter()
        .filter(|place| wanted.get(*place) != found.get(*place))
        .collect();
    if differ.is_empty() {
        return Ok(());
    }
    let mut told = format!("{} documents are not what the history says:", differ.len());
    let text = |document: Option<&Value>| document.map_or("nothing".to_owned(), ToString::to_string);
    for place in differ.iter().take(TOLD) {
        let (container, pk, id) = place;
        let (wanted, found) = (text(wanted.get(*place)), text(found.get(*place)));
        // Writing into a text cannot fail.
        let _ = write!(
            told,
            "\n  {container} {pk} {id}\n    expected {wanted}\n    found    {found}"
        );
    }
    Err(told)
}
