//! `handler why`: one order followed over every hop, for a reader.
//! Never judges: that is done where the hops are asked.

use std::process::ExitCode;

use serde_json::json;
use uuid::Uuid;

use super::say::say;
use super::work::{DIFFERENT, reach_documents, words};
use crate::{
    config::Config,
    domain::utc,
    operations::why::{Differing, Step},
    plain,
};

/// Shows one order over every hop.
///
/// # Errors
/// When there is no such order, or a hop cannot be asked.
pub(super) async fn why(
    order: Uuid,
    subscription: &str,
    as_json: bool,
    config: Config,
) -> Result<ExitCode, String> {
    let operations = reach_documents(config)?;
    let trail = operations.why(order, subscription).await.map_err(words)?;
    if as_json {
        say!("{}", json!(trail));
    } else {
        for Step {
            version,
            r#type,
            event_id,
            at,
            key,
            outbox,
            message,
            in_history,
        } in &trail.events
        {
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
            let at = utc::text(*at).unwrap_or_default();
            let step =
                format!("{version:>3} {type} at {at}, event {event_id}{key}: {outbox}, {history}{message}");
            say!("{}", plain::line(&step));
        }
        let version =
            |version: Option<i64>| version.map_or("missing".to_owned(), |it| format!("version {it}"));
        say!(
            "    document {}, row in the customer's list {} (generation {})",
            version(trail.document),
            version(trail.customers_row),
            trail.generation
        );
        for Differing { pk, id, places } in &trail.differences {
            say!("    {}", plain::line(&format!("{pk} {id}")));
            for place in places {
                say!("      {}", plain::line(&place.to_string()));
            }
        }
        say!(
            "    {}",
            plain::line(trail.first_difference.as_deref().unwrap_or("all hops agree"))
        );
    }
    Ok(match trail.first_difference {
        None => ExitCode::SUCCESS,
        Some(_) => ExitCode::from(DIFFERENT),
    })
}
