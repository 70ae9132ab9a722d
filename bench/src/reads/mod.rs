//! `bench reads`: GetOrder through the handler beside the same point read by a bare handler, in turns; and a list.
//! Never compares runs of different rounds: this machine may be another one a minute later.

mod asked;
mod report;

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use anyhow::{Context as _, Result, bail, ensure};
use clap::Args;
use devstack::app_folder;
use serde_json::Value;

use crate::{
    client::{self, Connection, Length, Outcome},
    figures::Processes,
    handler::Handler,
    history::{History, Size},
    process::Process,
    projection,
    servers::{self, Cosmos},
    usage,
};
use asked::{Asked, Requests};
use report::{Row, System};

/// Enough for lists of 50 rows. The emulator copies a whole partition for each batch, so more takes long to fill.
const SIZE: Size = Size {
    customers: 1_000,
    products: 1_000,
    orders: 800,
};
const SMOKE: Size = Size {
    customers: 40,
    products: 60,
    orders: 240,
};

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
    /// One round of moments with 8 clients: shows that everything works, and measures nothing.
    #[arg(long)]
    smoke: bool,
}

/// Everything that is measured, and with what.
struct Bench {
    binary: PathBuf,
    cosmos: Cosmos,
    settings: BTreeMap<String, String>,
    requests: Requests,
    length: Length,
}

/// Runs everything, and prints as it goes.
pub(crate) async fn run(options: &Options) -> Result<()> {
    let (rounds, measured, clients, size) = if options.smoke {
        (1, Duration::from_millis(600), &vec![8], SMOKE)
    } else {
        let measured = Duration::from_secs(options.seconds.into());
        (options.rounds, measured, &options.clients, SIZE)
    };
    println!("Building the handler, optimised, which takes minutes");
    let binary = app_folder::build_handler("release")?;
    println!("{}", usage::machine());
    let history = History::make(&binary, size).await?;
    let cosmos = Cosmos::start()?;
    let settings = cosmos.settings();
    {
        let handler = Handler::start(&binary, &settings)?;
        projection::post(handler.address(), &history.catalogue).await?;
        projection::post(handler.address(), &history.mixed()).await?;
    }
    let bench = Bench {
        binary,
        cosmos,
        settings,
        requests: Requests::new(&history),
        length: Length {
            warm_up: measured / 3,
            measured,
        },
    };
    let mut rows = Vec::new();
    for round in 1..=rounds {
        bench.round(round, clients, &mut rows).await?;
    }
    report::medians(&rows);
    report::ratios(&rows);
    if options.smoke {
        println!("\nThis was a smoke run: everything works, and the figures mean nothing.");
    }
    Ok(())
}

impl Bench {
    /// One round: a new handler and a new bare one, and both for every number of clients, first the one, then the other.
    async fn round(&self, round: u32, clients: &[u64], rows: &mut Vec<Row>) -> Result<()> {
        println!("\nRound {round}, load {}\n", usage::load());
        report::heading();
        let handler = Handler::start(&self.binary, &self.settings)?;
        let bare = servers::bare(&self.settings)?;
        self.compare(&handler, &bare).await?;
        let mut systems = [System::Handler, System::Bare];
        if round.is_multiple_of(2) {
            systems.reverse();
        }
        for asked in [Asked::Order, Asked::Known, Asked::List] {
            for &clients in clients {
                for system in systems {
                    let (address, pid) = match system {
                        System::Handler => (handler.address(), handler.pid()),
                        System::Bare if asked == Asked::Order => (bare.address(), bare.pid()),
                        System::Bare => continue,
                    };
                    let processes = Processes {
                        store: self.cosmos.pid(),
                        app: Some(pid),
                        host: None,
                    };
                    let askers = (0..clients).map(|client| self.requests.of(asked, client));
                    let outcome = client::run(address, askers, processes, self.length).await?;
                    let Outcome::Measured(figures, _) = outcome else {
                        bail!("reads never run out");
                    };
                    let row = Row {
                        round,
                        system,
                        asked,
                        clients,
                        figures,
                    };
                    report::row(&row);
                    rows.push(row);
                }
            }
        }
        Ok(())
    }

    /// Both must say the same of every order, or they are not doing the same.
    async fn compare(&self, handler: &Handler, bare: &Process) -> Result<()> {
        let mut ours = Connection::open(handler.address()).await?;
        let mut theirs = Connection::open(bare.address()).await?;
        for request in self.requests.orders() {
            let ours: Value = serde_json::from_slice(ours.send(request).await?)?;
            let theirs: Value = serde_json::from_slice(theirs.send(request).await?)?;
            ensure!(ours == theirs, "one answers {ours}, the other {theirs}");
        }
        for request in self.requests.lists() {
            let list: Value = serde_json::from_slice(ours.send(request).await?)?;
            let rows = list["items"].as_array().context("no list")?.len();
            ensure!(rows == self.requests.rows, "a list of {rows} rows");
        }
        Ok(())
    }
}
