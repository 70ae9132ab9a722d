//! The devstack's command line.
//! Never does anything itself: each subcommand is a module.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use devstack::{servicebus, up};

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
    /// Run the Service Bus emulator alone.
    Servicebus(servicebus::command::Args),
}

#[tokio::main]
async fn main() -> ExitCode {
    let outcome = match Cli::parse().action {
        Action::Up(options) => up::run(options).await,
        Action::Servicebus(args) => servicebus::command::run(args).await,
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}
