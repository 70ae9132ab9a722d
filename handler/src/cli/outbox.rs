//! `handler outbox`: the events that the bus has refused, looked at, and tried again.
//! Never takes one away: the relay does when the bus has it.

use std::process::ExitCode;

use clap::Subcommand;
use serde_json::json;

use super::say::say;
use crate::{config::Config, error_chain::chain, escape, postgres::PostgresError, relay::Outbox};

/// Nothing was there that was meant.
const NOTHING: u8 = 3;

/// Ends the help text.
pub(super) const AFTER_HELP: &str =
    "Exit codes: 0 done, 1 failed, 2 wrong usage, 3 there was none. Settings: PG*.";

#[derive(Debug, Subcommand)]
pub(super) enum OutboxAction {
    /// List the first hundred of them, with what the bus said.
    List {
        /// One JSON object a line.
        #[arg(long)]
        json: bool,
    },
    /// Let the relay try them again, within seconds.
    Retry {
        /// A position of the log; may be said several times.
        #[arg(long, required_unless_present = "all")]
        position: Vec<i64>,
        /// All of them.
        #[arg(long, conflicts_with = "position")]
        all: bool,
    },
}

/// Does what the arguments say.
///
/// # Errors
/// One line for the operator.
pub(super) async fn run(action: OutboxAction, config: Config) -> Result<ExitCode, String> {
    let outbox = Outbox::new(config.postgres.ok_or("setting PGHOST: is missing")?);
    let words = |fault: PostgresError| chain(&fault).to_string();
    let count = match action {
        OutboxAction::List { json } => {
            let parked = outbox.parked().await.map_err(words)?;
            for row in &parked {
                if json {
                    say!("{}", json!(row));
                } else {
                    let (position, kind, subject) = (row.position, &row.kind, &row.subject);
                    let words = format!(
                        "{position} {kind} of {subject}, event {}: {}",
                        row.event_id, row.reason
                    );
                    say!("{}", escape::line(&words));
                }
            }
            parked.len() as u64
        }
        OutboxAction::Retry { position, all } => {
            let positions = (!all).then_some(position.as_slice());
            let count = outbox.retry(positions).await.map_err(words)?;
            say!("{count} will be tried again");
            count
        }
    };
    Ok(match count {
        0 => ExitCode::from(NOTHING),
        _ => ExitCode::SUCCESS,
    })
}
