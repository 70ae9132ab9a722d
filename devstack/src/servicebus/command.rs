//! The `servicebus` command: runs the emulator until it is told to stop.
//! Never prints anything but the connection string, and what an identity needs, on standard output; what else there is to say
//! goes to standard error.

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::Context;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

use super::azure_entrance::AzureEntrance;
use super::{Entities, ServiceBusEmulator};

/// The port of Service Bus when none is named.
const PORT: u16 = 5672;

/// Runs the Service Bus emulator.
#[derive(Debug, Clone, clap::Args)]
pub struct ServiceBusArguments {
    /// Name or address to listen on, with a port or without; port 0 takes a free one.
    #[arg(long, default_value = "127.0.0.1:5672")]
    pub listen: String,
    /// The entities, in the format of Microsoft's emulator; without it those of the orders system.
    #[arg(long)]
    pub config: Option<PathBuf>,
    /// Listens here too as Azure does: TLS, and tokens for an identity that may do everything. Clients take port 5671 only.
    #[arg(long, value_name = "ADDRESS")]
    pub like_azure: Option<SocketAddr>,
    /// Seconds that a token of that identity lives; below zero it has run out already.
    #[arg(
        long,
        value_name = "SECONDS",
        requires = "like_azure",
        allow_negative_numbers = true
    )]
    pub token_life: Option<i64>,
}

/// Starts the emulator, prints its connection string and waits for Ctrl-C or SIGTERM.
pub async fn run(args: ServiceBusArguments) -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let entities = match &args.config {
        Some(path) => Entities::from_file(path)?,
        None => Entities::of_orders()?,
    };
    let listener = listen(&args.listen)
        .await
        .with_context(|| format!("cannot listen on {}", args.listen))?;
    let mut emulator = ServiceBusEmulator::serve(entities, listener)?;
    let azure = match args.like_azure {
        Some(address) => Some(AzureEntrance::open(&mut emulator, address, args.token_life).await?),
        None => None,
    };
    let address = emulator.address();
    if address.ip().is_unspecified() {
        eprintln!(
            "listening on all addresses of this machine, port {}",
            address.port()
        );
    }
    println!("{}", emulator.connection_string());
    for (name, value) in azure.iter().flat_map(AzureEntrance::settings) {
        println!("{name}={value}");
    }
    tokio::select! {
        result = tokio::signal::ctrl_c() => result?,
        _ = terminate.recv() => {}
    }
    emulator.stop().await;
    Ok(())
}

/// Listens on `name:port`, or on the usual port of a bare name or address.
async fn listen(text: &str) -> std::io::Result<TcpListener> {
    match TcpListener::bind(text).await {
        Err(error) if error.kind() == std::io::ErrorKind::InvalidInput => {
            let host = text.trim_start_matches('[').trim_end_matches(']');
            TcpListener::bind((host, PORT)).await
        }
        bound => bound,
    }
}
