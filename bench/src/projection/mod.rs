//! `bench projection`: a shop's events posted as the Functions host does, kind by kind, mixed, and once more.
//! Never accepts another answer than 200: an event that is not projected is no event.

mod bench;
mod fill;
mod report;

use std::path::Path;

use anyhow::Result;
use clap::Args;
use devstack::app_folder;

use crate::{
    history::{History, Size},
    usage,
};
use bench::Bench;
pub(crate) use bench::post;
use report::Row;

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Rounds; the medians count.
    #[arg(long, default_value_t = 3)]
    rounds: u32,
    /// Orders that are placed, paid and sent off: three events each. The emulator gets slower with every document.
    #[arg(long, default_value_t = 300)]
    orders: usize,
    /// One round of few orders: shows that everything works, and measures nothing.
    #[arg(long)]
    smoke: bool,
    /// Instead: what an event costs when so many are in the account already, such as 500,50000.
    #[arg(long, value_delimiter = ',', value_name = "EVENTS", conflicts_with_all = ["smoke", "rounds", "orders"])]
    fill: Vec<usize>,
}

/// Runs everything, and prints as it goes.
pub(crate) async fn run(options: &Options) -> Result<()> {
    if !options.fill.is_empty() {
        // The stack of `cargo up` is not optimised: a ratio can be seen in it, and it is built within seconds.
        let profile = if cfg!(debug_assertions) { "dev" } else { "release" };
        println!("Building the handler, profile {profile}");
        let binary = app_folder::build_handler(profile)?;
        println!("{}", usage::machine());
        return fill::run(&binary, &options.fill).await;
    }
    let (rounds, size) = if options.smoke {
        let size = Size {
            customers: 40,
            products: 60,
            orders: 240,
        };
        (1, size)
    } else {
        let size = Size {
            customers: 1_000,
            products: 1_000,
            orders: options.orders,
        };
        (options.rounds, size)
    };
    println!("Building the handler, optimised, which takes minutes");
    let binary = app_folder::build_handler("release")?;
    println!("{}", usage::machine());
    let history = History::make(&binary, size).await?;
    let mut rows = Vec::new();
    for round in 1..=rounds {
        println!("\nRound {round}, load {}\n", usage::load());
        report::heading();
        let from = rows.len();
        self::round(&binary, &history, &mut rows).await?;
        rows[from..].iter().for_each(report::row);
    }
    report::medians(&rows);
    if options.smoke {
        println!("\nThis was a smoke run: everything works, and the figures mean nothing.");
    }
    Ok(())
}

/// Kind by kind into an empty account, then all of it mixed into another one, and the same again.
async fn round(binary: &Path, history: &History, rows: &mut Vec<Row>) -> Result<()> {
    let kinds = [
        ("placed", &history.placed),
        ("paid", &history.paid),
        ("shipped", &history.shipped),
    ];
    let mut bench = Bench::start(binary, history).await?;
    for (events, messages) in kinds {
        rows.push(bench.measure(events, messages).await?);
    }
    drop(bench);
    let mixed = history.mixed();
    let mut bench = Bench::start(binary, history).await?;
    for events in [report::MIXED, "mixed, once more"] {
        rows.push(bench.measure(events, &mixed).await?);
    }
    Ok(())
}
