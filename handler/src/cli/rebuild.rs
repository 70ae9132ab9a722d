//! `handler rebuild` and `handler verify`: the read model made anew, proved, switched, taken back, removed.
//! Never does anything itself: it asks for operations, and says what came of them.

use std::{num::NonZeroU32, process::ExitCode};

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::{
    say::say,
    work::{ask, finish, reach_documents, words},
};
use crate::{
    config::Config,
    operations::{
        Operations, difference,
        operation::{Operation, Request, Wanted},
        rebuild::Anew,
        retire::Removal,
        verify::{self, Difference, Report},
    },
    read::{document::Generation, generation::GenerationPointer},
};

/// Requests to Cosmos DB for one event, on average (docs/benchmarks.md).
const REQUESTS_PER_EVENT: i64 = 4;

/// What to do with the generations of the read model.
#[derive(Debug, Subcommand)]
pub(super) enum Step {
    /// Fill a new generation from the log, or go on with the one begun, prove it, and switch over.
    Run {
        /// Most events a second [default: as fast as it goes].
        #[arg(long)]
        rate: Option<NonZeroU32>,
        /// The result as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Read the generation that was live before the switch again.
    Rollback {
        /// To this one: what is asked for twice does not toggle.
        #[arg(long, value_name = "GENERATION")]
        to: Option<u32>,
    },
    /// Give up the generation that is being filled.
    Cancel,
    /// Remove the documents of the generation that was live before, or that was given up.
    Retire {
        /// Most documents a second.
        #[arg(long, default_value = "200")]
        rate: NonZeroU32,
    },
    /// Print which generations there are, as JSON.
    Status,
}

/// What to compare with the log.
#[derive(Debug, Args)]
pub(super) struct Comparison {
    /// Which generation [default: the live one].
    #[arg(long)]
    generation: Option<u32>,
    /// How many percent of the orders, customers and products; always the same ones.
    #[arg(long, default_value = "100", value_parser = clap::value_parser!(u32).range(1..=100))]
    sample: u32,
    /// How many seconds an event may be under way before a document that lacks it differs.
    #[arg(long, default_value = "300")]
    grace: u32,
    /// The result as JSON.
    #[arg(long)]
    json: bool,
}

/// Takes the step.
///
/// # Errors
/// Why it ended early; running it again goes on.
pub(super) async fn step(step: Step, config: Config) -> Result<ExitCode, String> {
    let operations = reach_documents(config)?;
    match step {
        Step::Run { rate, json } => return anew(&operations, rate, json).await,
        Step::Rollback { to } => generations(
            &operations
                .model()
                .map_err(words)?
                .roll_back(to.map(Generation))
                .await
                .map_err(words)?,
        ),
        Step::Cancel => cancel(&operations).await?,
        Step::Retire { rate } => {
            let (removed, code) = ask(&operations, &Request::Retire(Removal { rate })).await?;
            if let Some(result) = &removed.result {
                say!("{} documents removed", result["removed"]);
            }
            return Ok(code);
        }
        Step::Status => generations(
            &operations
                .model()
                .map_err(words)?
                .pointer()
                .await
                .map_err(words)?,
        ),
    }
    Ok(ExitCode::SUCCESS)
}

/// Begins a rebuild, or goes on with the one that was begun.
async fn anew(operations: &Operations, rate: Option<NonZeroU32>, json: bool) -> Result<ExitCode, String> {
    let (operation, code) = match operations.open_rebuild().await.map_err(words)? {
        Some(open) if matches!(open.request, Request::Retire(_)) => {
            let id = open.id;
            return Err(format!(
                "a removal is under way; `handler operations run {id}` goes on with it"
            ));
        }
        Some(open) => {
            if rate.is_some() {
                eprintln!("the rebuild that was begun goes on at its own rate");
            }
            operations.steer(open.id, Wanted::Running).await.map_err(words)?;
            finish(operations, open.id).await?
        }
        None => {
            estimate(operations, rate).await?;
            ask(operations, &Request::Rebuild(Anew { rate })).await?
        }
    };
    let Some(report) = report(&operation, json)? else {
        return Ok(code);
    };
    if report.is_bad() {
        eprintln!("nothing was switched; `handler rebuild cancel` gives it up");
    } else {
        let live = report.generation;
        eprintln!("generation {live} is live; `handler rebuild rollback` goes back");
    }
    Ok(code)
}

/// Says what a rebuild will take, before it begins.
async fn estimate(operations: &Operations, rate: Option<NonZeroU32>) -> Result<(), String> {
    let events = operations.events_at_most().await.map_err(words)?;
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

/// Gives up what is being filled.
async fn cancel(operations: &Operations) -> Result<(), String> {
    let model = operations.model().map_err(words)?;
    let open = operations.open_rebuild().await.map_err(words)?;
    let open = open.filter(|open| matches!(open.request, Request::Rebuild(_)));
    if open.is_none() && model.pointer().await.map_err(words)?.building.is_none() {
        return Err("no rebuild is under way".to_owned());
    }
    let given_up = match open {
        // Which gives up what it has filled.
        Some(open) => {
            operations
                .steer(open.id, Wanted::Cancelled)
                .await
                .map_err(words)?;
            model.pointer().await
        }
        None => model.give_up().await,
    };
    generations(&given_up.map_err(words)?);
    Ok(())
}

/// Compares.
///
/// # Errors
/// When the log or the store cannot be read.
pub(super) async fn verify(comparison: Comparison, config: Config) -> Result<ExitCode, String> {
    let operations = reach_documents(config)?;
    let request = Request::Verify(verify::Comparison {
        generation: comparison.generation,
        sample: comparison.sample,
        grace_seconds: comparison.grace,
    });
    let (operation, code) = ask(&operations, &request).await?;
    report(&operation, comparison.json)?;
    Ok(code)
}

fn generations(pointer: &GenerationPointer) {
    say!("{}", json!(pointer));
}

/// Says what came of a comparison, if it came to its end: what differs, and what by.
fn report(operation: &Operation, as_json: bool) -> Result<Option<Report>, String> {
    let Some(result) = &operation.result else {
        return Ok(None);
    };
    let report: Report = serde_json::from_value(result.clone()).map_err(|error| error.to_string())?;
    if as_json {
        say!("{result}");
        return Ok(Some(report));
    }
    say!(
        "generation {}: {} aggregates, {} documents compared, {} different, {} behind, {} moving",
        report.generation,
        report.aggregates,
        report.documents,
        report.different,
        report.behind,
        report.moving
    );
    for Difference {
        pk,
        id,
        expected,
        found,
    } in &report.differences
    {
        say!("{pk} {id}");
        match found {
            // Of the log itself: why it cannot be read.
            Value::String(why) => say!("  {why}"),
            found => difference(expected, found)
                .iter()
                .for_each(|line| say!("  {line}")),
        }
    }
    Ok(Some(report))
}
