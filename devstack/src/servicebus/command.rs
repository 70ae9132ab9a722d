//! The `servicebus` command: runs the emulator until it is told to stop.
//! Never prints anything but the connection string.

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::Context;
use tokio::signal::unix::{SignalKind, signal};

use super::{Emulator, Entities};

/// Runs the Service Bus emulator.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// Where to listen; port 0 takes a free one.
    #[arg(long, default_value = "127.0.0.1:5672")]
    pub listen: SocketAddr,
    /// The entities, in the format of Microsoft's emulator.
    #[arg(long, default_value = "devstack/servicebus/Config.json")]
    pub config: PathBuf,
}

/// Starts the emulator, prints its connection string and waits for Ctrl-C or SIGTERM.
pub async fn run(args: Args) -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let entities = Entities::from_file(&args.config)?;
    let emulator = Emulator::start(entities, args.listen)
        .await
        .with_context(|| format!("cannot listen on {}", args.listen))?;
    println!("{}", emulator.connection_string());
    tokio::select! {
        result = tokio::signal::ctrl_c() => result?,
        _ = terminate.recv() => {}
    }
    emulator.stop().await;
    Ok(())
}
