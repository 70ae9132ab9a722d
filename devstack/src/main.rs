//! The devstack's command line.
//! Never does anything itself: each subcommand is a module.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use devstack::up;

#[derive(Debug, Parser)]
#[command(about = "The order system's local stack")]
struct Cli {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Start everything, seed it, and stay until Ctrl-C.
    Up(up::Options),
}

#[tokio::main]
async fn main() -> ExitCode {
    let Action::Up(options) = Cli::parse().action;
    match up::run(options).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}
