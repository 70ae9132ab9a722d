//! The `devstack` command.
//! Never does anything itself: each subcommand lives with its part of the library.

use clap::{Parser, Subcommand};
use devstack::servicebus;

/// The local stack.
#[derive(Parser)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Runs the Service Bus emulator.
    Servicebus(servicebus::command::Args),
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    match Cli::parse().command {
        Command::Servicebus(args) => servicebus::command::run(args).await,
    }
}
