//! The `host` command: runs the stand-in alone over an app folder, as `func start` runs the real host.
//! Never starts what the app needs: its settings say where that is.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::num::NonZeroU32;
use std::path::PathBuf;

use tokio::signal::unix::{SignalKind, signal};

use super::{Host, HostOptions, HostTimes, HttpMode, HttpOptions, InnerStorage, Log, SignIn};

/// Runs the Functions host's stand-in over an app folder.
#[derive(Debug, Clone, clap::Args)]
pub struct HostArguments {
    /// The app folder: host.json, and a folder for each function.
    #[arg(long, value_name = "FOLDER")]
    pub script_root: PathBuf,
    /// The port to listen on.
    #[arg(long, default_value_t = 7071)]
    pub port: u16,
    /// The newest way in which this host can hand HTTP requests to the handler.
    #[arg(long, value_enum, default_value_t)]
    pub knows: HttpMode,
    /// Plays no App Service authentication: what callers say of themselves is passed on.
    #[arg(long)]
    pub no_easy_auth: bool,
    /// Asks for this key where the host's own paths are called, as Azure does; without it they are open, as with Core Tools.
    #[arg(long, value_name = "KEY")]
    pub master_key: Option<String>,
    /// How many times shorter its waits at a stop and for the storage account are than the real host's.
    #[arg(long, value_name = "TIMES", default_value = "1")]
    pub speed: NonZeroU32,
}

/// Runs until SIGTERM or Ctrl-C, or until the host ends itself; the log says why.
pub async fn run(args: HostArguments) -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let host = Host::start(HostOptions {
        script_root: args.script_root,
        listen: SocketAddr::from((Ipv4Addr::LOCALHOST, args.port)),
        environment: BTreeMap::new(),
        without: Vec::new(),
        log: Log::Terminal,
        sign_in: SignIn::default(),
        storage: InnerStorage::default(),
        times: HostTimes::default().faster(args.speed.get()),
        http: HttpOptions {
            knows: args.knows,
            easy_auth: !args.no_easy_auth,
            master_key: args.master_key,
        },
    })
    .await?;
    tokio::select! {
        _ = host.stopped() => {}
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    host.stop().await;
    Ok(())
}
