//! What must hold at the end of a run: nothing lost, nothing twice, each aggregate in order, every document as the plain fold of
//! the history says. Never asks a projection what a document must be.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
    sync::Arc,
};

use handler::{bus::CloudEvent, read::document::Generation};
use serde_json::Value;

use crate::{
    documents::Place,
    fold::{self, All},
    process::Environment,
    shop::Shop,
    subscription::RUBBISH,
};

/// Most differences that are told.
const TOLD: usize = 5;

/// # Errors
/// What does not hold.
pub(crate) fn check(shop: &Shop, outside: &Environment, generations: &[u32]) -> Result<(), String> {
    topic(shop, outside)?;
    let good = |body: &Arc<[u8]>| &**body != RUBBISH;
    if let Some(dead) = outside.topic.subscription.dead().into_iter().find(good) {
        return Err(format!(
            "a good message is among the dead letters: {}",
            String::from_utf8_lossy(&dead)
        ));
    }
    let mut wanted = All::new();
    for generation in generations {
        let documents = fold::documents(shop, Generation(*generation));
        wanted.extend(documents.ok_or("the history is not one that can be")?);
    }
    compare(&wanted, &outside.documents.all())
}

/// Every event is there, under one id and with one body, and each aggregate's in order.
fn topic(shop: &Shop, outside: &Environment) -> Result<(), String> {
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

fn compare(wanted: &All, found: &All) -> Result<(), String> {
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
