//! Prints what was measured, as Markdown tables: each run as it ends, then medians and ratios.
//! Never leaves a run out.

use anyhow::Result;

use crate::{
    database::Database,
    figures::{Figures, spread},
    requests::Workload,
    usage,
};

/// The sender of the statements.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum System {
    /// Our HTTP client, through the handler.
    Handler,
    /// pgbench, the same write, past the handler.
    Pgbench,
    /// The handler again, with the trigger of READ_MODEL=postgres on.
    Tables,
}

impl System {
    /// As it stands in the tables.
    fn name(self) -> &'static str {
        match self {
            Self::Handler => "handler",
            Self::Pgbench => "pgbench",
            Self::Tables => "handler, READ_MODEL=postgres",
        }
    }
}

/// One run.
#[derive(Debug, Clone, Copy)]
pub(super) struct Row {
    pub(super) round: u32,
    pub(super) system: System,
    pub(super) workload: Workload,
    pub(super) clients: u64,
    pub(super) figures: Figures,
}

impl Row {
    /// True for another run of the same thing, in this round or another one.
    fn repeats(&self, other: &Self) -> bool {
        (self.workload, self.clients, self.system) == (other.workload, other.clients, other.system)
    }
}

/// Workload and key as words.
pub(super) fn words(workload: Workload) -> (&'static str, &'static str) {
    match workload {
        Workload::Place { hot, keyed } => (
            if hot { "place, hot" } else { "place, spread" },
            if keyed { "yes" } else { "no" },
        ),
        Workload::Ship => ("ship", "no"),
    }
}

/// On what it was measured.
pub(super) async fn machine(database: &Database) -> Result<()> {
    let stock = "select format('PostgreSQL %s: fsync %s, synchronous_commit %s, full_page_writes %s, shared_buffers %s',
        current_setting('server_version'), current_setting('fsync'), current_setting('synchronous_commit'),
        current_setting('full_page_writes'), current_setting('shared_buffers'))";
    let server: String = database.owner.query_one(stock, &[]).await?.try_get(0)?;
    println!("{} {server}.", usage::machine());
    Ok(())
}

/// The head of the table of runs.
pub(super) fn heading() {
    println!(
        "| system | workload | key | clients | req/s | p50 ms | p99 ms | app CPU ms/1000 | PG CPU ms/1000 | RSS MB |\n\
         |---|---|---|--:|--:|--:|--:|--:|--:|--:|"
    );
}

/// One line of it.
pub(super) fn row(row: &Row) {
    let (workload, key) = words(row.workload);
    let (system, clients, figures) = (row.system, row.clients, &row.figures);
    let system = system.name();
    let app = figures.app.map_or_else(
        || ("".to_owned(), "".to_owned()),
        |app| (format!("{:.0}", app.cpu), format!("{:.1}", app.rss)),
    );
    println!(
        "| {system} | {workload} | {key} | {clients} | {:.0} | {:.2} | {:.2} | {} | {:.0} | {} |",
        figures.per_second, figures.p50_ms, figures.p99_ms, app.0, figures.store_cpu, app.1,
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

/// The handler against its partner, run by run.
pub(super) fn ratios(rows: &[Row], partner: System) {
    println!(
        "\nhandler ÷ {}: ratios of the two runs of each round, median [min – max]\n\n\
         | workload | key | clients | req/s | PG CPU |\n|---|---|--:|--:|--:|",
        partner.name()
    );
    let firsts = rows
        .iter()
        .filter(|row| row.round == 1 && row.system == System::Handler);
    for first in firsts {
        let (workload, key) = words(first.workload);
        let line = |figure: fn(&Figures) -> f64| {
            spread(&of_rounds(rows, partner, first.workload, first.clients, figure))
        };
        let (speed, cpu) = (line(|f| f.per_second), line(|f| f.store_cpu));
        println!("| {workload} | {key} | {} | {speed} | {cpu} |", first.clients);
    }
}

/// This figure of the handler divided by that of its partner, for each round.
pub(super) fn of_rounds(
    rows: &[Row],
    partner: System,
    workload: Workload,
    clients: u64,
    figure: fn(&Figures) -> f64,
) -> Vec<f64> {
    let of = |system| {
        rows.iter()
            .filter(move |row| (row.system, row.workload, row.clients) == (system, workload, clients))
    };
    let pairs = of(System::Handler).filter_map(|ours| {
        let theirs = of(partner).find(|theirs| theirs.round == ours.round)?;
        Some(figure(&ours.figures) / figure(&theirs.figures))
    });
    pairs.collect()
}
