//! Prints what was measured, as Markdown tables: each run of a round, then the medians.
//! Never leaves a run out.

use crate::figures::{Figures, median};

/// The run for which the target holds.
pub(super) const MIXED: &str = "mixed";
/// At most so many processor milliseconds of the handler for 1 000 events.
const WANTED: f64 = 150.0;

/// One run.
#[derive(Debug, Clone, Copy)]
pub(super) struct Row {
    events: &'static str,
    figures: Figures,
    /// Requests to Cosmos DB for one event.
    requests: f64,
}

impl Row {
    /// So many requests were made for so many events.
    pub(super) fn new(events: &'static str, figures: Figures, requests: u64, count: usize) -> Self {
        let float = |number: u64| f64::from(u32::try_from(number).unwrap_or(u32::MAX));
        let count = u64::try_from(count).unwrap_or(u64::MAX);
        Self {
            events,
            figures,
            requests: float(requests) / float(count.max(1)),
        }
    }

    fn cpu(&self) -> f64 {
        self.figures.app.map_or(0.0, |app| app.cpu)
    }
}

/// The head of the table of runs.
pub(super) fn heading() {
    println!(
        "| events | events/s | p50 ms | p99 ms | handler CPU ms/1000 | Cosmos CPU ms/1000 | requests/event | RSS MB |\n\
         |---|--:|--:|--:|--:|--:|--:|--:|"
    );
}

/// One line of it.
pub(super) fn row(row: &Row) {
    let figures = &row.figures;
    let rss = figures.app.map_or(0.0, |app| app.rss);
    println!(
        "| {} | {:.0} | {:.2} | {:.2} | {:.0} | {:.0} | {:.2} | {rss:.1} |",
        row.events,
        figures.per_second,
        figures.p50_ms,
        figures.p99_ms,
        row.cpu(),
        figures.store_cpu,
        row.requests,
    );
}

/// The medians of every figure, each by itself, and the target.
pub(super) fn medians(rows: &[Row]) {
    println!("\nMedians of all rounds\n");
    heading();
    let mut seen = Vec::new();
    for first in rows {
        if seen.contains(&first.events) {
            continue;
        }
        seen.push(first.events);
        let repeats = rows.iter().filter(|row| row.events == first.events);
        row(&Row {
            events: first.events,
            figures: Figures::medians(repeats.clone().map(|row| &row.figures)),
            requests: median(repeats.map(|row| row.requests)),
        });
    }
    let mixed = rows.iter().filter(|row| row.events == MIXED);
    let cpu = median(mixed.map(Row::cpu));
    let verdict = if cpu <= WANTED { "reached" } else { "**missed**" };
    println!("\nHandler CPU for 1 000 mixed events: {cpu:.0} ms, wanted ≤ {WANTED} ms: {verdict}.");
}
