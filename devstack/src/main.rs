//! The `devstack` command.
//! It never does anything itself: each subcommand lives with its part of the library.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use devstack::{cosmos, demo, escape, host, operate, servicebus, up};

/// Gives memory back when messages or documents are gone; the system's allocator keeps the most there ever was.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The local stack.
#[derive(Parser)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Runs the whole system until Ctrl-C.
    Up(up::UpArguments),
    /// Drives one order through the system and prints each hop with its time.
    Demo(demo::DemoArguments),
    /// Runs one of the handler's own tools on the local stack: `operate status`.
    Operate(operate::OperateArguments),
    /// Runs the Functions host's stand-in over an app folder.
    Host(host::command::HostArguments),
    /// Runs the Service Bus emulator.
    Servicebus(servicebus::command::ServiceBusArguments),
    /// Runs the Cosmos DB emulator.
    Cosmos(cosmos::command::CosmosArguments),
}

#[tokio::main]
async fn main() -> ExitCode {
    // Why the Service Bus emulator refused a client is nowhere else to be read.
    tracing_subscriber::fmt()
        .with_env_filter("devstack::servicebus=warn")
        .with_writer(std::io::stderr)
        .with_target(false)
        .with_ansi(false)
        .init();
    let outcome = match Cli::parse().command {
        Command::Up(args) => up::run(args).await,
        Command::Demo(args) => demo::run(args).await,
        Command::Operate(args) => operate::run(args),
        Command::Host(args) => host::command::run(args).await,
        Command::Servicebus(args) => servicebus::command::run(args).await,
        Command::Cosmos(args) => cosmos::command::run(args).await,
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // The causes on one line, and never a backtrace: this is read by a person at a terminal. What an answer, a message
            // or a file said is among them.
            eprintln!("{}", escape::line(&format!("{error:#}")));
            ExitCode::FAILURE
        }
    }
}
