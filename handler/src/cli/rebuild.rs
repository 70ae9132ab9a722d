//! `handler rebuild`: the read model rebuilt, proved, switched, rolled back; a generation retired.
//! Never does anything itself: it starts jobs, and says what came of them.

use std::{num::NonZeroU32, process::ExitCode};

use clap::Subcommand;
use serde_json::json;

use super::{
    follow::{follow, open, words},
    report::{self, REBUILD},
    say::say,
    start::{Start, run_now, start},
};
use crate::{
    config::Config,
    error_chain::chain,
    jobs::{
        GENERATIONS, JobRow, Jobs, Rebuild, Retirement, Rollback, WantedState,
        verification::VerificationReport,
    },
    log::LogStore as _,
    read::generation::GenerationPointer,
};

/// Requests to Cosmos DB for one event, on average (docs/benchmarks.md).
const REQUESTS_PER_EVENT: i64 = 4;

/// Steps of a generation's life.
#[derive(Debug, Subcommand)]
pub(super) enum Step {
    /// Fill a new generation from the log, or go on with the one begun, prove it, and switch over.
    Run(Start<Rebuild>),
    /// Read the generation that was live before the switch again.
    Rollback(Start<Rollback>),
    /// Give up the generation that is being filled.
    Cancel,
    /// Remove the documents of the generation that was live before, or that was given up.
    Retire(Start<Retirement>),
    /// Print which generations there are, as JSON.
    Status,
}

/// Takes the step.
///
/// # Errors
/// Why it ended early; running it again goes on.
pub(super) async fn step(step: Step, config: Config) -> Result<ExitCode, String> {
    let jobs = open(&config)?;
    match step {
        Step::Run(start) => return rebuild(&jobs, start).await,
        Step::Rollback(start) => return run_now(&jobs, start).await,
        Step::Retire(start) => return run_now(&jobs, start).await,
        Step::Cancel => cancel(&jobs).await?,
        Step::Status => {
            let admin = jobs.resources().read_model().map_err(words)?;
            generations(&admin.pointer().await.map_err(words)?);
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Begins a rebuild, or goes on with the one that was begun.
async fn rebuild(jobs: &Jobs, Start { request, json }: Start<Rebuild>) -> Result<ExitCode, String> {
    jobs.resources().read_model().map_err(words)?;
    let (job, code) = match jobs.open_of(GENERATIONS).await.map_err(words)? {
        Some(open) if open.kind != REBUILD => {
            let JobRow { id, kind, .. } = open;
            return Err(format!(
                "a {kind} is open; `handler jobs run {id}` goes on with it"
            ));
        }
        Some(open) => {
            if request.rate.is_some() {
                eprintln!("the rebuild that was begun goes on at its own rate");
            }
            jobs.set_state(open.id, WantedState::Running)
                .await
                .map_err(words)?;
            follow(jobs, open.id).await?
        }
        None => {
            estimate(jobs, request.rate).await?;
            start(jobs, &request).await?
        }
    };
    let Some(result) = &job.result else {
        return Ok(code);
    };
    report::result(&job, json)?;
    let report: VerificationReport =
        serde_json::from_value(result.clone()).map_err(|error| error.to_string())?;
    if report.is_bad() {
        eprintln!("nothing was switched; `handler rebuild cancel` gives it up");
    } else {
        let live = report.generation;
        eprintln!("generation {live} is live; `handler rebuild rollback` goes back");
    }
    Ok(code)
}

/// Says what a rebuild will take, before it begins.
async fn estimate(jobs: &Jobs, rate: Option<NonZeroU32>) -> Result<(), String> {
    // Positions that were given to no event count as well.
    let last = jobs.resources().log().last().await;
    let events = last.map_err(|fault| chain(&fault).to_string())?;
    let seconds = match rate {
        Some(rate) => format!(
            "{} s at the least",
            (events + i64::from(rate.get()) - 1) / i64::from(rate.get())
        ),
        None => "as fast as it goes".to_owned(),
    };
    let requests = events * REQUESTS_PER_EVENT;
    eprintln!(
        "{events} events at most, {seconds}, about {requests} requests to Cosmos DB, and as many again for the proof"
    );
    Ok(())
}

/// Gives up the generation that is being filled.
async fn cancel(jobs: &Jobs) -> Result<(), String> {
    let admin = jobs.resources().read_model().map_err(words)?;
    let open = jobs.open_of(GENERATIONS).await.map_err(words)?;
    let open = open.filter(|open| open.kind == REBUILD);
    if open.is_none() && admin.pointer().await.map_err(words)?.building.is_none() {
        return Err("no rebuild is under way".to_owned());
    }
    let given_up = match open {
        // The job gives up what it has filled.
        Some(open) => {
            jobs.set_state(open.id, WantedState::Cancelled)
                .await
                .map_err(words)?;
            admin.pointer().await
        }
        None => admin.give_up().await,
    };
    generations(&given_up.map_err(words)?);
    Ok(())
}

fn generations(pointer: &GenerationPointer) {
    say!("{}", json!(pointer));
}
