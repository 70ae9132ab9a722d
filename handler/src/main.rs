//! Hands over to the command line.
//! Never more than that.

use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    handler::cli::run().await
}
