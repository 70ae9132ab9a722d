//! The `cosmos` command: runs the emulator until it is told to stop.
//! Never prints anything but the account's connection string.

use std::net::SocketAddr;
use std::path::PathBuf;

use tokio::signal::unix::{SignalKind, signal};

use super::{CosmosEmulator, CosmosOptions};

/// Runs the Cosmos DB emulator.
#[derive(Debug, Clone, clap::Args)]
pub struct CosmosArguments {
    /// Address to listen on; port 0 takes a free one.
    #[arg(long, default_value = "127.0.0.1:8081")]
    pub listen: SocketAddr,
    /// The database and its containers.
    #[arg(long, default_value = "bicep/cosmos-containers.json")]
    pub containers: PathBuf,
}

/// Starts the emulator, prints its connection string and waits for Ctrl-C or SIGTERM.
pub async fn run(args: CosmosArguments) -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let emulator = CosmosEmulator::start(CosmosOptions {
        containers: args.containers,
        listen: args.listen,
        advertise: None,
    })
    .await?;
    println!(
        "AccountEndpoint={};AccountKey={};",
        emulator.endpoint(),
        emulator.key()
    );
    tokio::select! {
        result = tokio::signal::ctrl_c() => result?,
        _ = terminate.recv() => {}
    }
    emulator.stop().await
}
