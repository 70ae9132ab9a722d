//! What all runs came to, for people: how many, how fast, what went wrong in them, and how to see a failure again.
//! Never hides a failure behind a sum.

use std::{fmt::Write, time::Duration};

use crate::{
    run::RunReport,
    trouble::{KINDS, TROUBLES},
};

/// All runs so far.
#[derive(Default)]
pub(crate) struct RunSummary {
    pub(crate) runs: u64,
    /// Seeds, and why.
    pub(crate) failed: Vec<(u64, String)>,
    events: u64,
    deliveries: u64,
    steps: u64,
    longest: Duration,
    /// Of all steps of all runs, in whatever order they were played.
    hash: u64,
    troubles: [u64; KINDS],
}

impl RunSummary {
    /// Counts a run.
    pub(crate) fn add(&mut self, report: RunReport) {
        self.runs += 1;
        self.events += report.events as u64;
        self.deliveries += report.deliveries;
        self.steps += report.tally.steps;
        self.hash = self.hash.wrapping_add(report.tally.hash);
        self.longest = self.longest.max(report.drained_in);
        for (sum, count) in self.troubles.iter_mut().zip(report.tally.troubles) {
            *sum += count;
        }
        if let Err(why) = report.verdict {
            self.failed.push((report.seed, why));
        }
    }

    /// The kinds of trouble that no run had.
    #[cfg(test)]
    pub(crate) fn never_struck(&self) -> Vec<&'static str> {
        let all = TROUBLES.iter().zip(self.troubles);
        all.filter(|(_, count)| *count == 0)
            .map(|((name, _), _)| *name)
            .collect()
    }

    /// Each failure, and the command that repeats it.
    pub(crate) fn failures(&self) -> String {
        let mut failed: Vec<_> = self.failed.iter().collect();
        failed.sort();
        let mut told = String::new();
        for (seed, why) in failed {
            // Writing into a text cannot fail.
            let _ = writeln!(
                told,
                "seed {seed} fails: {why}\n  again: cargo simulate --seed {seed} --runs 1 --trace"
            );
        }
        told
    }

    /// Prints it all.
    pub(crate) fn print(&self, took: Duration) {
        for ((name, _), count) in TROUBLES.iter().zip(self.troubles) {
            println!("{count:>10}  {name}");
        }
        println!("{:>10}  events committed", self.events);
        println!("{:>10}  deliveries", self.deliveries);
        println!(
            "{:>10}  steps, of which the hash is {:016x}",
            self.steps, self.hash
        );
        println!(
            "{} runs in {:.1} s, {:.0} a second; done at the latest {:.1} s after the trouble had ended",
            self.runs,
            took.as_secs_f64(),
            self.runs as f64 / took.as_secs_f64(),
            self.longest.as_secs_f64()
        );
        if self.failed.is_empty() {
            println!("no seed failed");
        } else {
            println!("{} seeds failed", self.failed.len());
            print!("{}", self.failures());
        }
    }
}
