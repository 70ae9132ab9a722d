//! Log lines: of `serve` on stdout, where the Functions host picks them up, and of what a terminal runs on stderr, beside the
//! results. `RUST_LOG` chooses how many.
//! Never writes to a file or over the network.

use std::any::Any;

use tracing_subscriber::EnvFilter;

/// Where log lines go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum To {
    /// Nothing else is said there.
    Stdout,
    /// Results are on stdout.
    Stderr,
}

/// Starts logging; called once, when the command line is known.
pub fn start(to: To) {
    // The Cosmos DB client tells at level info what it found out about the account; nobody needs that at each start. Who sits at
    // a terminal is told by the tool itself how things go.
    let usual = || match to {
        To::Stdout => EnvFilter::new("info,azure_data_cosmos_driver=warn"),
        To::Stderr => EnvFilter::new("warn"),
    };
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| usual());
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_ansi(false);
    match to {
        To::Stdout => lines.init(),
        To::Stderr => lines.with_writer(std::io::stderr).init(),
    }
}

/// Says what a request panicked with; `panic` is what it left behind.
pub fn panicked(panic: &(dyn Any + Send)) {
    let owned = panic.downcast_ref::<String>().map(String::as_str);
    let text = owned.or_else(|| panic.downcast_ref::<&str>().copied());
    tracing::error!(panic = text.unwrap_or("unknown"), "panicked");
}
