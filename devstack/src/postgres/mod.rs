//! A PostgreSQL server on loopback, from the binaries of this machine: thrown away, or in a folder that is kept.
//! Never runs as root, and never outlives the process that started it.

mod durability;
mod encryption;
mod fetch;
mod find;
mod keeper;
mod kept;
mod pgaadauth;
mod user;

use std::{
    io::{self, Write},
    net::{SocketAddr, TcpStream},
    path::{Path, PathBuf},
    process::Command,
    thread::sleep,
    time::{Duration, Instant},
};

use nix::{
    sys::signal::kill,
    unistd::{Pid, User},
};

pub use durability::Durability;
use keeper::Keeper;
pub use keeper::Shutdown;
use kept::named;
pub use pgaadauth::install as install_pgaadauth;
use user::{as_user, give, unprivileged};

use crate::tls::ServerCertificate;

/// The longest that initdb and the server's start may take.
const PATIENCE: Duration = Duration::from_secs(60);
/// The superuser's password. The server listens on loopback only, and its data is thrown away.
const PASSWORD: &str = "postgres";

/// A running server; it stops, and its data goes, when this is dropped.
#[derive(Debug)]
pub struct Server {
    keeper: Keeper,
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
        Self::make(find::bin_folder()?, port, durability, None)
    }

    /// Like [`Self::start`], and lets nobody in without TLS, by this certificate.
    ///
    /// # Errors
    /// The same.
    pub fn start_like_azure(port: u16, certificate: &ServerCertificate) -> io::Result<Self> {
        Self::make(find::bin_folder()?, port, Durability::Off, Some(certificate))
    }

    /// Like [`Self::start`], of this major version; npm gets 17 where it is missing.
    ///
    /// # Errors
    /// The same; and when this version is not on the machine.
    pub fn start_version(major: u32, port: u16) -> io::Result<Self> {
        Self::make(find::of_version(major)?, port, Durability::Off, None)
    }

    fn make(
        bin: PathBuf,
        port: u16,
        durability: Durability,
        certificate: Option<&ServerCertificate>,
    ) -> io::Result<Self> {
        let user = unprivileged()?;
        let folder = tempfile::Builder::new()
            .prefix("orders-postgres-")
            .tempdir_in(durability.folder())?;
        give(folder.path(), user.as_ref())?;
        initdb(&bin, folder.path(), user.as_ref())?;
        let mut settings = durability.settings();
        if let Some(certificate) = certificate {
            settings.extend(encryption::prepare(certificate, folder.path(), user.as_ref())?);
        }
        let keeper = Keeper::start(user.as_ref(), &bin, folder.path(), port, "drop", &settings)?;
        // From here on the keeper owns the folder.
        Self::of(keeper, bin, folder.keep())
    }

    /// Starts a cluster in this folder, which is made where it is missing and stays when the server goes; every commit is safe.
    ///
    /// # Errors
    /// The same; and when the folder holds a cluster of another major version, one that runs, or something else.
    pub fn start_kept(port: u16, folder: &Path) -> io::Result<Self> {
        let bin = find::bin_folder()?;
        let user = unprivileged()?;
        kept::ensure_usable(folder, &bin)?;
        std::fs::create_dir_all(folder).map_err(|error| named(folder, &error))?;
        give(folder, user.as_ref())?;
        if !folder.join("PG_VERSION").exists() {
            initdb(&bin, folder, user.as_ref())?;
        }
        let settings = Durability::Stock.settings();
        let keeper = Keeper::start(user.as_ref(), &bin, folder, port, "keep", &settings)?;
        Self::of(keeper, bin, folder.to_path_buf())
    }

    fn of((keeper, address): (Keeper, SocketAddr), bin: PathBuf, data: PathBuf) -> io::Result<Self> {
        let server = Self {
            keeper,
            address,
            bin,
            data,
        };
        server.wait_until_it_answers()?;
        Ok(server)
    }

    /// The address that it listens on.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The superuser's connection URL for this database.
    #[must_use]
    pub fn admin_url(&self, database: &str) -> String {
        format!("postgres://postgres:{PASSWORD}@{}/{database}", self.address)
    }

    /// The path of another of PostgreSQL's programs of the same version, such as `pgbench`; it may be missing.
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

    /// Stops the server and leaves its data as they are then. Blocks until it has gone.
    ///
    /// # Errors
    /// When it does not run, or takes too long to go.
    pub fn stop(&self, how: Shutdown) -> io::Result<()> {
        let pid = i32::try_from(self.pid()?).map_err(io::Error::other)?;
        self.keeper.stop_server(how)?;
        let deadline = Instant::now() + PATIENCE;
        while kill(Pid::from_raw(pid), None).is_ok() {
            if Instant::now() > deadline {
                return Err(io::Error::other("PostgreSQL did not stop"));
            }
            sleep(Duration::from_millis(5));
        }
        Ok(())
    }

    /// Starts it again, where it was and on what it left. Blocks until it answers.
    ///
    /// # Errors
    /// When it does not start.
    pub fn start_again(&self) -> io::Result<()> {
        self.keeper.start_server()?;
        self.wait_until_it_answers()
    }

    fn wait_until_it_answers(&self) -> io::Result<()> {
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            if self.keeper.has_ended() {
                break;
            }
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
        // Its own word is one line; what else is in the log is of other starts too.
        let why = log.lines().rev().find(|line| line.contains("FATAL:"));
        let why = why.or_else(|| log.lines().last()).unwrap_or("it says nothing");
        Err(io::Error::other(format!(
            "PostgreSQL did not start on {}: {why}",
            self.address
        )))
    }
}

fn initdb(bin: &Path, data: &Path, user: Option<&User>) -> io::Result<()> {
    // A file that only its owner can read keeps the password out of the process list.
    let mut password = tempfile::NamedTempFile::new()?;
    password.write_all(PASSWORD.as_bytes())?;
    give(password.path(), user)?;
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

#[cfg(test)]
mod tests {
    use tokio_postgres::{Client, NoTls};

    use super::*;

    async fn connect(server: &Server) -> Client {
        let url = server.admin_url("postgres");
        let (client, connection) = tokio_postgres::connect(&url, NoTls).await.expect("a client");
        tokio::spawn(connection);
        client
    }

    #[tokio::test]
    async fn what_was_committed_is_there_after_a_crash_and_after_an_orderly_stop() {
        let folder = tempfile::tempdir().expect("a folder");
        let server = Server::start_kept(0, folder.path()).expect("PostgreSQL starts");
        let made = connect(&server).await.batch_execute("create table kept ()").await;
        made.expect("it is made");
        for how in [Shutdown::Immediate, Shutdown::Fast] {
            server.stop(how).expect("it stops");
            assert!(TcpStream::connect(server.address()).is_err(), "{how:?}");
            server.start_again().expect("it starts");
            let row = connect(&server).await.query("select from kept", &[]).await;
            row.expect("the table is there");
        }
        let log = std::fs::read_to_string(server.log_file()).expect("a log");
        assert!(log.contains("not properly shut down"), "{log}");
    }
}
