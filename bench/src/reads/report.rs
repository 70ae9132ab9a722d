//! Prints what was measured, as Markdown tables: each run as it ends, then medians and ratios.
//! Never leaves a run out.

use super::asked::Asked;
use crate::figures::{Figures, median, spread};

/// At least so many requests per second for one of the bare handler.
const WANTED: f64 = 0.9;

/// The system that answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum System {
    /// The handler as it is shipped.
    Handler,
    /// The same point read, and nothing else.
    Bare,
}

/// One run.
#[derive(Debug, Clone, Copy)]
pub(super) struct Row {
    pub(super) round: u32,
    pub(super) system: System,
    pub(super) asked: Asked,
    pub(super) clients: u64,
    pub(super) figures: Figures,
}

impl Row {
    /// True for another run of the same thing, in this round or another one.
    fn repeats(&self, other: &Self) -> bool {
        (self.asked, self.clients, self.system) == (other.asked, other.clients, other.system)
    }
}

/// The head of the table of runs.
pub(super) fn heading() {
    println!(
        "| system | read | clients | req/s | p50 ms | p99 ms | server CPU ms/1000 | Cosmos CPU ms/1000 | RSS MB |\n\
         |---|---|--:|--:|--:|--:|--:|--:|--:|"
    );
}

/// One line of it.
pub(super) fn row(row: &Row) {
    let system = match row.system {
        System::Handler => "handler",
        System::Bare => "bare",
    };
    let asked = match row.asked {
        Asked::Order => "order",
        Asked::Known => "order, 304",
        Asked::List => "list",
    };
    let figures = &row.figures;
    let (cpu, rss) = figures.app.map_or((0.0, 0.0), |app| (app.cpu, app.rss));
    println!(
        "| {system} | {asked} | {} | {:.0} | {:.2} | {:.2} | {cpu:.0} | {:.0} | {rss:.1} |",
        row.clients, figures.per_second, figures.p50_ms, figures.p99_ms, figures.store_cpu,
    );
}

/// The medians of every figure, each by itself.
pub(super) fn medians(rows: &[Row]) {
    println!("\nMedians of all rounds\n");
    heading();
    for first in rows.iter().filter(|row| row.round == 1) {
        let repeats = rows.iter().filter(|row| row.repeats(first));
        let figures = Figures::medians(repeats.map(|row| &row.figures));
        row(&Row { figures, ..*first });
    }
}

/// The handler against the bare one, run by run.
pub(super) fn ratios(rows: &[Row]) {
    println!(
        "\nHandler ÷ bare: ratios of the two runs of each round, median [min – max]\n\n\
         | clients | req/s | p50 | server CPU | req/s wanted | |\n|--:|--:|--:|--:|--:|---|"
    );
    let firsts = rows
        .iter()
        .filter(|row| row.round == 1 && row.system == System::Bare);
    for first in firsts {
        let of = |figure: fn(&Figures) -> f64| of_rounds(rows, first.clients, figure);
        let speed = of(|f| f.per_second);
        let cpu = of(|f| f.app.map_or(0.0, |app| app.cpu));
        let reached = median(speed.iter().copied()) >= WANTED;
        println!(
            "| {} | {} | {} | {} | ≥ {WANTED} | {} |",
            first.clients,
            spread(&speed),
            spread(&of(|f| f.p50_ms)),
            spread(&cpu),
            if reached { "reached" } else { "**missed**" },
        );
    }
}

/// This figure of the handler divided by that of the bare one, for each round.
fn of_rounds(rows: &[Row], clients: u64, figure: fn(&Figures) -> f64) -> Vec<f64> {
    let of = |system| {
        rows.iter()
            .filter(move |row| (row.system, row.asked, row.clients) == (system, Asked::Order, clients))
    };
    let pairs = of(System::Handler).filter_map(|ours| {
        let theirs = of(System::Bare).find(|theirs| theirs.round == ours.round)?;
        Some(figure(&ours.figures) / figure(&theirs.figures))
    });
    pairs.collect()
}
