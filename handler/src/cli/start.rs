//! Starting a job at a terminal, of any kind: the plan where there is one, the question, the work, the result.
//! Never goes on after a plan before somebody says so.

use std::{
    io::{self, IsTerminal, Write},
    process::ExitCode,
};

use clap::{Args, error::ErrorKind};
use serde_json::json;

use super::{
    follow::{follow, user, words},
    report,
    say::say,
};
use crate::jobs::{Job, JobError, JobRow, JobState, Jobs, Requester, Resources, WantedState};

/// The request of a job that begins at once.
#[derive(Debug, Args)]
pub(super) struct Start<J: Args> {
    #[command(flatten)]
    pub(super) request: J,
    /// The result as JSON.
    #[arg(long)]
    pub(super) json: bool,
}

/// The request of a job that is planned first.
#[derive(Debug, Args)]
pub(super) struct StartPlanned<J: Args> {
    #[command(flatten)]
    pub(super) request: J,
    /// Go on after the plan without asking.
    #[arg(long)]
    pub(super) yes: bool,
    /// The plan or the result as JSON.
    #[arg(long)]
    pub(super) json: bool,
}

/// Starts a job and works on it to the end, or until it waits for a person. A request that breaks a rule ends the process with the
/// exit code of wrong usage.
///
/// # Errors
/// One line for the operator.
pub(super) async fn start<J: Job<Resources>>(jobs: &Jobs, request: &J) -> Result<(JobRow, ExitCode), String> {
    let user = user();
    let requester = Requester { by: &user, key: None };
    match jobs.start(request, requester).await {
        Ok(started) => follow(jobs, started.id).await,
        Err(JobError::Invalid(violations)) => {
            let told: Vec<String> = violations.iter().map(ToString::to_string).collect();
            let told = format!("{}\n", told.join("\n"));
            clap::Error::raw(ErrorKind::ValueValidation, told).exit()
        }
        Err(error) => Err(words(error)),
    }
}

/// Starts a job that begins at once, and prints its result.
///
/// # Errors
/// One line for the operator.
pub(super) async fn run_now<J: Job<Resources> + Args>(
    jobs: &Jobs,
    arguments: Start<J>,
) -> Result<ExitCode, String> {
    let (job, code) = start(jobs, &arguments.request).await?;
    report::result(&job, arguments.json)?;
    Ok(code)
}

/// Plans a job, and goes on when told to.
///
/// # Errors
/// One line for the operator.
pub(super) async fn plan<J: Job<Resources> + Args>(
    jobs: &Jobs,
    StartPlanned { request, yes, json }: StartPlanned<J>,
) -> Result<ExitCode, String> {
    let (planned, code) = start(jobs, &request).await?;
    if planned.state != JobState::Planned {
        report::result(&planned, json)?;
        return Ok(code);
    }
    if report::selects_nothing(&planned) {
        jobs.set_state(planned.id, WantedState::Cancelled)
            .await
            .map_err(words)?;
        eprintln!("nothing is selected");
        return Ok(ExitCode::from(report::NOTHING_SELECTED));
    }
    let confirmed = yes || is_terminal() && asked(&planned)?;
    if !confirmed {
        if json {
            say!("{}", json!(planned));
        } else {
            say!("{}", report::plan(&planned));
            say!("nothing was done; `handler jobs run {}` does it", planned.id);
        }
        return Ok(code);
    }
    if yes {
        eprintln!("{}", report::plan(&planned));
    }
    jobs.set_state(planned.id, WantedState::Running)
        .await
        .map_err(words)?;
    let (ended, code) = follow(jobs, planned.id).await?;
    report::result(&ended, json)?;
    Ok(code)
}

fn is_terminal() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// Shows the plan and asks whether it is to be done.
fn asked(planned: &JobRow) -> Result<bool, String> {
    eprint!(
        "{}\ngo on with this {}? [y/N] ",
        report::plan(planned),
        planned.kind
    );
    let mut answer = String::new();
    let asking = io::stderr()
        .flush()
        .and_then(|()| io::stdin().read_line(&mut answer));
    asking.map_err(|error| error.to_string())?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}
