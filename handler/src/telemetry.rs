//! Log lines on stdout, where the Functions host picks them up; `RUST_LOG` chooses how many.
//! Never writes to a file or over the network.

use std::any::Any;

use tracing_subscriber::EnvFilter;

/// Starts logging; called once, by `main`.
pub fn start() {
    // The Cosmos DB client tells at level info what it found out about the account; nobody needs that at each start.
    let usual = || EnvFilter::new("info,azure_data_cosmos_driver=warn");
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| usual());
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(false)
        .init();
}

/// Says what a request panicked with; `panic` is what it left behind.
pub fn panicked(panic: &(dyn Any + Send)) {
    let owned = panic.downcast_ref::<String>().map(String::as_str);
    let text = owned.or_else(|| panic.downcast_ref::<&str>().copied());
    tracing::error!(panic = text.unwrap_or("unknown"), "panicked");
}
