//! Starts logging and hands over to the command line.
//! Never more than that.

use std::process::ExitCode;

use mimalloc::MiMalloc;

/// A command makes and drops some two hundred small things on two threads, which glibc's allocator is slow at.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

#[tokio::main]
async fn main() -> ExitCode {
    handler::telemetry::start();
    handler::cli::run().await
}
