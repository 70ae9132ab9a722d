//! `bench projection --fill A,B`: what an event costs when so many are in the account already, each size in the same run.
//! Never measures what fills it.

use std::path::Path;

use anyhow::{Result, ensure};

use super::bench::{Bench, post};
use crate::{
    figures::{Figures, Meter, Processes},
    history::{History, Size},
    usage,
};

/// Events that are measured at each size.
const MEASURED: usize = 500;
/// The p50 at the last size is at most so many times the one at the first.
const WANTED: f64 = 2.0;

/// Fills one account to each of these sizes, in their order, and measures what comes next.
pub(super) async fn run(binary: &Path, sizes: &[usize]) -> Result<()> {
    ensure!(
        sizes.len() > 1 && sizes.windows(2).all(|pair| pair[0] + MEASURED <= pair[1]),
        "--fill wants sizes that grow, each by {MEASURED} at least"
    );
    let most = sizes.last().copied().unwrap_or_default() + MEASURED;
    let history = History::make(
        binary,
        Size {
            customers: 1_000,
            products: 1_000,
            orders: most.div_ceil(3),
        },
    )
    .await?;
    let events = history.mixed();
    let bench = Bench::start(binary, &history).await?;
    println!(
        "\n| events before | p50 ms | p99 ms | Cosmos CPU ms/event | handler CPU ms/event | Cosmos RSS MB |\n|--:|--:|--:|--:|--:|--:|"
    );
    let mut rest = events.as_slice();
    let mut posted = 0;
    let mut p50 = Vec::new();
    for size in sizes {
        let (filling, after) = rest.split_at(size - posted);
        post(bench.handler.address(), filling).await?;
        let (measured, after) = after.split_at(MEASURED.min(after.len()));
        let store = bench.cosmos.pid();
        let meter = Meter::start(Processes {
            store,
            app: Some(bench.handler.pid()),
            host: None,
        })?;
        let samples = post(bench.handler.address(), measured).await?;
        let figures = Figures::of(&samples, &meter.stop()?)?;
        let kilobytes = u32::try_from(usage::memory(store)?.now).unwrap_or(u32::MAX);
        println!(
            "| {size} | {:.2} | {:.2} | {:.2} | {:.2} | {:.1} |",
            figures.p50_ms,
            figures.p99_ms,
            figures.store_cpu / 1e3,
            figures.app.map_or(0.0, |app| app.cpu) / 1e3,
            f64::from(kilobytes) / 1024.0
        );
        p50.push(figures.p50_ms);
        posted = size + MEASURED;
        rest = after;
    }
    let ratio = p50[p50.len() - 1] / p50[0];
    let verdict = if ratio <= WANTED { "reached" } else { "**missed**" };
    println!("\np50 at the last size is {ratio:.2} times that at the first, wanted ≤ {WANTED}: {verdict}.");
    Ok(())
}
