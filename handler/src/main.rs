//! Starts logging and hands over to the command line.
//! Never more than that.

use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    handler::telemetry::start();
    handler::cli::run().await
}
