//! `bench commands`: every workload with every number of clients, round after round, the handler and its
//! partner in turns.
//! Never compares runs of different rounds: this machine may be another one a minute later.

mod report;
mod running;
mod targets;

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Result, bail};
use clap::{Args, ValueEnum};
use devstack::app_folder;

use crate::{
    capture::Scripts,
    client::{self, Length, Outcome},
    database::{Database, Expected},
    figures::{Figures, Processes},
    handler::{Handler, Start},
    pgbench,
    requests::{self, Requests, WORKLOADS, Workload},
    shop::SHELVES,
    usage,
};
use report::{Row, System};
use running::Running;

/// Paid orders that are there at the start of every run, shipped or not: so many that PostgreSQL looks one up by its
/// index, as it does in any shop that has been open for a while. Fewer where nothing is measured.
const BASE: u64 = 40_000;
const SMOKE_BASE: u64 = 4_000;
/// Shipped orders per second and client that are prepared for at first; a run that ran out begins anew with twice as many.
const SHIPPED_PER_SECOND: u64 = 3_000;
/// The same of all clients together: two processors do no more.
const ALL_SHIPPED_PER_SECOND: u64 = 16_000;

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Rounds; the medians count.
    #[arg(long, default_value_t = 3)]
    rounds: u32,
    /// Length of each run, after a warm-up of a third of that.
    #[arg(long, default_value_t = 6)]
    seconds: u32,
    /// Numbers of clients.
    #[arg(long, value_delimiter = ',', default_value = "1,8,32")]
    clients: Vec<u64>,
    /// Beside itself with the trigger of READ_MODEL=postgres on, instead of beside pgbench: what that read model costs.
    #[arg(long)]
    tables: bool,
    /// Beside itself through this, instead of beside pgbench: what the way to the handler costs.
    #[arg(long, value_enum, conflicts_with = "tables")]
    through: Option<Through>,
    /// One round of moments with 8 clients: shows that everything works, and measures nothing.
    #[arg(long)]
    smoke: bool,
}

/// What can stand between callers and the handler.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Through {
    /// The Functions host's stand-in.
    Host,
}

/// Everything that is measured, and with what.
struct Bench {
    database: Database,
    binary: PathBuf,
    scripts: Scripts,
    length: Length,
    /// The system beside the handler.
    partner: System,
    /// Paid orders at the start of every run.
    base: u64,
}

/// Runs everything, and prints as it goes.
pub(crate) async fn run(options: &Options) -> Result<()> {
    let (rounds, measured, clients) = if options.smoke {
        (1, Duration::from_millis(600), &vec![8])
    } else {
        let measured = Duration::from_secs(options.seconds.into());
        (options.rounds, measured, &options.clients)
    };
    println!("Building the handler, optimised, which takes minutes");
    let binary = app_folder::build_handler("release")?;
    let database = Database::start(&binary).await?;
    report::machine(&database).await?;
    let starts = starts(&database, &binary).await?;
    let base = if options.smoke { SMOKE_BASE } else { BASE };
    database.reset(base).await?;
    let bench = Bench {
        partner: options.partner(),
        base,
        scripts: Scripts::capture(&database, &binary).await?,
        length: Length {
            warm_up: measured / 3,
            measured,
        },
        database,
        binary,
    };
    let mut rows = Vec::new();
    for round in 1..=rounds {
        bench.round(round, clients, &mut rows).await?;
    }
    report::medians(&rows, bench.partner);
    report::ratios(&rows, bench.partner);
    if bench.partner == System::Pgbench {
        targets::print(&rows, &starts, &bench.binary)?;
    }
    if options.smoke {
        println!("\nThis was a smoke run: everything works, and the figures mean nothing.");
    }
    Ok(())
}

/// Several starts, each of a process that is new to the database.
async fn starts(database: &Database, binary: &Path) -> Result<Vec<Start>> {
    let mut starts = Vec::new();
    for _ in 0..11 {
        let order = requests::place(SHELVES.map(|(first, _)| first), None);
        starts.push(Handler::timed(binary, &database.app_settings(), &order).await?);
    }
    Ok(starts)
}

impl Options {
    fn partner(&self) -> System {
        match self.through {
            Some(Through::Host) => System::Host,
            None if self.tables => System::Tables,
            None => System::Pgbench,
        }
    }
}

impl Bench {
    /// One round: a new handler, and both systems for every workload and number of clients, first the one, then the other.
    async fn round(&self, round: u32, clients: &[u64], rows: &mut Vec<Row>) -> Result<()> {
        println!("\nRound {round}, load {}\n", usage::load());
        report::heading(self.partner);
        let running = Running::start(self.partner, &self.binary, &self.database.app_settings())?;
        let mut systems = [System::Handler, self.partner];
        if round.is_multiple_of(2) {
            systems.reverse();
        }
        for workload in WORKLOADS {
            for &clients in clients {
                for system in systems {
                    let figures = self.measure(system, &running, workload, clients).await?;
                    let row = Row {
                        round,
                        system,
                        workload,
                        clients,
                        figures,
                    };
                    report::row(&row, self.partner);
                    rows.push(row);
                }
            }
        }
        Ok(())
    }

    /// One run from a fresh start, and a look at what it has left in the tables.
    async fn measure(
        &self,
        system: System,
        running: &Running,
        workload: Workload,
        clients: u64,
    ) -> Result<Figures> {
        let mut share = self.share(workload, clients);
        for _ in 0..4 {
            let base = self.base.max(share * clients);
            // The orders that are there at the start have no state to be kept.
            self.database.keep_tables(false).await?;
            self.database.reset(base).await?;
            self.database.keep_tables(system == System::Tables).await?;
            match self.once(system, running, workload, clients, share).await? {
                Outcome::RanOut => share *= 2,
                Outcome::Measured(figures, done) => {
                    self.database
                        .check(expected(workload, usize::try_from(base)?, done))
                        .await?;
                    return Ok(figures);
                }
            }
        }
        bail!("there are never enough orders to send off")
    }

    async fn once(
        &self,
        system: System,
        running: &Running,
        workload: Workload,
        clients: u64,
        share: u64,
    ) -> Result<Outcome> {
        let store = self.database.server.pid()?;
        match system {
            System::Handler | System::Tables | System::Host => {
                let clients = (0..clients).map(|client| Requests::new(workload, client, share));
                let (address, processes) = (running.address(system), running.processes(store));
                client::run(address, clients, processes, self.length).await
            }
            System::Pgbench => {
                let processes = Processes {
                    store,
                    app: None,
                    host: None,
                };
                let script = self.scripts.script(workload, share)?;
                let (program, settings) = (
                    self.database.server.program("pgbench"),
                    self.database.app_settings(),
                );
                pgbench::run(
                    &program,
                    &settings,
                    &script,
                    clients,
                    share,
                    processes,
                    self.length,
                )
                .await
            }
        }
    }

    /// The number of prepared orders for each client.
    fn share(&self, workload: Workload, clients: u64) -> u64 {
        let seconds = (self.length.warm_up + self.length.measured).as_secs() + 1;
        let rate = SHIPPED_PER_SECOND.min(ALL_SHIPPED_PER_SECOND / clients.max(1));
        match workload {
            Workload::Place { .. } => 0,
            Workload::Ship => seconds * rate,
        }
    }
}

/// The rows that so many commands leave behind.
fn expected(workload: Workload, base: usize, done: usize) -> Expected {
    let (placed, keyed) = match workload {
        Workload::Place { keyed, .. } => (done, keyed),
        Workload::Ship => (0, false),
    };
    Expected {
        orders: base + placed,
        events: base + done,
        outbox: done,
        keys: base + if keyed { done } else { 0 },
        pieces: 3 * placed,
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    #[derive(clap::Parser)]
    struct Line {
        #[command(flatten)]
        options: Options,
    }

    #[test]
    fn the_handler_has_one_partner_in_a_run() {
        let partner = |line: &str| Line::try_parse_from(line.split(' ')).map(|line| line.options.partner());
        assert_eq!(partner("commands").unwrap(), System::Pgbench);
        assert_eq!(partner("commands --through host").unwrap(), System::Host);
        assert!(partner("commands --through host --tables").is_err());
        assert!(partner("commands --through bus").is_err());
    }
}
