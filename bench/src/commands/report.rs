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
    /// The handler again, through the Functions host's stand-in.
    Host,
}

impl System {
    /// As it stands in the tables.
    fn name(self) -> &'static str {
        match self {
            Self::Handler => "handler",
            Self::Pgbench => "pgbench",
            Self::Tables => "handler, READ_MODEL=postgres",
            Self::Host => "through the host",
        }
    }

    /// What of a pair with this partner is compared, and which of the two is divided by the other.
    fn ratios(self) -> ([Self; 2], &'static [Compared]) {
        match self {
            Self::Host => (
                [Self::Host, Self::Handler],
                &[
                    ("req/s", |f| f.per_second),
                    ("p50", |f| f.p50_ms),
                    ("p99", |f| f.p99_ms),
                ],
            ),
            partner => (
                [Self::Handler, partner],
                &[("req/s", |f| f.per_second), ("PG CPU", |f| f.store_cpu)],
            ),
        }
    }
}

/// A figure that is compared, by its name.
type Compared = (&'static str, fn(&Figures) -> f64);

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

/// The head of the table of runs. Only one behind a host has the host's column.
pub(super) fn heading(partner: System) {
    let (name, rule) = match partner {
        System::Host => (" host CPU ms/1000 |", "--:|"),
        _ => ("", ""),
    };
    println!(
        "| system | workload | key | clients | req/s | p50 ms | p99 ms | app CPU ms/1000 |{name} PG CPU ms/1000 | RSS MB |\n\
         |---|---|---|--:|--:|--:|--:|--:|{rule}--:|--:|"
    );
}

/// One line of it.
pub(super) fn row(row: &Row, partner: System) {
    let (workload, key) = words(row.workload);
    let (system, clients, figures) = (row.system, row.clients, &row.figures);
    let system = system.name();
    let app = figures.app.map_or_else(
        || ("".to_owned(), "".to_owned()),
        |app| (format!("{:.0}", app.cpu), format!("{:.1}", app.rss)),
    );
    let host = match (partner, figures.host) {
        (System::Host, Some(host)) => format!(" {:.0} |", host.cpu),
        _ => "".to_owned(),
    };
    println!(
        "| {system} | {workload} | {key} | {clients} | {:.0} | {:.2} | {:.2} | {} |{host} {:.0} | {} |",
        figures.per_second, figures.p50_ms, figures.p99_ms, app.0, figures.store_cpu, app.1,
    );
}

/// The medians of every figure, each by itself.
pub(super) fn medians(rows: &[Row], partner: System) {
    println!("\nMedians of all rounds\n");
    heading(partner);
    for first in rows.iter().filter(|row| row.round == 1) {
        let repeats = rows.iter().filter(|row| row.repeats(first));
        let figures = Figures::medians(repeats.map(|row| &row.figures));
        row(&Row { figures, ..*first }, partner);
    }
}

/// The handler against its partner, run by run.
pub(super) fn ratios(rows: &[Row], partner: System) {
    let (pair, compared) = partner.ratios();
    let names: Vec<_> = compared.iter().map(|(name, _)| *name).collect();
    println!(
        "\n{} ÷ {}: ratios of the two runs of each round, median [min – max]\n\n\
         | workload | key | clients | {} |\n|---|---|--:|{}",
        pair[0].name(),
        pair[1].name(),
        names.join(" | "),
        "--:|".repeat(names.len()),
    );
    let firsts = rows
        .iter()
        .filter(|row| row.round == 1 && row.system == System::Handler);
    for first in firsts {
        let (workload, key) = words(first.workload);
        let ratios = compared
            .iter()
            .map(|(_, figure)| spread(&of_rounds(rows, pair, first.workload, first.clients, *figure)));
        let ratios = ratios.collect::<Vec<_>>().join(" | ");
        println!("| {workload} | {key} | {} | {ratios} |", first.clients);
    }
}

/// This figure of the first of the pair divided by that of the second, for each round.
pub(super) fn of_rounds(
    rows: &[Row],
    pair: [System; 2],
    workload: Workload,
    clients: u64,
    figure: fn(&Figures) -> f64,
) -> Vec<f64> {
    let of = |system| {
        rows.iter()
            .filter(move |row| (row.system, row.workload, row.clients) == (system, workload, clients))
    };
    let pairs = of(pair[0]).filter_map(|first| {
        let second = of(pair[1]).find(|second| second.round == first.round)?;
        Some(figure(&first.figures) / figure(&second.figures))
    });
    pairs.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::requests::WORKLOADS;

    #[test]
    fn a_run_through_the_host_is_divided_by_the_direct_one_of_its_round() {
        let row = |round, system, per_second| Row {
            round,
            system,
            workload: WORKLOADS[0],
            clients: 8,
            figures: Figures {
                per_second,
                p50_ms: 1.0,
                p99_ms: 1.0,
                store_cpu: 1.0,
                app: None,
                host: None,
            },
        };
        let rows = [
            row(1, System::Handler, 100.0),
            row(1, System::Host, 50.0),
            row(2, System::Host, 30.0),
            row(2, System::Handler, 120.0),
        ];
        let (pair, compared) = System::Host.ratios();
        let ratios = of_rounds(&rows, pair, WORKLOADS[0], 8, compared[0].1);
        assert_eq!(spread(&ratios), "0.38 [0.25 – 0.50]");
    }
}
