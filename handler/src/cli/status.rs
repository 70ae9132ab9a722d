//! `handler status`: how things are, at one look.
//! Never fails as a whole: what could not be asked is named.

use std::process::ExitCode;

use serde_json::json;

use super::{operation::line, say::say, work::reach};
use crate::config::Config;

/// Shows how things are.
///
/// # Errors
/// When there is no database.
pub(super) async fn run(subscription: &str, as_json: bool, config: Config) -> Result<ExitCode, String> {
    let status = reach(config)?.status(subscription).await;
    if as_json {
        say!("{}", json!(status));
    } else {
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
        for operation in &status.operations {
            say!("operation {}", line(operation));
        }
        for unknown in &status.unknown {
            say!("unknown: {unknown}");
        }
    }
    Ok(match status.unknown.as_slice() {
        [] => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    })
}
