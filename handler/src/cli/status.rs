//! `handler status`: the state of the system, at one look.
//! Never fails as a whole: what could not be asked is named.

use std::{process::ExitCode, sync::Arc};

use serde_json::json;

use super::{follow::open, report::line, say::say};
use crate::{
    bus::SubscriptionName,
    condition::StoreReason,
    config::Config,
    escape,
    health::{Health, StoreConditions},
    inspect::{self, SystemStatus},
    read::CosmosConnection,
};

/// With `--check`: a person is needed, or that cannot be said.
const A_PERSON: u8 = 1;
const UNKNOWN: u8 = 2;

/// Shows how things are.
///
/// # Errors
/// When there is no database.
pub(super) async fn run(
    subscription: &SubscriptionName,
    as_json: bool,
    check: bool,
    config: Config,
) -> Result<ExitCode, String> {
    let documents = config
        .cosmos
        .clone()
        .map(|account| Arc::new(CosmosConnection::new(account)));
    let health = Health::new(&config, documents.as_ref(), StoreConditions::default());
    let status = inspect::status(&open(&config)?, &health, subscription).await;
    if as_json {
        say!("{}", json!(status));
    } else {
        show(&status);
    }
    let needs = needs_of_a_person(&status);
    if check && !as_json {
        for need in &needs {
            say!("a person is needed: {need}");
        }
    }
    let asked = status.unknown.is_empty() && !is_away(&status);
    Ok(match (check, asked) {
        (true, _) if !needs.is_empty() => ExitCode::from(A_PERSON),
        (true, false) => ExitCode::from(UNKNOWN),
        (false, _) if !status.unknown.is_empty() => ExitCode::FAILURE,
        _ => ExitCode::SUCCESS,
    })
}

fn show(status: &SystemStatus) {
    for (name, store) in status.stores.stores() {
        if let (Some(reason), Some(why)) = (store.reason, &store.why) {
            say!("{name}: {}: {why}", reason.name());
        }
    }
    if let Some(outbox) = &status.outbox {
        let oldest = outbox.oldest_seconds;
        let oldest = oldest
            .map(|seconds| format!(", the oldest for {seconds:.0} s"))
            .unwrap_or_default();
        say!(
            "outbox: {} waiting{oldest}, {} parked",
            outbox.waiting,
            outbox.parked
        );
    }
    if let Some(messages) = &status.subscription {
        let (name, waiting) = (&messages.name, messages.waiting);
        say!(
            "subscription {name}: {waiting} waiting, {} dead letters",
            messages.dead_letters
        );
    }
    if let Some(pointer) = &status.generations {
        say!("generations: {}", json!(pointer));
    }
    for job in &status.jobs {
        say!("job {}", line(job));
    }
    for unknown in &status.unknown {
        say!("unknown: {}", escape::line(unknown));
    }
}

/// Lists what does not end by itself.
fn needs_of_a_person(status: &SystemStatus) -> Vec<String> {
    let mut needs = Vec::new();
    for (name, store) in status.stores.stores() {
        if let Some(reason) = store.reason.filter(|reason| reason.needs_a_person()) {
            needs.push(format!("{name} is degraded: {}", reason.name()));
        }
    }
    if let Some(outbox) = status.outbox.as_ref().filter(|outbox| outbox.parked > 0) {
        needs.push(format!("the bus refuses {} events", outbox.parked));
    }
    let letters = status.subscription.as_ref();
    if let Some(messages) = letters.filter(|messages| messages.dead_letters > 0) {
        needs.push(format!(
            "{} has {} dead letters",
            messages.name, messages.dead_letters
        ));
    }
    needs
}

/// A store does not answer, or answers with what nobody has foreseen.
fn is_away(status: &SystemStatus) -> bool {
    let stores = status.stores.stores();
    let mut reasons = stores.iter().filter_map(|(_, store)| store.reason);
    reasons.any(|reason| matches!(reason, StoreReason::Unreachable | StoreReason::Failing))
}
