//! A PostgreSQL server on loopback, from the binaries of this machine: thrown away, or in a folder that is kept.
//! Never runs as root, and never outlives the process that started it.

mod durability;
mod fetch;
mod find;

use std::{
    io::{self, Write},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    os::unix::{fs::chown, process::CommandExt},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use nix::unistd::{User, geteuid};

pub use durability::Durability;

/// How long initdb and the server's start may take.
const PATIENCE: Duration = Duration::from_secs(60);
/// The superuser's password. The server listens on loopback only, and its data is thrown away.
const PASSWORD: &str = "postgres";

/// A shell that lives as long as its stdin is open, and takes the server with it, and its data unless they are kept: so they
/// go even when the process that started them was killed.
const KEEPER: &str = r#"
trap '' INT TERM
bin=$1 data=$2 port=$3 after=$4
shift 4
"$bin/postgres" -D "$data" -p "$port" -c listen_addresses=127.0.0.1 -c unix_socket_directories= "$@" >"$data/log" 2>&1 &
server=$!
cat >/dev/null
kill -INT "$server"
wait "$server"
[ "$after" = keep ] || rm -rf "$data"
"#;

/// A running server; it stops, and its data goes, when this is dropped.
#[derive(Debug)]
pub struct Server {
    keeper: Child,
    address: SocketAddr,
    bin: PathBuf,
    data: PathBuf,
}

impl Server {
    /// Makes a cluster in the system's temporary folder and starts it on this port of 127.0.0.1; 0 takes a free one.
    ///
    /// Blocks while it does, for about a second.
    ///
    /// # Errors
    /// When there is no PostgreSQL 14 or newer, no user to run it as, or it does not start; the message says which.
    pub fn start(port: u16) -> io::Result<Self> {
        Self::start_with(port, Durability::Off)
    }

    /// Like [`Self::start`], with this durability.
    ///
    /// # Errors
    /// The same.
    pub fn start_with(port: u16, durability: Durability) -> io::Result<Self> {
        let bin = find::bin_folder()?;
        let user = unprivileged()?;
        let folder = tempfile::Builder::new()
            .prefix("orders-postgres-")
            .tempdir_in(durability.folder())?;
        if let Some(user) = &user {
            chown(folder.path(), Some(user.uid.as_raw()), Some(user.gid.as_raw()))?;
        }
        initdb(&bin, folder.path(), user.as_ref())?;
        let keeper = keep(&bin, folder.path(), port, "drop", durability, user.as_ref())?;
        // From here on the keeper owns the folder.
        Self::of(keeper, bin, folder.keep())
    }

    /// Starts a cluster in this folder, which is made where it is missing and stays when the server goes; every commit is safe.
    ///
    /// # Errors
    /// The same; and when the folder holds a cluster of another major version.
    pub fn start_kept(port: u16, folder: &Path) -> io::Result<Self> {
        let bin = find::bin_folder()?;
        let user = unprivileged()?;
        std::fs::create_dir_all(folder)?;
        if let Some(user) = &user {
            chown(folder, Some(user.uid.as_raw()), Some(user.gid.as_raw()))?;
        }
        if !folder.join("PG_VERSION").exists() {
            initdb(&bin, folder, user.as_ref())?;
        }
        let keeper = keep(&bin, folder, port, "keep", Durability::Stock, user.as_ref())?;
        Self::of(keeper, bin, folder.to_path_buf())
    }

    fn of((keeper, address): (Child, SocketAddr), bin: PathBuf, data: PathBuf) -> io::Result<Self> {
        let server = Self {
            keeper,
            address,
            bin,
            data,
        };
        server.wait_until_it_answers()?;
        Ok(server)
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The superuser's connection URL for this database.
    #[must_use]
    pub fn admin_url(&self, database: &str) -> String {
        format!("postgres://postgres:{PASSWORD}@{}/{database}", self.address)
    }

    /// Where another of PostgreSQL's programs of the same version is, such as `pgbench`; it may be missing.
    #[must_use]
    pub fn program(&self, name: &str) -> PathBuf {
        // The folder may hold links to some of them only; the others are where the links lead to.
        let server = self.bin.join("postgres");
        server.canonicalize().unwrap_or(server).with_file_name(name)
    }

    /// The file that the server logs to.
    #[must_use]
    pub fn log_file(&self) -> PathBuf {
        self.data.join("log")
    }

    /// Process id of the postmaster, the parent of all of the server's processes.
    ///
    /// # Errors
    /// When its pid file is gone or holds no number.
    pub fn pid(&self) -> io::Result<u32> {
        let file = std::fs::read_to_string(self.data.join("postmaster.pid"))?;
        let first = file.lines().next().unwrap_or_default().trim();
        first.parse().map_err(io::Error::other)
    }

    fn wait_until_it_answers(&self) -> io::Result<()> {
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            let pid_file = std::fs::read_to_string(self.data.join("postmaster.pid")).unwrap_or_default();
            // The last line of postmaster.pid says "ready" once connections are taken.
            if pid_file.lines().last().is_some_and(|line| line.trim() == "ready")
                && TcpStream::connect(self.address).is_ok()
            {
                return Ok(());
            }
            sleep(Duration::from_millis(20));
        }
        let log = std::fs::read_to_string(self.log_file()).unwrap_or_default();
        Err(io::Error::other(format!(
            "PostgreSQL did not start on {}: {}",
            self.address,
            log.trim()
        )))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.keeper.stdin.take());
        let _ended = self.keeper.wait();
    }
}

/// Starts the shell with the server in it; `after` is what becomes of the data.
fn keep(
    bin: &Path,
    data: &Path,
    port: u16,
    after: &str,
    durability: Durability,
    user: Option<&User>,
) -> io::Result<(Child, SocketAddr)> {
    let port = TcpListener::bind((Ipv4Addr::LOCALHOST, port))?
        .local_addr()?
        .port();
    let mut keeper = shell(user);
    keeper
        .args(["-c", KEEPER, "sh"])
        .arg(bin)
        .arg(data)
        .args([&port.to_string(), after])
        .args(durability.settings());
    let keeper = keeper.stdin(Stdio::piped()).process_group(0).spawn()?;
    Ok((keeper, (Ipv4Addr::LOCALHOST, port).into()))
}

/// PostgreSQL refuses to run as root: then somebody else must.
fn unprivileged() -> io::Result<Option<User>> {
    if !geteuid().is_root() {
        return Ok(None);
    }
    for name in ["postgres", "nobody"] {
        if let Some(user) = User::from_name(name)? {
            return Ok(Some(user));
        }
    }
    Err(io::Error::other(
        "PostgreSQL does not run as root, and there is no user postgres or nobody to run it as",
    ))
}

fn shell(user: Option<&User>) -> Command {
    as_user(Command::new("sh"), user)
}

fn as_user(mut command: Command, user: Option<&User>) -> Command {
    if let Some(user) = user {
        command.uid(user.uid.as_raw()).gid(user.gid.as_raw());
    }
    command.current_dir("/");
    command
}

fn initdb(bin: &Path, data: &Path, user: Option<&User>) -> io::Result<()> {
    // A file that only its owner can read keeps the password out of the process list.
    let mut password = tempfile::NamedTempFile::new()?;
    password.write_all(PASSWORD.as_bytes())?;
    if let Some(user) = user {
        chown(password.path(), Some(user.uid.as_raw()), Some(user.gid.as_raw()))?;
    }
    let output = as_user(Command::new(bin.join("initdb")), user)
        .args([
            "--username=postgres",
            "--auth=scram-sha-256",
            "--encoding=UTF8",
            "--locale=C",
            "--no-sync",
            "--pwfile",
        ])
        .arg(password.path())
        .arg("-D")
        .arg(data)
        .output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    if output.status.success() {
        Ok(())
    } else {
        Err(io::Error::other(format!("initdb failed: {}", said.trim())))
    }
}
