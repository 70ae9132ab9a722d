//! What is to be reached, and whether it was.
//! Never ends the program with an error for a target that was missed: a noisy machine is no defect.

use std::path::Path;

use anyhow::Result;

use super::report::{self, Row, System};
use crate::{
    figures::median,
    handler::Start,
    requests::{WORKLOADS, Workload},
};

/// Clients for which the targets hold.
const CLIENTS: u64 = 32;

/// Prints the table. Runs with other numbers of clients stand in when there were none with 32.
pub(super) fn print(rows: &[Row], starts: &[Start], binary: &Path) -> Result<()> {
    let clients = rows.iter().map(|row| row.clients);
    let clients = clients
        .clone()
        .find(|n| *n == CLIENTS)
        .or(clients.max())
        .unwrap_or(CLIENTS);
    println!("\nTargets, with {clients} clients\n\n| what | wanted | measured | |\n|---|--:|--:|---|");
    for hot in [false, true] {
        for keyed in [false, true] {
            let workload = Workload::Place { hot, keyed };
            let pair = [System::Handler, System::Pgbench];
            let ratio = median(report::of_rounds(rows, pair, workload, clients, |f| f.per_second));
            let (name, key) = report::words(workload);
            let what = format!("{name}, key: {key}: req/s of the handler ÷ pgbench");
            let wanted = format!("{:.2} (aim {:.1})", 1.0, 1.3);
            line(&what, &wanted, &format!("{ratio:.2}"), ratio >= 1.0);
        }
    }
    // The workload that costs most, by its median: a mean over all of them would hide it.
    let cpu = |workload| {
        let runs = rows
            .iter()
            .filter(|row| (row.workload, row.clients) == (workload, clients));
        median(runs.filter_map(|row| row.figures.app).map(|app| app.cpu))
    };
    let costliest = WORKLOADS.into_iter().map(cpu).fold(0.0, f64::max);
    at_most("app CPU ms per 1000, costliest workload", 60.0, costliest);
    let handlers = rows.iter().filter(|row| row.system == System::Handler);
    let peak = handlers.filter_map(|row| row.figures.app).map(|app| app.peak);
    at_most("peak RSS of any run, MB", 20.0, peak.fold(0.0, f64::max));
    let millis = |of: fn(&Start) -> std::time::Duration| {
        median(starts.iter().map(|start| of(start).as_secs_f64() * 1e3))
    };
    at_most("start to first answer, ms", 20.0, millis(|start| start.ready));
    println!(
        "| start to first 201, with the connection to PostgreSQL, ms | | {:.1} | |",
        millis(|start| start.first_order)
    );
    let bytes = u32::try_from(std::fs::metadata(binary)?.len())?;
    at_most("release binary, MB", 15.0, f64::from(bytes) / 1024.0 / 1024.0);
    Ok(())
}

fn at_most(what: &str, limit: f64, value: f64) {
    line(
        what,
        &format!("≤ {limit}"),
        &format!("{value:.1}"),
        value <= limit,
    );
}

fn line(what: &str, wanted: &str, measured: &str, reached: bool) {
    let verdict = if reached { "reached" } else { "**missed**" };
    println!("| {what} | {wanted} | {measured} | {verdict} |");
}
