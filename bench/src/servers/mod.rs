//! What the benchmarks start as processes of their own, so that the processor time of each can be told apart: hidden
//! subcommands of this program. Never runs longer than the process that started it.

mod bare;
mod bus;
mod cosmos;
mod host;
mod parent;
mod stack;

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context as _, Result};
use clap::Subcommand;

use crate::process::Process;

#[derive(Debug, Subcommand)]
pub(crate) enum Server {
    /// The Cosmos DB emulator; answers each line of its input with the number of requests so far.
    Cosmos {
        /// Physical partitions of each container.
        partitions: Option<u32>,
    },
    /// The Service Bus emulator.
    Bus,
    /// A handler that does nothing but the point read of GetOrder.
    Bare,
    /// The Functions host's stand-in, with this handler; answers each line with the handler's process id and address.
    Host { handler: PathBuf },
    /// The whole system, with this handler.
    Stack { handler: PathBuf },
}

/// Runs a server until its input ends.
pub(crate) async fn run(server: &Server) -> Result<()> {
    match server {
        Server::Cosmos { partitions } => cosmos::run(*partitions).await,
        Server::Bus => bus::run().await,
        Server::Bare => bare::run().await,
        Server::Host { handler } => host::run(handler).await,
        Server::Stack { handler } => stack::run(handler).await,
    }
}

/// The Cosmos DB emulator in a process of its own, empty at first.
#[derive(Debug)]
pub(crate) struct Cosmos(Process);

impl Cosmos {
    pub(crate) fn start() -> Result<Self> {
        let mut command = server("cosmos")?;
        command.env_clear();
        start(&mut command).map(Self)
    }

    /// The same for very many documents.
    pub(crate) fn start_spread(partitions: u32) -> Result<Self> {
        let mut command = server("cosmos")?;
        command.env_clear().arg(partitions.to_string());
        start(&mut command).map(Self)
    }

    /// The number of requests so far.
    pub(crate) fn requests(&mut self) -> Result<u64> {
        Ok(self.0.ask()?.trim().parse()?)
    }

    /// A handler's settings to reach it.
    pub(crate) fn settings(&self) -> BTreeMap<String, String> {
        cosmos::settings(self.0.address())
    }

    pub(crate) fn pid(&self) -> u32 {
        self.0.pid()
    }
}

/// The Functions host's stand-in in a process of its own, with its handler over PostgreSQL.
#[derive(Debug)]
pub(crate) struct Host {
    process: Process,
    pub(crate) handler_pid: u32,
    pub(crate) handler_address: SocketAddr,
}

impl Host {
    pub(crate) fn start(binary: &Path, settings: &BTreeMap<String, String>) -> Result<Self> {
        let mut command = server("host")?;
        let mut process = start(command.arg(binary).env_clear().envs(settings))?;
        let answer = process.ask()?;
        let (pid, address) = answer.trim().split_once(' ').context("no handler")?;
        Ok(Self {
            handler_pid: pid.parse()?,
            handler_address: address.parse()?,
            process,
        })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.process.address()
    }

    pub(crate) fn pid(&self) -> u32 {
        self.process.pid()
    }
}

/// The Service Bus emulator in a process of its own, with the deployment's topic.
pub(crate) fn bus() -> Result<Process> {
    let mut command = server("bus")?;
    command.env_clear();
    start(&mut command)
}

/// A handler's settings to reach the bus at this address.
pub(crate) fn bus_settings(address: SocketAddr) -> BTreeMap<String, String> {
    bus::settings(address)
}

/// The bare handler over this account.
pub(crate) fn bare(settings: &BTreeMap<String, String>) -> Result<Process> {
    let mut command = server("bare")?;
    // As the handler is started: with a proxy in its environment the client would go there.
    start(command.env_clear().envs(settings))
}

/// The whole system, listening as its Functions host does.
pub(crate) fn stack(handler: &Path) -> Result<Process> {
    let mut command = server("stack")?;
    start(command.arg(handler))
}

fn server(name: &str) -> Result<Command> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["server", name]);
    Ok(command)
}

fn start(command: &mut Command) -> Result<Process> {
    Process::start(command.stdin(Stdio::piped()))
}
