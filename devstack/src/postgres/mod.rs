//! A throw-away PostgreSQL server on loopback, from the binaries of this machine.
//! Never runs as root, never keeps its data, and never outlives the process that started it.

mod fetch;
mod find;

use std::{
    io::{self, Write},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    os::unix::{fs::chown, process::CommandExt},
    path::Path,
    process::{Child, Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use nix::unistd::{User, geteuid};

/// How long initdb and the server's start may take.
const PATIENCE: Duration = Duration::from_secs(60);
/// The superuser's password. The server listens on loopback only, and its data is thrown away.
const PASSWORD: &str = "postgres";

/// A shell that lives as long as its stdin is open, and takes the server and its data with it: so they go
/// even when the process that started them was killed.
const KEEPER: &str = r#"
trap '' INT TERM
"$1/postgres" -D "$2" -p "$3" -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c fsync=off \
    -c synchronous_commit=off -c full_page_writes=off -c shared_buffers=64MB -c max_connections=200 >"$2/log" 2>&1 &
server=$!
cat >/dev/null
kill -INT "$server"
wait "$server"
rm -rf "$2"
"#;

/// A running server; it stops, and its data goes, when this is dropped.
#[derive(Debug)]
pub struct Server {
    keeper: Child,
    address: SocketAddr,
}

impl Server {
    /// Makes a cluster in the system's temporary folder and starts it on this port of 127.0.0.1; 0 takes a free one.
    ///
    /// Blocks while it does, for about a second.
    ///
    /// # Errors
    /// When there is no PostgreSQL 14 or newer, no user to run it as, or it does not start; the message says which.
    pub fn start(port: u16) -> io::Result<Self> {
        let bin = find::bin_folder()?;
        let user = unprivileged()?;
        let folder = tempfile::Builder::new().prefix("orders-postgres-").tempdir()?;
        if let Some(user) = &user {
            chown(folder.path(), Some(user.uid.as_raw()), Some(user.gid.as_raw()))?;
        }
        initdb(&bin, folder.path(), user.as_ref())?;
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, port))?
            .local_addr()?
            .port();
        let mut keeper = shell(user.as_ref());
        keeper
            .args(["-c", KEEPER, "sh"])
            .arg(&bin)
            .arg(folder.path())
            .arg(port.to_string());
        let keeper = keeper.stdin(Stdio::piped()).process_group(0).spawn()?;
        // From here on the keeper owns the folder.
        let data = folder.keep();
        let server = Self {
            keeper,
            address: (Ipv4Addr::LOCALHOST, port).into(),
        };
        server.wait_until_it_answers(&data)?;
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

    fn wait_until_it_answers(&self, data: &Path) -> io::Result<()> {
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            let pid_file = std::fs::read_to_string(data.join("postmaster.pid")).unwrap_or_default();
            // The last line of postmaster.pid says "ready" once connections are taken.
            if pid_file.lines().last().is_some_and(|line| line.trim() == "ready")
                && TcpStream::connect(self.address).is_ok()
            {
                return Ok(());
            }
            sleep(Duration::from_millis(20));
        }
        let log = std::fs::read_to_string(data.join("log")).unwrap_or_default();
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
