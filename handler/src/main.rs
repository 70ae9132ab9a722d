//! Starts the handler.
//! Never does anything else: `cli` says what there is to do.

use std::process::ExitCode;

use handler::cli;
use tokio::runtime::Builder;

/// As much as a main thread has: the futures of a job's step are deep, above all without optimisation.
const STACK_BYTES: usize = 8 * 1024 * 1024;

fn main() -> ExitCode {
    let runtime = Builder::new_multi_thread()
        .enable_all()
        .thread_stack_size(STACK_BYTES)
        .build();
    match runtime {
        Ok(runtime) => runtime.block_on(cli::run()),
        Err(error) => {
            eprintln!("handler: {error}");
            ExitCode::FAILURE
        }
    }
}
