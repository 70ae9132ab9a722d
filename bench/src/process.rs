//! A server of its own process: started, waited for until it listens, ended when it is no longer needed.
//! Never links what it starts into this program: it is met on its port.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    net::SocketAddr,
    process::{Child, ChildStdout, Command, Stdio},
    time::Instant,
};

use anyhow::{Context as _, Result, ensure};

/// The line of a server that listens; the address follows.
pub(crate) const LISTENING: &str = "listening address=";

/// A running server; it ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    output: Option<BufReader<ChildStdout>>,
    address: SocketAddr,
    spawned: Instant,
}

impl Process {
    /// Starts it, and waits until it has said where it listens. With its input piped, it is one of our own servers, which
    /// ends when that is closed; any other is killed.
    pub(crate) fn start(command: &mut Command) -> Result<Self> {
        let spawned = Instant::now();
        let mut child = command
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start {command:?}"))?;
        let output = child.stdout.take().map(BufReader::new);
        let mut process = Self {
            child,
            output,
            // Not known yet, but from here on the process is ended whatever happens.
            address: ([127, 0, 0, 1], 0).into(),
            spawned,
        };
        process.address = loop {
            let line = process.line()?;
            if let Some((_, address)) = line.split_once(LISTENING) {
                break address.trim().parse()?;
            }
        };
        Ok(process)
    }

    /// Passes on what it says from now on: a pipe that is not read would stop it one day.
    pub(crate) fn pass_on(&mut self) {
        if let Some(mut output) = self.output.take() {
            std::thread::spawn(move || std::io::copy(&mut output, &mut std::io::stderr()));
        }
    }

    /// Sends it an empty line, and returns the line that it answers with.
    pub(crate) fn ask(&mut self) -> Result<String> {
        let input = self.child.stdin.as_mut().context("it has no input")?;
        input.write_all(b"\n")?;
        self.line()
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn spawned(&self) -> Instant {
        self.spawned
    }

    fn line(&mut self) -> Result<String> {
        let mut line = String::new();
        let output = self.output.as_mut().context("it has no output")?;
        ensure!(
            output.read_line(&mut line)? > 0,
            "it has ended, or never listened"
        );
        Ok(line)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        match self.child.stdin.take() {
            Some(input) => drop(input),
            // It holds nothing that a kill could lose.
            None => drop(self.child.kill()),
        }
        let _ended = self.child.wait();
    }
}
