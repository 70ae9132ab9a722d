//! Log lines on stdout, where the Functions host picks them up; `RUST_LOG` chooses how many.
//! Never writes to a file or over the network.

use tracing_subscriber::EnvFilter;

/// Starts logging; called once, by `main`.
pub fn start() {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(false)
        .init();
}
