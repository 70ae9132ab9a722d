//! `bench operations`: the whole log replayed over the bus and into documents, and the read model made anew and proved; for a
//! log of some size and for one of four times that: what the tool holds in memory must not grow with it.
//! Never accepts an operation that failed, or that did not do all of it.

use std::{
    collections::BTreeMap,
    path::Path,
    pin::pin,
    process::Stdio,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use clap::Args;
use devstack::app_folder;
use serde_json::Value;
use tokio::{process::Command, select, time::sleep};

use crate::{
    history::{self, Size},
    servers::{self, Cosmos},
    usage,
};

/// Physical partitions of each container: the emulator copies one for each batch. With many more of them the client's
/// session token, which names each, is too long for a header.
const PARTITIONS: u32 = 700;
/// A log of any size is as long as half a year, as the sales of one day share 16 partitions.
const DAYS: u32 = 180;
/// Between two looks at a process.
const LOOK: Duration = Duration::from_millis(20);

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Events in the larger log; the smaller one has a quarter of them.
    #[arg(long, default_value_t = 100_000)]
    events: usize,
    /// Few events: shows that everything works, and measures nothing.
    #[arg(long)]
    smoke: bool,
}

/// The figures of one run of the tool.
struct Run {
    took: Duration,
    peak_kb: u64,
    result: Value,
}

/// Runs everything, and prints as it goes.
pub(crate) async fn run(options: &Options) -> Result<()> {
    let most = if options.smoke { 2_000 } else { options.events };
    println!("Building the handler, optimised, which takes minutes");
    let binary = app_folder::build_handler("release")?;
    println!("{} Load {}\n", usage::machine(), usage::load());
    println!("| log | operation | events | s | events/s | peak RSS MB |\n|---|---|---|---|---|---|");
    for events in [most / 4, most] {
        measure(&binary, events).await?;
    }
    if options.smoke {
        println!("\nThis was a smoke run: everything works, and the figures mean nothing.");
    }
    Ok(())
}

async fn measure(binary: &Path, wanted: usize) -> Result<()> {
    let (customers, products) = (200, 300);
    // Each order is three events, each product two.
    let orders = wanted.saturating_sub(customers + 2 * products) / 3;
    let size = Size {
        customers,
        products,
        orders,
    };
    let (database, ..) = history::happened(binary, size).await?;
    database.spread(DAYS).await?;
    let events = customers + 2 * products + 3 * orders;
    let mut bus = servers::bus()?;
    let bus_settings = both(database.app_settings(), servers::bus_settings(bus.address()));
    let all = ["--all", "--yes", "--rate", "1000000", "--json"];
    let over_the_bus = [&["replay", "--subscription", "read-model"], &all[..]].concat();
    let run = tool(binary, &bus_settings, &over_the_bus).await?;
    ensure!(run.result["done"] == events, "{}", run.result);
    ensure!(
        bus.ask()?.trim() == events.to_string(),
        "the bus has not got all of them"
    );
    row(events, "replay over the bus", events, &run);
    drop(bus);
    let cosmos = Cosmos::start_spread(PARTITIONS)?;
    let settings = both(database.app_settings(), cosmos.settings());
    let run = tool(binary, &settings, &[&["reproject"], &all[..]].concat()).await?;
    ensure!(run.result["done"] == events, "{}", run.result);
    row(events, "reprojection", events, &run);
    let run = tool(binary, &settings, &["verify", "--grace", "0", "--json"]).await?;
    ensure!(run.result["different"] == 0, "{}", run.result);
    row(events, "verify", events, &run);
    let cosmos = Cosmos::start_spread(PARTITIONS)?;
    let settings = both(database.app_settings(), cosmos.settings());
    let run = tool(binary, &settings, &["rebuild", "run", "--json"]).await?;
    ensure!(run.result["different"] == 0, "{}", run.result);
    row(
        events,
        "rebuild, with its proof and 15 s of waiting",
        events,
        &run,
    );
    Ok(())
}

/// Runs the tool to its end, watching its memory.
async fn tool(binary: &Path, settings: &BTreeMap<String, String>, arguments: &[&str]) -> Result<Run> {
    let begun = Instant::now();
    let mut command = Command::new(binary);
    command.args(arguments).env_clear().envs(settings);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let process = child.id().context("it has no id")?;
    let mut output = pin!(child.wait_with_output());
    let mut peak_kb = 0;
    let output = loop {
        select! {
            output = &mut output => break output?,
            // It may end while we look.
            () = sleep(LOOK) => {
                peak_kb = usage::memory(process).map_or(peak_kb, |memory| memory.peak.max(peak_kb));
            }
        }
    };
    let took = begun.elapsed();
    let said = String::from_utf8(output.stdout)?;
    let complaints = String::from_utf8_lossy(&output.stderr);
    ensure!(
        output.status.success(),
        "{arguments:?}: {}\n{said}{complaints}",
        output.status
    );
    let result = said.lines().last().context("it said nothing")?;
    Ok(Run {
        took,
        peak_kb,
        result: serde_json::from_str(result)?,
    })
}

fn row(log: usize, operation: &str, events: usize, run: &Run) {
    let float = |number: u64| f64::from(u32::try_from(number).unwrap_or(u32::MAX));
    let seconds = run.took.as_secs_f64();
    println!(
        "| {log} | {operation} | {events} | {seconds:.1} | {:.0} | {:.1} |",
        float(events as u64) / seconds,
        float(run.peak_kb) * 1024.0 / 1e6,
    );
}

/// Settings put together.
fn both(some: BTreeMap<String, String>, others: BTreeMap<String, String>) -> BTreeMap<String, String> {
    some.into_iter().chain(others).collect()
}
