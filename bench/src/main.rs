//! `cargo run --release -p bench -- commands`: what a command costs, beside pgbench sending the same statement.
//! Never touches a server that it did not start, and leaves nothing behind.

mod capture;
mod client;
mod commands;
mod database;
mod figures;
mod handler;
mod pgbench;
mod requests;
mod script;
mod server_log;
mod shop;
mod usage;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

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
}

/// One thread, because the machine's other ones are wanted by what is measured.
#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let What::Commands(options) = Cli::parse().what;
    match commands::run(&options).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
