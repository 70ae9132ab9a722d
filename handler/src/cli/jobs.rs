//! `handler jobs`: jobs listed, shown, started, stopped.
//! Never knows one kind of job from another.

use std::process::ExitCode;

use clap::Subcommand;
use serde_json::json;
use uuid::Uuid;

use super::{
    follow::{follow, open, words},
    report,
    say::say,
};
use crate::{
    config::Config,
    jobs::{JobState, WantedState},
};

/// Ends the help text.
pub(super) const AFTER_HELP: &str =
    "Exit codes: 0 done, 1 failed or stopped, 2 wrong usage, 3 documents differ from the log.";

#[derive(Debug, Subcommand)]
pub(super) enum JobAction {
    /// List jobs, newest first.
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
pub(super) async fn run(action: JobAction, config: Config) -> Result<ExitCode, String> {
    let jobs = open(&config)?;
    match action {
        JobAction::List {
            open: only_open,
            limit,
            json,
        } => {
            let only = only_open.then_some(JobState::OPEN.as_slice());
            for job in &jobs.list(None, only, limit.into()).await.map_err(words)? {
                say!(
                    "{}",
                    if json {
                        json!(job).to_string()
                    } else {
                        report::line(job)
                    }
                );
            }
        }
        JobAction::Run { id, json } => {
            jobs.set_state(id, WantedState::Running).await.map_err(words)?;
            let (job, code) = follow(&jobs, id).await?;
            report::result(&job, json)?;
            return Ok(code);
        }
        JobAction::Show { id } => say!("{:#}", json!(jobs.get(id).await.map_err(words)?)),
        JobAction::Pause { id } => {
            let paused = jobs.set_state(id, WantedState::Paused).await;
            say!("{}", report::line(&paused.map_err(words)?));
        }
        JobAction::Cancel { id } => {
            let cancelled = jobs.set_state(id, WantedState::Cancelled).await;
            say!("{}", report::line(&cancelled.map_err(words)?));
        }
    }
    Ok(ExitCode::SUCCESS)
}
