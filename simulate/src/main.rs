//! `cargo simulate --seed N --runs M`: histories with drops, duplicates, reordering, lost locks, crashes and a throttled
//! store, played against the real relay, the real projections and the real jobs in virtual time. Each seed is a run, and always the same run.
//! Never touches a network, a disk or the machine's clock.

mod check;
mod database;
mod documents;
mod environment;
mod fault_plan;
mod fold;
mod job_plan;
mod job_table;
mod job_worker;
mod log;
mod process;
mod run;
mod shop;
mod subscription;
mod summary;
mod topic;
mod trouble;

use std::{
    io,
    process::ExitCode,
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::Instant,
};

use clap::Parser;

use crate::{fault_plan::lock, run::run, summary::RunSummary};

/// Most failing seeds that are told.
const TOLD: usize = 5;

/// Plays random histories against the relay, the projections and the jobs, and holds what comes of them against the plain fold.
#[derive(Parser)]
#[command(name = "cargo simulate")]
struct Arguments {
    /// The first seed
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Number of seeds, one after the other
    #[arg(long, default_value_t = 1_000)]
    runs: u64,
    /// Print every step, and what the product logs
    #[arg(long)]
    trace: bool,
    /// Threads; each plays runs of its own
    #[arg(long, default_value_t = thread::available_parallelism().map_or(1, usize::from))]
    threads: usize,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if arguments.trace {
        let filter = tracing_subscriber::EnvFilter::new("handler=debug");
        tracing_subscriber::fmt()
            .with_env_filter(filter)
            .without_time()
            .init();
    }
    let started = Instant::now();
    match play(&arguments) {
        Ok(summary) => {
            summary.print(started.elapsed());
            ExitCode::from(u8::from(!summary.failed.is_empty()))
        }
        Err(error) => {
            eprintln!("no run: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Plays the seeds on all threads; ends early when enough of them have failed.
fn play(arguments: &Arguments) -> io::Result<RunSummary> {
    let summary = Mutex::new(RunSummary::default());
    let next = AtomicU64::new(0);
    let threads = if arguments.trace {
        1
    } else {
        arguments.threads.max(1)
    };
    let work = || -> io::Result<()> {
        loop {
            let n = next.fetch_add(1, Ordering::Relaxed);
            if n >= arguments.runs || lock(&summary).failed.len() >= TOLD {
                return Ok(());
            }
            let report = run(arguments.seed.wrapping_add(n), arguments.trace)?;
            lock(&summary).add(report);
        }
    };
    thread::scope(|scope| {
        let playing: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        let outcomes = playing.into_iter().map(|thread| thread.join().unwrap_or(Ok(())));
        outcomes.collect::<io::Result<()>>()
    })?;
    Ok(summary
        .into_inner()
        .unwrap_or_else(std::sync::PoisonError::into_inner))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A few seconds' worth; `cargo simulate --runs 10000` plays more.
    const RUNS: u64 = 60;

    #[test]
    fn whatever_goes_wrong_all_documents_are_the_plain_fold_of_the_log() {
        let arguments = Arguments {
            seed: 1,
            runs: RUNS,
            trace: false,
            threads: thread::available_parallelism().map_or(1, usize::from),
        };
        let summary = play(&arguments).unwrap();
        assert!(summary.failed.is_empty(), "{}", summary.failures());
        assert_eq!(summary.runs, RUNS);
        assert_eq!(summary.never_struck(), Vec::<&str>::new());
    }

    #[test]
    fn the_same_seed_is_the_same_run_step_by_step() {
        for seed in [3, 5, 8] {
            let [one, other] = [run(seed, false), run(seed, false)].map(|report| report.unwrap().tally);
            assert_eq!(one, other, "seed {seed}");
            assert!(one.steps > 100, "{one:?}");
            assert_ne!(one.hash, run(seed + 100, false).unwrap().tally.hash);
        }
    }
}
