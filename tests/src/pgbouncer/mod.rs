//! A real PgBouncer that pools transactions, in front of a PostgreSQL server.
//! Never outlives the test that started it, however that ends.

mod fetch;
mod program;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    os::unix::fs::chown,
    path::Path,
    process::Stdio,
    sync::LazyLock,
    time::Duration,
};

use nix::unistd::{User, geteuid};
use tempfile::TempDir;
use tokio::{
    process::{Child, Command},
    time::{interval, timeout},
};

use crate::support::{DEADLINE, app_roles};
use program::{Places, Program};

/// A shell that lives as long as its stdin is open, and takes PgBouncer with it.
const KEEPER: &str = r#"
env ${3:+LD_LIBRARY_PATH="$3"} "$1" "$2" &
bouncer=$!
cat >/dev/null
kill -KILL "$bouncer"
wait "$bouncer"
"#;

/// The program that this machine has, or has just got; else why not.
static PROGRAM: LazyLock<Result<Program, String>> = LazyLock::new(|| Program::find(&Places::usual()));

/// True when there is no PgBouncer to test with, which is said; a test then ends, and with `CI=true` it fails.
pub(crate) fn is_missing() -> bool {
    let ci = std::env::var_os("CI");
    program::is_missing(PROGRAM.as_ref().err(), ci.as_deref(), io::stderr())
}

/// A running PgBouncer; it ends when dropped.
pub(crate) struct PgBouncer {
    folder: TempDir,
    address: SocketAddr,
    keeper: Child,
}

impl PgBouncer {
    /// In front of this server, for the user of these settings, over at most so many connections to a database.
    pub(crate) async fn start(
        server: SocketAddr,
        settings: &BTreeMap<String, String>,
        connections: usize,
    ) -> Self {
        let folder = tempfile::tempdir().unwrap();
        // The parts may come in as roles of their own, with the same password.
        let known = app_roles().into_iter().chain([settings["PGUSER"].clone()]);
        let lines: BTreeSet<String> = known
            .map(|user| format!("\"{user}\" \"{}\"\n", settings["PGPASSWORD"]))
            .collect();
        let users: String = lines.into_iter().collect();
        fs::write(folder.path().join("users.txt"), users).unwrap();
        // It takes no port 0; between our look and its start somebody else may take the port.
        for _ in 0..10 {
            let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
                .and_then(|listener| listener.local_addr())
                .unwrap()
                .port();
            fs::write(
                folder.path().join("pgbouncer.ini"),
                ini(folder.path(), port, server, connections),
            )
            .unwrap();
            let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
            if let Some(keeper) = run(folder.path()).await {
                return Self {
                    folder,
                    address,
                    keeper,
                };
            }
        }
        panic!("PgBouncer does not start: {}", log(folder.path()));
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// The same settings, through this pooler.
    pub(crate) fn settings(&self, mut settings: BTreeMap<String, String>) -> BTreeMap<String, String> {
        settings.insert("PGPORT".to_owned(), self.address.port().to_string());
        settings.insert("PG_POOLER".to_owned(), "transaction".to_owned());
        settings
    }

    /// Kills it; its clients and servers see their connections break.
    pub(crate) async fn kill(&mut self) {
        drop(self.keeper.stdin.take());
        timeout(DEADLINE, self.keeper.wait()).await.unwrap().unwrap();
    }

    /// Starts it again where it was.
    pub(crate) async fn restart(&mut self) {
        self.keeper = run(self.folder.path()).await.expect("its port is still free");
    }
}

/// Who waits for a connection longer than a handler does must be told so: else PgBouncer does what it has of him when it can,
/// though he has gone away since.
fn ini(folder: &Path, port: u16, server: SocketAddr, connections: usize) -> String {
    let (folder, server_port) = (folder.display(), server.port());
    format!(
        "[databases]
* = host=127.0.0.1 port={server_port}
[pgbouncer]
pool_mode = transaction
default_pool_size = {connections}
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = scram-sha-256
auth_file = {folder}/users.txt
logfile = {folder}/log
server_login_retry = 1
query_wait_timeout = 2
"
    )
}

fn log(folder: &Path) -> String {
    fs::read_to_string(folder.join("log")).unwrap_or_default()
}

/// Starts it, and waits until it listens; `None` when it ended instead.
async fn run(folder: &Path) -> Option<Child> {
    let mut command = Command::new("sh");
    let (program, libraries) = PROGRAM.as_ref().unwrap().prepare(folder).unwrap();
    command
        .args(["-c", KEEPER, "sh"])
        .arg(program)
        .arg(folder.join("pgbouncer.ini"))
        .arg(libraries)
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    if let Some(user) = unprivileged() {
        let (uid, gid) = (user.uid.as_raw(), user.gid.as_raw());
        chown(folder, Some(uid), Some(gid)).unwrap();
        for file in fs::read_dir(folder).unwrap() {
            chown(file.unwrap().path(), Some(uid), Some(gid)).unwrap();
        }
        command.uid(uid).gid(gid);
    }
    let known = log(folder).len();
    let keeper = command.spawn().unwrap();
    let mut again = interval(Duration::from_millis(10));
    let listening = async {
        loop {
            again.tick().await;
            let said = log(folder).split_off(known);
            if said.contains("cannot listen") {
                return false;
            }
            if said.contains("process up") {
                return true;
            }
        }
    };
    match timeout(DEADLINE, listening).await {
        Ok(listens) => listens.then_some(keeper),
        Err(_) => panic!("PgBouncer does not listen: {}", log(folder)),
    }
}

/// It refuses to run as root: then somebody else must.
fn unprivileged() -> Option<User> {
    if !geteuid().is_root() {
        return None;
    }
    let found = ["postgres", "nobody"]
        .iter()
        .find_map(|name| User::from_name(name).unwrap());
    Some(found.expect("PgBouncer does not run as root, and there is no user postgres or nobody"))
}
