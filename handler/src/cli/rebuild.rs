//! `handler rebuild`, `handler verify` and `handler why`: the read model made anew, proved, switched, taken back, removed; and
//! one order followed through it.
//! Never does anything itself: it reads the arguments, tells how far things are, and says what came of them.

use std::{num::NonZeroU32, process::ExitCode};

use clap::{Args, Subcommand};
use serde_json::json;
use uuid::Uuid;

use super::progress::Progress;
use crate::{
    config::{Config, ReadModel},
    operations::{
        rebuild::Rebuild,
        verify::{Difference, Report},
        why,
    },
    read::{document::Generation, generation::Pointer},
};

/// Differences were found.
const DIFFERENT: u8 = 3;

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
    Rollback,
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
    /// The result as JSON.
    #[arg(long)]
    json: bool,
}

/// Takes the step.
///
/// # Errors
/// Why it ended early; running it again goes on.
pub(super) async fn step(step: Step, config: Config) -> Result<ExitCode, String> {
    let rebuild = reach(config)?;
    let progress = Progress::default();
    let tell = |what: &str, done, of| progress.tell(what, done, of);
    let why = |failed: crate::operations::Failed| failed.to_string();
    match step {
        Step::Run { rate, json } => {
            let report = rebuild.run(rate, &tell).await.map_err(why)?;
            progress.done();
            let code = print(&report, json);
            if report.different == 0 {
                eprintln!(
                    "generation {} is live; `handler rebuild rollback` goes back",
                    shown(report.generation)
                );
            } else {
                eprintln!("nothing was switched; `handler rebuild cancel` gives it up");
            }
            return Ok(code);
        }
        Step::Rollback => generations(&rebuild.roll_back().await.map_err(why)?),
        Step::Cancel => generations(&rebuild.cancel().await.map_err(why)?),
        Step::Retire { rate } => {
            let removed = rebuild.retire(rate, &tell).await.map_err(why)?;
            progress.done();
            println!("{removed} documents removed");
        }
        Step::Status => generations(&rebuild.pointer().await.map_err(why)?),
    }
    Ok(ExitCode::SUCCESS)
}

/// Compares.
///
/// # Errors
/// When the log or the store cannot be read.
pub(super) async fn verify(comparison: Comparison, config: Config) -> Result<ExitCode, String> {
    let rebuild = reach(config)?;
    let progress = Progress::default();
    let tell = |what: &str, done, of| progress.tell(what, done, of);
    let why = |failed: crate::operations::Failed| failed.to_string();
    let of = match comparison.generation {
        Some(generation) => Generation(generation),
        None => rebuild.pointer().await.map_err(why)?.live,
    };
    let report = rebuild.verify(of, comparison.sample, &tell).await.map_err(why)?;
    progress.done();
    Ok(print(&report, comparison.json))
}

/// Shows one order over every hop.
///
/// # Errors
/// When there is no such order, or a hop cannot be asked.
pub(super) async fn why(order: Uuid, as_json: bool, config: Config) -> Result<ExitCode, String> {
    let trail = reach(config)?
        .why(order)
        .await
        .map_err(|failed| failed.to_string())?;
    if as_json {
        println!("{}", json!(trail));
    } else {
        for why::Step {
            version,
            r#type,
            event_id,
            at,
            key,
            outbox,
            in_history,
        } in &trail.events
        {
            let key = key.as_ref().map(|key| format!(", key {key}")).unwrap_or_default();
            let history = if *in_history {
                "in the history"
            } else {
                "not in the history"
            };
            println!("{version:>3} {type} at {at}, event {event_id}{key}: {outbox}, {history}");
        }
        let version =
            |version: Option<i64>| version.map_or("missing".to_owned(), |it| format!("version {it}"));
        println!(
            "    document {}, row in the customer's list {} (generation {})",
            version(trail.document),
            version(trail.customers_row),
            trail.generation
        );
        println!(
            "    {}",
            trail.first_difference.as_deref().unwrap_or("all hops agree")
        );
    }
    Ok(match trail.first_difference {
        None => ExitCode::SUCCESS,
        Some(_) => ExitCode::from(DIFFERENT),
    })
}

fn reach(config: Config) -> Result<Rebuild, String> {
    if config.read_model == ReadModel::Postgres {
        return Err(
            "not applicable: READ_MODEL is postgres, which is kept by each command itself".to_owned(),
        );
    }
    let postgres = config.postgres.ok_or("setting PGHOST: is missing")?;
    let account = config.cosmos.ok_or("setting COSMOS_ENDPOINT: is missing")?;
    Ok(Rebuild::new(postgres, account))
}

fn generations(pointer: &Pointer) {
    println!("{}", json!(pointer));
}

fn shown(generation: Option<Generation>) -> String {
    generation.map(|it| it.to_string()).unwrap_or_default()
}

/// Says what came of a comparison; what differs, and what by.
fn print(report: &Report, as_json: bool) -> ExitCode {
    if as_json {
        println!("{}", json!(report));
    } else {
        println!(
            "generation {}: {} aggregates, {} documents compared, {} different, {} moving",
            shown(report.generation),
            report.aggregates,
            report.documents,
            report.different,
            report.moving
        );
        for Difference {
            pk,
            id,
            expected,
            found,
        } in &report.differences
        {
            println!("{pk} {id}\n  must be {expected}\n  is      {found}");
        }
    }
    match report.different {
        0 => ExitCode::SUCCESS,
        _ => ExitCode::from(DIFFERENT),
    }
}
