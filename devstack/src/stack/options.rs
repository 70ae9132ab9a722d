//! What a stack is made of, and where its parts listen.
//! It never starts anything, and never reads a setting but `DATABASE_URL`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::{Result, bail};
use clap::ValueEnum;

use super::parts::{Part, PartsLayout};
use super::read_model::ReadModel;
use crate::tls::CertificateAuthority;
use crate::{host, ports};

/// The ports to listen on; 0 takes a free one.
#[derive(Clone, Copy, Debug, Default)]
pub struct Ports {
    /// The Functions host; where each part has one, the first of them.
    pub host: u16,
    /// PostgreSQL, when it is our own.
    pub postgres: u16,
    /// The Service Bus emulator.
    pub servicebus: u16,
    /// The Cosmos DB emulator.
    pub cosmos: u16,
}

/// The PostgreSQL that the stack uses.
#[derive(Clone, Debug, Default)]
pub enum PostgresChoice {
    /// One started for this stack, on its data directory.
    #[default]
    Own,
    /// One started for this stack, in a folder that stays for the next one.
    Kept(PathBuf),
    /// A running server, by its administrator's URL; the URL's database is made, `orders` where it names none.
    Shared(String),
}

impl PostgresChoice {
    /// `DATABASE_URL` where it is set, else a server of our own, in this folder if one is to be kept.
    pub fn from_environment(keep: Option<PathBuf>) -> Result<Self> {
        match (std::env::var("DATABASE_URL"), keep) {
            (Ok(_), Some(_)) => bail!("--keep is for a server of our own, and DATABASE_URL names another"),
            (Ok(url), None) => Ok(Self::Shared(url)),
            (Err(_), Some(folder)) => Ok(Self::Kept(folder)),
            (Err(_), None) => Ok(Self::Own),
        }
    }
}

/// The storage account in which hosts lock their timers.
#[derive(Clone, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum StorageChoice {
    /// One within the host.
    #[default]
    Inner,
    /// Azurite, started for this stack; npm gets it where it is not there.
    Azurite,
    /// A running Azurite, by its port.
    #[value(skip)]
    Shared(u16),
}

/// Asks for a stack like Azure, certified by this authority; a shared PostgreSQL server must have its certificate from it too.
#[derive(Clone, Debug)]
pub struct LikeAzure(pub CertificateAuthority);

/// The parts to start, and their places.
#[derive(Clone, Debug)]
pub struct StackOptions {
    /// The repository, for the definitions of containers and entities.
    pub root: PathBuf,
    /// The ports to listen on.
    pub ports: Ports,
    /// An assembled app folder, the host's script root.
    pub app_dir: PathBuf,
    /// The host's and the handler's log.
    pub log: host::Log,
    /// True when the handler reaches its services over wires that can be broken.
    pub faults: bool,
    /// Settings for the handler, over all others.
    pub environment: BTreeMap<String, String>,
    /// The PostgreSQL to use.
    pub postgres: PostgresChoice,
    /// The store of the read model, and so what is started.
    pub read_model: ReadModel,
    /// The storage account of the app.
    pub storage: StorageChoice,
    /// How long the host waits for what.
    pub times: host::HostTimes,
    /// Which Functions host is played for HTTP.
    pub http: host::HttpOptions,
    /// One host for all parts of the system, or one for each.
    pub parts: PartsLayout,
    /// Stores that ask for what Azure asks for: TLS, and an identity for each part.
    pub like_azure: Option<LikeAzure>,
}

impl StackOptions {
    /// The port of each host: one after the other, or all of them free ones.
    pub(super) fn host_ports(&self) -> Vec<u16> {
        let hosts = match self.parts {
            PartsLayout::Together => 1,
            PartsLayout::Split => Part::all(self.read_model).len(),
        };
        match self.ports.host {
            0 => vec![0; hosts],
            first => (first..=u16::MAX).take(hosts).collect(),
        }
    }

    /// Refuses a port that is taken, among those that will be listened on.
    pub(super) fn ensure_free(&self) -> Result<()> {
        let ports = self.ports;
        for port in self.host_ports() {
            ports::ensure_free(port, "--port", "Functions host")?;
        }
        if self.read_model == ReadModel::Cosmos {
            ports::ensure_free(ports.servicebus, "--servicebus-port", "Service Bus")?;
            ports::ensure_free(ports.cosmos, "--cosmos-port", "Cosmos DB")?;
        }
        if matches!(self.postgres, PostgresChoice::Own | PostgresChoice::Kept(_)) {
            ports::ensure_free(ports.postgres, "--postgres-port", "PostgreSQL")?;
        }
        Ok(())
    }
}
