//! `handler operations`: what was asked for, listed, shown, started, stopped.
//! Never knows a kind of operation from another.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{
    say::say,
    work::{finish, reach, words},
};
use crate::{
    config::Config,
    operations::operation::{Operation, State, Wanted},
    plain,
};

#[derive(Debug, Args)]
#[command(
    after_help = "Exit codes: 0 done, 1 failed or stopped, 2 wrong usage, 3 what was compared differs."
)]
pub(super) struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// List operations, newest first.
    List {
        /// Only those that are not over.
        #[arg(long)]
        open: bool,
        /// No more than so many.
        #[arg(long, default_value = "20")]
        limit: u32,
        /// One JSON object a line.
        #[arg(long)]
        json: bool,
    },
    /// Show one as JSON.
    Show {
        /// Its id.
        id: Uuid,
    },
    /// Start one that is planned, or go on with one that was stopped, and work on it here to its end.
    Run {
        /// Its id.
        id: Uuid,
        /// The result as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Stop one for now, whoever works on it.
    Pause {
        /// Its id.
        id: Uuid,
    },
    /// Stop one for good.
    Cancel {
        /// Its id.
        id: Uuid,
    },
}

/// Does what the arguments say.
///
/// # Errors
/// One line for the operator.
pub(super) async fn run(arguments: Arguments, config: Config) -> Result<ExitCode, String> {
    let operations = reach(config)?;
    match arguments.action {
        Action::List { open, limit, json } => {
            let states = [State::Planning, State::Planned, State::Running, State::Paused];
            let only = open.then_some(states.as_slice());
            let listed = operations.list(None, only, limit.into()).await.map_err(words)?;
            for operation in &listed {
                say!(
                    "{}",
                    if json {
                        json!(operation).to_string()
                    } else {
                        line(operation)
                    }
                );
            }
            return Ok(ExitCode::SUCCESS);
        }
        Action::Run { id, json } => {
            operations.steer(id, Wanted::Running).await.map_err(words)?;
            let (operation, code) = finish(&operations, id).await?;
            print(&operation, json);
            return Ok(code);
        }
        Action::Show { id } => say!("{:#}", json!(operations.get(id).await.map_err(words)?)),
        Action::Pause { id } => {
            say!(
                "{}",
                line(&operations.steer(id, Wanted::Paused).await.map_err(words)?)
            );
        }
        Action::Cancel { id } => {
            say!(
                "{}",
                line(&operations.steer(id, Wanted::Cancelled).await.map_err(words)?)
            );
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// What came of it.
pub(super) fn print(operation: &Operation, as_json: bool) {
    if as_json {
        say!("{}", operation.result.as_ref().unwrap_or(&Value::Null));
    } else {
        say!("{}", line(operation));
    }
}

/// An operation on a line.
pub(super) fn line(operation: &Operation) -> String {
    let progress = &operation.progress;
    let far = match (progress.done, progress.of) {
        (0, 0) => String::new(),
        (done, 0) => format!(", {}: {done}", progress.doing),
        (done, of) => format!(", {}: {done} of {of}", progress.doing),
    };
    let note = operation
        .note
        .as_ref()
        .map(|note| format!(" ({note})"))
        .unwrap_or_default();
    let words = format!(
        "{} {} by {}: {}{far}{note}",
        operation.id,
        operation.request.kind(),
        operation.requested_by,
        operation.state.name()
    );
    plain::line(&words).into_owned()
}
