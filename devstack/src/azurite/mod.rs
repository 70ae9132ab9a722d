//! Azurite's blob service as a process of ours, on a free port, with everything in memory.
//! Never outlives the process that started it, even one that was killed.

mod fetch;

use std::{net::SocketAddr, process::Stdio, time::Duration};

use anyhow::{Context as _, Result, bail};
use tokio::{
    io::{AsyncBufReadExt as _, BufReader, Lines},
    process::{Child, ChildStdout, Command},
    time::timeout,
};

/// The account that Azurite always has, with the key that everybody knows.
const NAME: &str = "devstoreaccount1";
const KEY: &str = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";
/// Node ends it when our end of the pipe closes, whatever closed it.
const END_WITH_PARENT: &str = "data:text/javascript,process.stdin.resume().on('end',()=>process.exit())";
const READY: Duration = Duration::from_secs(60);

/// A running Azurite; dropping it ends it.
#[derive(Debug)]
pub struct Azurite {
    address: SocketAddr,
    _process: Child,
}

impl Azurite {
    /// Starts it, and installs it first where it is not there.
    ///
    /// # Errors
    /// When npm cannot get it, or it does not listen.
    pub async fn start() -> Result<Self> {
        let program = tokio::task::spawn_blocking(fetch::program).await??;
        let mut command = Command::new("node");
        command.args(["--import", END_WITH_PARENT]).arg(program);
        command.args([
            "--blobHost",
            "127.0.0.1",
            "--blobPort",
            "0",
            "--inMemoryPersistence",
        ]);
        command.args(["--disableTelemetry", "--silent"]);
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true);
        // Ctrl-C is for the host, which still needs it then.
        let mut process = command.process_group(0).spawn().context("cannot run node")?;
        let output = process.stdout.take().context("Azurite has no output")?;
        let mut lines = BufReader::new(output).lines();
        let address = timeout(READY, listening(&mut lines)).await;
        let address = address.context("Azurite does not listen after 60 s")??;
        // It would stop at a full pipe.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        Ok(Self {
            address,
            _process: process,
        })
    }

    /// True where npm and Node.js can be run; `cargo test` does without.
    pub fn can_start() -> bool {
        let runs = |program| {
            let mut command = std::process::Command::new(program);
            let command = command.arg("--version").stdin(Stdio::null());
            command
                .stdout(Stdio::null())
                .status()
                .is_ok_and(|status| status.success())
        };
        runs("npm") && runs("node")
    }

    /// The address of its blob service.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The account's connection string.
    pub fn connection_string(&self) -> String {
        connection_string(self.address)
    }
}

/// The same account over a wire that listens there.
pub(crate) fn connection_string(address: SocketAddr) -> String {
    format!(
        "DefaultEndpointsProtocol=http;AccountName={NAME};AccountKey={KEY};BlobEndpoint=http://{address}/{NAME};"
    )
}

async fn listening(lines: &mut Lines<BufReader<ChildStdout>>) -> Result<SocketAddr> {
    let mut said = String::new();
    while let Some(line) = lines.next_line().await? {
        if let Some((_, address)) = line.split_once("successfully listens on http://") {
            return Ok(address.trim().parse()?);
        }
        said.extend([line.as_str(), "\n"]);
    }
    bail!("Azurite ended before it listened: {}", said.trim())
}
