//! The whole system on loopback: database, bus, documents, and the handler behind a Functions host.
//! It never looks into the handler: settings go in as environment, everything else over the wire.

mod create;
mod database;
mod faults;
mod health;

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use url::Url;

use crate::host::{self, Host, SignIn, User};
use crate::servicebus::{self, Entities};
use crate::{cosmos, ports};

use database::Database;
pub use faults::Faults;

/// The ports to listen on; 0 takes a free one.
#[derive(Clone, Copy, Debug, Default)]
pub struct Ports {
    /// The Functions host.
    pub host: u16,
    /// PostgreSQL, when it is our own.
    pub postgres: u16,
    /// The Service Bus emulator.
    pub servicebus: u16,
    /// The Cosmos DB emulator.
    pub cosmos: u16,
}

/// Which PostgreSQL the stack uses.
#[derive(Clone, Debug, Default)]
pub enum PostgresChoice {
    /// One started for this stack, on its data directory.
    #[default]
    Own,
    /// A running server, by its administrator's URL; the URL's database is made, `orders` where it names none.
    Shared(String),
}

impl PostgresChoice {
    /// `DATABASE_URL` where it is set, else a server of our own.
    pub fn from_environment() -> Self {
        std::env::var("DATABASE_URL").map_or(Self::Own, Self::Shared)
    }
}

/// What to start, and where.
#[derive(Clone, Debug)]
pub struct Options {
    /// The repository, for the definitions of containers and entities.
    pub root: PathBuf,
    /// The ports to listen on.
    pub ports: Ports,
    /// An assembled app folder, the host's script root.
    pub app_dir: PathBuf,
    /// Where the host's and the handler's log goes.
    pub log: host::Log,
    /// Whether the handler reaches its services over wires that can be broken.
    pub faults: bool,
    /// Settings for the handler, over all others.
    pub environment: BTreeMap<String, String>,
    /// Which PostgreSQL to use.
    pub postgres: PostgresChoice,
}

/// A running stack; dropping it ends everything it started. The host goes first, as its services outlive it.
pub struct Stack {
    host: Option<Host>,
    host_options: host::Options,
    url: String,
    faults: Option<Faults>,
    servicebus: servicebus::Emulator,
    cosmos: cosmos::Emulator,
    database: Database,
}

impl Stack {
    /// Starts every part and the handler over them.
    pub async fn start(options: Options) -> Result<Self> {
        let entities = Entities::from_file(&options.root.join("devstack/servicebus/Config.json"))?;
        Self::start_with(options, entities).await
    }

    /// Starts with other entities on the bus, such as a subscription that listens in.
    pub async fn start_with(options: Options, entities: Entities) -> Result<Self> {
        let ports = options.ports;
        ports::ensure_free(ports.host, "--port", "Functions host")?;
        ports::ensure_free(ports.servicebus, "--servicebus-port", "Service Bus")?;
        ports::ensure_free(ports.cosmos, "--cosmos-port", "Cosmos DB")?;
        if matches!(options.postgres, PostgresChoice::Own) {
            ports::ensure_free(ports.postgres, "--postgres-port", "PostgreSQL")?;
        }
        let database = Database::start(&options.postgres, options.ports.postgres).await?;
        database.migrate(&options.app_dir.join("handler")).await?;
        let servicebus = servicebus::Emulator::start(entities, local(options.ports.servicebus))
            .await
            .context("cannot start the Service Bus emulator")?;
        // A wire must know where the account will be, and the account what wire its clients come over.
        let cosmos_port = match options.ports.cosmos {
            0 if options.faults => ports::free()?,
            port => port,
        };
        let faults = if options.faults {
            let upstreams = (
                database.address().await?,
                servicebus.address(),
                local(cosmos_port),
            );
            Some(Faults::start(upstreams.0, upstreams.1, upstreams.2).await?)
        } else {
            None
        };
        let cosmos = cosmos::Emulator::start(cosmos::Options {
            containers: options.root.join("bicep/cosmos-containers.json"),
            listen: local(cosmos_port),
            advertise: faults.as_ref().map(|faults| faults.cosmos.address()),
        })
        .await?;
        let mut stack = Self {
            host: None,
            host_options: host::Options {
                script_root: options.app_dir,
                listen: local(options.ports.host),
                environment: BTreeMap::new(),
                without: Vec::new(),
                log: options.log,
                sign_in: SignIn::default(),
            },
            url: String::new(),
            faults,
            servicebus,
            cosmos,
            database,
        };
        stack.host_options.environment = stack.environment(options.environment);
        stack.start_host().await?;
        Ok(stack)
    }

    /// The host's address, without a path.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The administrator's connection to the application's database, never over a faulty wire.
    pub fn postgres_url(&self) -> &str {
        self.database.url()
    }

    /// A connection to the bus, never over a faulty wire.
    pub fn servicebus_connection_string(&self) -> String {
        self.servicebus.connection_string()
    }

    /// The account's endpoint, over the faulty wire where there is one: clients are always sent there.
    pub fn cosmos_endpoint(&self) -> String {
        self.cosmos.endpoint()
    }

    /// The account's key.
    pub fn cosmos_key(&self) -> &str {
        self.cosmos.key()
    }

    /// The handler's process, while the host runs.
    pub fn handler_pid(&self) -> Option<u32> {
        self.host.as_ref().and_then(Host::handler_pid)
    }

    /// The wires to break, when the stack was started with them.
    pub fn faults(&self) -> Option<&Faults> {
        self.faults.as_ref()
    }

    /// Signs this user in from the next request on, or whoever was there out; it outlives a restart of the host.
    ///
    /// The handler sees it when it was started with `AUTH=easyauth`.
    pub fn sign_in(&self, user: Option<User>) {
        self.host_options.sign_in.set(user);
    }

    /// Stops the host and the handler, and leaves the services running.
    pub async fn stop_host(&mut self) {
        if let Some(host) = self.host.take() {
            host.stop().await;
        }
    }

    /// Starts the host again, on the address it had.
    pub async fn start_host(&mut self) -> Result<()> {
        if self.host.is_some() {
            return Ok(());
        }
        let host = Host::start(self.host_options.clone()).await?;
        self.url = host.url();
        if let Some(port) = Url::parse(&self.url)?.port() {
            self.host_options.listen.set_port(port);
        }
        self.host = Some(host);
        Ok(())
    }

    /// Waits until the host stops by itself, and says why.
    pub async fn stopped(&self) -> String {
        match &self.host {
            Some(host) => host.stopped().await,
            None => "the host was stopped".to_owned(),
        }
    }

    /// Stops everything, the host first.
    pub async fn stop(mut self) -> Result<()> {
        self.stop_host().await;
        if let Some(faults) = self.faults.take() {
            faults.stop().await?;
        }
        self.servicebus.stop().await;
        self.cosmos.stop().await?;
        // Stopping PostgreSQL blocks for a moment.
        let database = self.database;
        Ok(tokio::task::spawn_blocking(move || drop(database)).await?)
    }

    fn environment(&self, over: BTreeMap<String, String>) -> BTreeMap<String, String> {
        let mut bus = self.servicebus.connection_string();
        let mut environment = self.database.app_environment();
        if let Some(faults) = &self.faults {
            bus = bus.replace(
                &self.servicebus.address().to_string(),
                &faults.servicebus.address().to_string(),
            );
            environment.insert("PGHOST".to_owned(), faults.postgres.address().ip().to_string());
            environment.insert("PGPORT".to_owned(), faults.postgres.address().port().to_string());
        }
        let settings = [
            ("ServiceBusConnection", bus),
            ("COSMOS_ENDPOINT", self.cosmos.endpoint()),
            ("COSMOS_KEY", self.cosmos.key().to_owned()),
            ("COSMOS_DATABASE", "orders".to_owned()),
        ];
        environment.extend(settings.map(|(name, value)| (name.to_owned(), value)));
        environment.extend(over);
        environment
    }
}

fn local(port: u16) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, port))
}
