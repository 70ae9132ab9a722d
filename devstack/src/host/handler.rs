//! Starts the handler and keeps it running by the host's rules: exit 200 is a wish, other codes are strikes, three end the host.
//! Never asks the handler to stop: like the real host it kills (SIGKILL), so the handler must survive that.

use std::{
    collections::BTreeMap,
    io,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::PathBuf,
    process::{ExitStatus, Stdio},
    time::{Duration, Instant},
};

use tokio::{
    net::TcpStream,
    process::{Child, Command},
    sync::watch,
    time::{sleep, timeout},
};

/// Strikes that end the host, each within this time of the one before.
const STRIKES: u32 = 3;
const STRIKE_WINDOW: Duration = Duration::from_secs(30 * 60);
/// host.json customHandler.initializationTimeout's default, and how often readiness is looked for.
const START_TIMEOUT: Duration = Duration::from_secs(30);
const PROBE_EVERY: Duration = Duration::from_millis(25);
/// Exit code of a wanted restart.
const WANTED_RESTART: i32 = 200;

/// Where the handler is in its life.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum State {
    /// Started, not listening yet.
    Starting,
    /// It listens; its process id.
    Ready(u32),
    /// It ended with code 0: the real host does not restart it, and every invocation fails.
    Ended,
    /// The host has given up; why.
    Stopped(String),
}

/// How to start the handler.
#[derive(Debug)]
pub(super) struct Launch {
    pub(super) executable: PathBuf,
    pub(super) script_root: PathBuf,
    pub(super) environment: BTreeMap<String, String>,
    pub(super) quiet: bool,
}

/// A port nobody listens on, found as the real host finds it: bound, then closed.
pub(super) fn free_port() -> io::Result<SocketAddr> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()
}

/// Runs the handler until the host is stopped (the task is dropped, and the child with it) or must give up.
pub(super) async fn supervise(launch: Launch, address: SocketAddr, state: watch::Sender<State>) {
    let mut strikes: (u32, Option<Instant>) = (0, None);
    loop {
        state.send_replace(State::Starting);
        let why = match run(&launch, address, &state).await {
            Err(error) => return give_up(&state, format!("Failed to start Worker Channel: {error}")),
            Ok(Some(status)) if status.code() == Some(0) => {
                state.send_replace(State::Ended);
                return;
            }
            Ok(Some(status)) if status.code() == Some(WANTED_RESTART) => continue,
            Ok(Some(status)) => format!("Language Worker Process exited: {status}"),
            Ok(None) => "Initializing HttpWorker timed out.".to_owned(),
        };
        eprintln!("[host] {why}");
        let recent = strikes.1.is_some_and(|last| last.elapsed() < STRIKE_WINDOW);
        strikes = (if recent { strikes.0 + 1 } else { 1 }, Some(Instant::now()));
        if strikes.0 >= STRIKES {
            return give_up(&state, format!("Exceeded http worker restart retry count. {why}"));
        }
    }
}

fn give_up(state: &watch::Sender<State>, why: String) {
    eprintln!("[host] {why} Shutting down Functions Host");
    state.send_replace(State::Stopped(why));
}

/// One life of the handler; `None` when it did not listen in time.
async fn run(
    launch: &Launch,
    address: SocketAddr,
    state: &watch::Sender<State>,
) -> io::Result<Option<ExitStatus>> {
    let mut child = start(launch, address)?;
    let pid = child.id().unwrap_or_default();
    let ready = async {
        while TcpStream::connect(address).await.is_err() {
            sleep(PROBE_EVERY).await;
        }
    };
    tokio::select! {
        status = child.wait() => return status.map(Some),
        listening = timeout(START_TIMEOUT, ready) => if listening.is_err() {
            child.kill().await?;
            return Ok(None);
        },
    }
    state.send_replace(State::Ready(pid));
    child.wait().await.map(Some)
}

/// The whole environment of the host, the app's settings, and the variables that the real host adds.
fn start(launch: &Launch, address: SocketAddr) -> io::Result<Child> {
    let port = address.port().to_string();
    let mut command = Command::new(&launch.executable);
    command
        .current_dir(&launch.script_root)
        .envs(&launch.environment)
        .env("FUNCTIONS_CUSTOMHANDLER_PORT", &port)
        .env("FUNCTIONS_HTTPWORKER_PORT", &port)
        .env("FUNCTIONS_APP_ROOT_PATH", &launch.script_root)
        .env("AZURE_FUNCTIONS_ENVIRONMENT", "Development")
        .kill_on_drop(true);
    if launch.quiet {
        command.stdout(Stdio::null());
    }
    command.spawn()
}
