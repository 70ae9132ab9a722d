//! `cargo run --release -p bench -- commands | reads | projection | lag | operations`: what the handler costs, beside what is least.
//! Never touches a server that it did not start, and leaves nothing behind.

mod capture;
mod client;
mod commands;
mod database;
mod dice;
mod figures;
mod handler;
mod history;
mod lag;
mod messages;
mod operations;
mod pgbench;
mod process;
mod projection;
mod reads;
mod requests;
mod script;
mod server_log;
mod servers;
mod shop;
mod usage;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use tokio::runtime::Builder;

#[derive(Debug, Parser)]
#[command(about = "Measures the handler; see docs/benchmarks.md")]
struct Cli {
    #[command(subcommand)]
    measurement: Measurement,
}

#[derive(Debug, Subcommand)]
enum Measurement {
    /// Place and ship orders, beside pgbench sending the same statement to the same PostgreSQL.
    Commands(commands::Options),
    /// Read orders, beside a bare handler that does the same point read.
    Reads(reads::Options),
    /// Project a shop's events, kind by kind and mixed.
    Projection(projection::Options),
    /// See how long after its command an order is seen in the whole system.
    Lag(lag::Options),
    /// Replay a whole log, and make the read model anew from it; for two sizes.
    Operations(operations::Options),
    /// A server that one of the others needs in a process of its own.
    #[command(hide = true)]
    Server {
        #[command(subcommand)]
        server: servers::Server,
    },
}

fn main() -> ExitCode {
    let measurement = Cli::parse().measurement;
    let mut runtime = match measurement {
        Measurement::Server { .. } => Builder::new_multi_thread(),
        // One thread, because the machine's other ones are wanted by what is measured.
        _ => Builder::new_current_thread(),
    };
    let done = runtime.enable_all().build();
    let done = done
        .map_err(Into::into)
        .and_then(|runtime| runtime.block_on(run(&measurement)));
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(measurement: &Measurement) -> anyhow::Result<()> {
    match measurement {
        Measurement::Commands(options) => commands::run(options).await,
        Measurement::Reads(options) => reads::run(options).await,
        Measurement::Projection(options) => projection::run(options).await,
        Measurement::Lag(options) => lag::run(options).await,
        Measurement::Operations(options) => operations::run(options).await,
        Measurement::Server { server } => servers::run(server).await,
    }
}
