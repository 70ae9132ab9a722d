//! The handler as it is shipped: started with PG settings only, killed at the end.
//! Never linked into this program: it is met as a process and on its port.

use std::{
    collections::BTreeMap,
    io::{BufRead as _, BufReader},
    net::SocketAddr,
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};

use crate::client::Connection;

/// A running handler; it is killed when this is dropped.
#[derive(Debug)]
pub(crate) struct Handler {
    process: Child,
    address: SocketAddr,
    spawned: Instant,
}

/// From spawn to the first answers of a handler that has never been asked before.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Start {
    /// `GET /` is answered.
    pub(crate) ready: Duration,
    /// The first order is placed: the connection to PostgreSQL is in it.
    pub(crate) first_order: Duration,
}

/// Brings the schema to the handler's version; `settings` are the owner's.
pub(crate) fn migrate(binary: &Path, settings: &BTreeMap<String, String>, app_role: &str) -> Result<()> {
    let mut command = Command::new(binary);
    command.args(["migrate", "--app-role", app_role]);
    let output = command.env_clear().envs(settings).output()?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    ensure!(output.status.success(), "`handler migrate` failed: {said}");
    Ok(())
}

impl Handler {
    /// Starts it on a free port, and waits until it listens.
    pub(crate) fn start(binary: &Path, settings: &BTreeMap<String, String>) -> Result<Self> {
        let mut command = Command::new(binary);
        command
            .env_clear()
            .envs(settings)
            .env("AUTH", "development")
            .env("FUNCTIONS_CUSTOMHANDLER_PORT", "0")
            .stdin(Stdio::null())
            .stdout(Stdio::piped());
        let spawned = Instant::now();
        let mut process = command.spawn().context("cannot start the handler")?;
        let mut output = BufReader::new(process.stdout.take().context("it has no output")?);
        let mut handler = Self {
            process,
            // Not known yet, but from here on the process is killed whatever happens.
            address: ([127, 0, 0, 1], 0).into(),
            spawned,
        };
        let mut line = String::new();
        handler.address = loop {
            line.clear();
            ensure!(
                output.read_line(&mut line)? > 0,
                "the handler ended before it listened"
            );
            if let Some((_, address)) = line.split_once("listening address=") {
                break address.trim().parse()?;
            }
        };
        // A pipe that nobody reads would stop it one day.
        std::thread::spawn(move || std::io::copy(&mut output, &mut std::io::stderr()));
        Ok(handler)
    }

    /// Starts it and times its first answers.
    pub(crate) async fn timed(
        binary: &Path,
        settings: &BTreeMap<String, String>,
        order: &[u8],
    ) -> Result<Start> {
        let handler = Self::start(binary, settings)?;
        let mut connection = Connection::open(handler.address).await?;
        connection
            .send(b"GET / HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n")
            .await?;
        let ready = handler.spawned.elapsed();
        connection.send(order).await?;
        Ok(Start {
            ready,
            first_order: handler.spawned.elapsed(),
        })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn pid(&self) -> u32 {
        self.process.id()
    }
}

impl Drop for Handler {
    fn drop(&mut self) {
        // It holds nothing that a kill could lose.
        let _killed = self.process.kill();
        let _ended = self.process.wait();
    }
}
