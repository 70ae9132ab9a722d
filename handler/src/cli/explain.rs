//! `handler explain`: one order followed over every hop, for a reader.
//! Never judges: that is done where the hops are asked.

use std::process::ExitCode;

use serde_json::json;
use uuid::Uuid;

use super::{
    follow::{DIFFERENT, open, words},
    say::say,
};
use crate::{
    bus::SubscriptionName,
    config::Config,
    escape,
    inspect::{self, DocumentDifference, ExplainedEvent, OrderExplanation},
};

/// Shows one order over every hop.
///
/// # Errors
/// When there is no such order, or a hop cannot be asked.
pub(super) async fn explain(
    order: Uuid,
    subscription: &SubscriptionName,
    as_json: bool,
    config: Config,
) -> Result<ExitCode, String> {
    let jobs = open(&config)?;
    let explanation = inspect::explain(&jobs, order, subscription)
        .await
        .map_err(words)?;
    if as_json {
        say!("{}", json!(explanation));
    } else {
        explanation.events.iter().for_each(show_event);
        show_documents(&explanation);
    }
    Ok(match explanation.first_difference {
        None => ExitCode::SUCCESS,
        Some(_) => ExitCode::from(DIFFERENT),
    })
}

fn show_event(event: &ExplainedEvent) {
    let ExplainedEvent {
        version,
        r#type,
        event_id,
        at,
        key,
        outbox,
        message,
        in_history,
    } = event;
    let key = key.as_ref().map(|key| format!(", key {key}")).unwrap_or_default();
    let history = if *in_history {
        "in the history"
    } else {
        "not in the history"
    };
    let message = message
        .as_ref()
        .map(|it| format!(", its message {it}"))
        .unwrap_or_default();
    let at = at.map_or("an unreadable time".to_owned(), |at| at.to_string());
    let words = format!("{version:>3} {type} at {at}, event {event_id}{key}: {outbox}, {history}{message}");
    say!("{}", escape::line(&words));
}

fn show_documents(explanation: &OrderExplanation) {
    let version = |version: Option<i64>| version.map_or("missing".to_owned(), |it| format!("version {it}"));
    say!(
        "    document {}, row in the customer's list {} (generation {})",
        version(explanation.document),
        version(explanation.customers_row),
        explanation.generation
    );
    for DocumentDifference { pk, id, places } in &explanation.differences {
        say!("    {}", escape::line(&format!("{pk} {id}")));
        for place in places {
            say!("      {}", escape::line(place));
        }
    }
    let verdict = explanation
        .first_difference
        .as_deref()
        .unwrap_or("all hops agree");
    say!("    {}", escape::line(verdict));
}
