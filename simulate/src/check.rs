//! What must hold at the end of a run: nothing lost, nothing twice, each aggregate in order, no job failed, every document as the
//! plain fold of the history says. Never asks a projection what a document must be.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
    sync::Arc,
};

use handler::{
    bus::CloudEvent,
    jobs::{JobRow, JobState},
    read::document::Generation,
};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::{
    documents::Place,
    environment::Environment,
    fold::{self, All},
    job_plan::{JobPlan, REBUILD, RETIREMENT},
    shop::Shop,
    subscription::RUBBISH,
};

/// Most differences that are told.
const TOLD: usize = 5;

/// # Errors
/// What does not hold.
pub(crate) fn check(shop: &Shop, outside: &Environment, plan: &JobPlan) -> Result<(), String> {
    topic(shop, outside)?;
    let good = |body: &Arc<[u8]>| &**body != RUBBISH;
    if let Some(dead) = outside.topic.subscription.dead().into_iter().find(good) {
        return Err(format!(
            "a good message is among the dead letters: {}",
            String::from_utf8_lossy(&dead)
        ));
    }
    let jobs = outside.jobs.rows();
    outcomes(plan, &jobs)?;
    let mut found = outside.documents.all();
    retired(plan, &jobs, &mut found)?;
    let mut wanted = All::new();
    for generation in [Some(plan.live), plan.previous].into_iter().flatten() {
        let documents = fold::documents(shop, generation);
        wanted.extend(documents.ok_or("the history is not one that can be")?);
    }
    if !jobs.is_empty() {
        wanted.insert(
            ("control", "control".to_owned(), "pointer".to_owned()),
            pointer(plan),
        );
    }
    let found = found.into_iter().map(|(place, (document, _))| (place, document));
    compare(&wanted, &found.collect())
}

/// Each job has done what it was asked for, and has found what is wrong and nothing else.
fn outcomes(plan: &JobPlan, jobs: &[(JobRow, Option<Instant>)]) -> Result<(), String> {
    let mut generation = Generation::FIRST;
    for (n, (row, _)) in (1..).zip(jobs) {
        generation.0 += u32::from(row.kind == REBUILD);
        let is_forged = row.kind == REBUILD && plan.forged.contains(&generation);
        let wanted = if is_forged {
            (JobState::Failed, 1)
        } else {
            (JobState::Completed, 0)
        };
        // While all goes on, a document may be behind or moving.
        let counts: &[&str] = if n == jobs.len() {
            &["different", "behind", "moving"]
        } else {
            &["different", "refused"]
        };
        let result = row.result.clone().unwrap_or_default();
        let wrong: i64 = counts.iter().filter_map(|count| result[count].as_i64()).sum();
        if (row.state, wrong) != wanted {
            let (kind, state, note) = (&row.kind, row.state.name(), &row.note);
            return Err(format!("the {kind} is {state}, {note:?}: {result}"));
        }
    }
    Ok(())
}

/// Nothing is left of a retired generation but what a late request has written after the retirement had begun.
fn retired(
    plan: &JobPlan,
    jobs: &[(JobRow, Option<Instant>)],
    found: &mut BTreeMap<Place, (Value, Instant)>,
) -> Result<(), String> {
    let retirements = jobs.iter().filter(|(row, _)| row.kind == RETIREMENT);
    for (generation, (_, begun)) in plan.retired.iter().zip(retirements) {
        let is_of = |document: &Value| document["gen"] == generation.0;
        let mut left = found.iter().filter(|(_, (document, _))| is_of(document));
        if let Some((place, _)) = left.find(|(_, (_, written))| Some(*written) < *begun) {
            return Err(format!(
                "generation {generation} is retired, and has still {place:?}"
            ));
        }
        found.retain(|_, (document, _)| !is_of(document));
    }
    Ok(())
}

/// The pointer after all jobs, as docs/read-model.md describes it.
fn pointer(plan: &JobPlan) -> Value {
    let mut pointer = json!({ "id": "pointer", "pk": "control", "live": plan.live, "highest": plan.highest });
    if let Some(previous) = plan.previous {
        pointer["previous"] = json!(previous);
    }
    if plan.rolled_back {
        pointer["rolledBack"] = json!(true);
    }
    pointer
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
