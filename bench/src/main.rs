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
mod parts;
mod pgbench;
mod process;
mod projection;
mod reads;
mod requests;
mod script;
mod server_log;
mod shop;
mod usage;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use tokio::runtime::Builder;

#[derive(Debug, Parser)]
#[command(about = "Measures the handler; see docs/benchmarks.md")]
struct Cli {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
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
    Part {
        #[command(subcommand)]
        part: parts::Part,
    },
}

fn main() -> ExitCode {
    let what = Cli::parse().what;
    let mut runtime = match what {
        What::Part { .. } => Builder::new_multi_thread(),
        // One thread, because the machine's other ones are wanted by what is measured.
        _ => Builder::new_current_thread(),
    };
    let done = runtime.enable_all().build();
    let done = done
        .map_err(Into::into)
        .and_then(|runtime| runtime.block_on(run(&what)));
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(what: &What) -> anyhow::Result<()> {
    match what {
        What::Commands(options) => commands::run(options).await,
        What::Reads(options) => reads::run(options).await,
        What::Projection(options) => projection::run(options).await,
        What::Lag(options) => lag::run(options).await,
        What::Operations(options) => operations::run(options).await,
        What::Part { part } => parts::run(part).await,
    }
}
