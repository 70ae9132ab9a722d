//! The handler as it is shipped: started with the settings that a benchmark gives it, killed at the end.
//! Never the one of this program: what is measured is built alone, met as a process and on its port.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};

use crate::{client::Connection, process::Process};

/// A running handler; it is killed when this is dropped.
#[derive(Debug)]
pub(crate) struct Handler(Process);

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
            .env("AZURE_FUNCTIONS_ENVIRONMENT", "Development")
            .env("FUNCTIONS_CUSTOMHANDLER_PORT", "0")
            .stdin(Stdio::null());
        let mut process = Process::start(&mut command).context("the handler")?;
        process.pass_on();
        Ok(Self(process))
    }

    /// Starts it and times its first answers.
    pub(crate) async fn timed(
        binary: &Path,
        settings: &BTreeMap<String, String>,
        order: &[u8],
    ) -> Result<Start> {
        let handler = Self::start(binary, settings)?;
        let mut connection = Connection::open(handler.address()).await?;
        connection
            .send(b"GET / HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n")
            .await?;
        let ready = handler.0.spawned().elapsed();
        connection.send(order).await?;
        Ok(Start {
            ready,
            first_order: handler.0.spawned().elapsed(),
        })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.0.address()
    }

    pub(crate) fn pid(&self) -> u32 {
        self.0.pid()
    }
}
