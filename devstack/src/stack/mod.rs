//! The whole system on loopback: database, bus and documents where they are wanted, the handler behind a Functions host.
//! It never looks into the handler: settings go in as environment, everything else over the wire.

mod addresses;
mod azure;
mod calls;
mod create;
mod database;
mod database_url;
mod faults;
mod health;
mod hosts;
mod logins;
mod options;
mod parts;
mod read_model;
mod session;
mod settings;
mod storage;

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::process::Stdio;

use anyhow::{Context as _, Result, ensure};
use tokio::net::TcpListener;
use tokio::process::Command;
use uuid::Uuid;

use crate::cosmos;
use crate::host::{self, SignIn, User};
use crate::postgres::Shutdown;
use crate::running::Launch;
use crate::servicebus::{self, Entities};

pub use azure::AzureSide;
use calls::CallTable;
use database::Database;
pub use faults::Faults;
use hosts::Hosts;
pub use options::{LikeAzure, Ports, PostgresChoice, StackOptions, StorageChoice};
pub use parts::{Part, PartsLayout};
pub use read_model::ReadModel;
use storage::StackStorage;

/// A running stack; dropping it ends everything it started. The hosts go first, as their services outlive them.
pub struct Stack {
    hosts: Hosts,
    calls: CallTable,
    /// The start of a host for everything.
    host_options: host::HostOptions,
    faults: Option<Faults>,
    /// Without a read model in Cosmos DB there is no bus and no account.
    servicebus: Option<servicebus::ServiceBusEmulator>,
    cosmos: Option<cosmos::CosmosEmulator>,
    /// Where a stack asks for what Azure asks for.
    azure: Option<AzureSide>,
    storage: StackStorage,
    database: Database,
}

impl Stack {
    /// Starts every part and the handler over them.
    pub async fn start(options: StackOptions) -> Result<Self> {
        let entities = Entities::from_file(&options.root.join("devstack/servicebus/Config.json"))?;
        Self::start_with(options, entities).await
    }

    /// Starts with other entities on the bus, such as a subscription that listens in.
    pub async fn start_with(options: StackOptions, entities: Entities) -> Result<Self> {
        options.ensure_free()?;
        let mut azure = AzureSide::wanted(&options, &database::name(&options.postgres)?).await?;
        let layout = (options.parts, options.read_model);
        let port = options.ports.postgres;
        let database = Database::start(&options.postgres, port, layout, azure.as_ref()).await?;
        let handler = options.app_dir.join("handler");
        let roots = azure.as_ref().map(AzureSide::roots);
        database.migrate(&handler, options.read_model, roots).await?;
        let servicebus = start_bus(&options, entities, azure.as_mut()).await?;
        // A wire must know where the account will be, and the account what wire its clients come over.
        let account_port = match options.read_model {
            ReadModel::Cosmos => options.ports.cosmos,
            ReadModel::Postgres => 0,
        };
        let listener = cosmos::listen(local(account_port)).await?;
        let faults = if options.faults {
            let bus = servicebus
                .as_ref()
                .map_or(local(0), servicebus::ServiceBusEmulator::address);
            let bus = azure.as_ref().and_then(AzureSide::bus).unwrap_or(bus);
            Some(Faults::start(database.address().await?, bus, listener.local_addr()?).await?)
        } else {
            None
        };
        let cosmos = start_account(&options, listener, faults.as_ref(), azure.as_mut()).await?;
        let storage = StackStorage::start(&options.storage, options.faults).await?;
        let mut stack = Self {
            hosts: Hosts::default(),
            calls: CallTable::read(&options.root)?,
            host_options: host::HostOptions {
                script_root: options.app_dir.clone(),
                listen: local(options.ports.host),
                environment: BTreeMap::new(),
                without: Vec::new(),
                log: options.log.clone(),
                sign_in: SignIn::default(),
                storage: storage.inner(),
                times: options.times,
                http: options.http.clone(),
            },
            faults,
            servicebus,
            cosmos,
            azure,
            storage,
            database,
        };
        stack.host_options.environment = stack.environment(options.environment.clone());
        stack.host_options.without = stack.without();
        let logins = stack.database.logins();
        stack.hosts = Hosts::new(&stack.host_options, &options, logins, stack.azure.as_ref());
        stack.start_host().await?;
        Ok(stack)
    }

    /// Makes the documents of what is in the log already, by the handler's own rebuild: the account is in memory, and begins
    /// empty.
    pub async fn refill(&self) -> Result<()> {
        if self.cosmos.is_none() || self.database.is_new().await? {
            return Ok(());
        }
        let launch = self.launch();
        // What it reads and writes, and who it is, and nothing else: half a group of other settings would be refused.
        let needed = ["PG", "COSMOS_", "IDENTITY_", "AZURE_CLIENT_ID", "SSL_CERT_FILE"];
        let settings = launch.environment.iter();
        let settings = settings.filter(|(name, _)| needed.iter().any(|needed| name.starts_with(needed)));
        let rebuild = Command::new(self.host_options.script_root.join("handler"))
            .args(["rebuild", "run"])
            .env_clear()
            .envs(settings)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .kill_on_drop(true)
            .status();
        let status = rebuild.await.context("cannot run `handler rebuild run`")?;
        ensure!(status.success(), "`handler rebuild run` failed ({status})");
        Ok(())
    }

    /// The start of the operators' handler, for its tools.
    pub(crate) fn launch(&self) -> Launch {
        let options = self.hosts.operators().unwrap_or(&self.host_options).clone();
        Launch {
            app_dir: options.script_root,
            environment: options.environment,
            without: options.without,
        }
    }

    /// A customer of the shop, if there is one: then it has been filled before.
    pub(crate) async fn customer(&self) -> Result<Option<Uuid>> {
        self.database.customer().await
    }

    /// The administrator's connection to the application's database, never over a faulty wire.
    pub fn postgres_url(&self) -> &str {
        self.database.url()
    }

    /// A connection to the bus, never over a faulty wire; empty without one.
    pub fn servicebus_connection_string(&self) -> String {
        let bus = self.servicebus.as_ref();
        bus.map(servicebus::ServiceBusEmulator::connection_string)
            .unwrap_or_default()
    }

    /// The faults of the bus; without one the switches lead nowhere.
    pub fn servicebus_switches(&self) -> servicebus::ServiceBusSwitches {
        let bus = self.servicebus.as_ref();
        bus.map(servicebus::ServiceBusEmulator::switches)
            .unwrap_or_default()
    }

    /// The account's endpoint, over the faulty wire where there is one: clients are always sent there; empty without an
    /// account.
    pub fn cosmos_endpoint(&self) -> String {
        let account = self.cosmos.as_ref();
        account.map(cosmos::CosmosEmulator::endpoint).unwrap_or_default()
    }

    /// The account's key; empty without an account.
    pub fn cosmos_key(&self) -> &str {
        self.cosmos.as_ref().map_or("", cosmos::CosmosEmulator::key)
    }

    /// The faults of the account; without one the switches lead nowhere.
    pub fn cosmos_switches(&self) -> cosmos::CosmosSwitches {
        let account = self.cosmos.as_ref();
        account.map(cosmos::CosmosEmulator::switches).unwrap_or_default()
    }

    /// The directory and its endpoint, when the stack is like Azure.
    pub fn azure(&self) -> Option<&AzureSide> {
        self.azure.as_ref()
    }

    /// The wires to break, when the stack was started with them.
    pub fn faults(&self) -> Option<&Faults> {
        self.faults.as_ref()
    }

    /// Signs this user in from the next request on; `None` signs the present one out. It outlives a restart of the host.
    ///
    /// The handler sees it when it was started with `AUTH=easyauth`.
    pub fn sign_in(&self, user: Option<User>) {
        self.host_options.sign_in.set(user);
    }

    /// Stops PostgreSQL, where the server is this stack's own; its data stay.
    pub async fn stop_postgres(&self, how: Shutdown) -> Result<()> {
        self.database.stop(how).await
    }

    /// Starts PostgreSQL again, and waits until it answers.
    pub async fn start_postgres(&self) -> Result<()> {
        self.database.start_again().await
    }

    /// The storage account's connection string, over the faulty wire where there is one; `None` for the one within the host.
    pub fn storage_connection_string(&self) -> Option<String> {
        self.storage.connection_string()
    }

    /// Lets no call through to the storage account.
    pub fn take_storage_away(&self) {
        self.storage.take_away();
    }

    /// Lets calls through to the storage account again.
    pub fn give_storage_back(&self) {
        self.storage.give_back();
    }

    /// The process of the handler that takes commands, while its host runs.
    pub fn handler_pid(&self) -> Option<u32> {
        self.hosts.first_handler()
    }

    /// Every handler's process.
    pub fn handler_pids(&self) -> Vec<u32> {
        self.hosts.handlers()
    }

    /// Stops hosts and handlers, and leaves the services running.
    pub async fn stop_host(&mut self) {
        self.hosts.stop().await;
    }

    /// Starts the hosts again, on the addresses they had.
    pub async fn start_host(&mut self) -> Result<()> {
        self.hosts.start().await
    }

    /// Waits until a host stops by itself, and says why.
    pub async fn stopped(&self) -> String {
        self.hosts.stopped().await
    }

    /// Stops everything, the hosts first.
    pub async fn stop(mut self) -> Result<()> {
        self.stop_host().await;
        if let Some(faults) = self.faults.take() {
            faults.stop().await?;
        }
        if let Some(servicebus) = self.servicebus {
            servicebus.stop().await;
        }
        if let Some(cosmos) = self.cosmos {
            cosmos.stop().await?;
        }
        // Stopping PostgreSQL blocks for a moment.
        let database = self.database;
        Ok(tokio::task::spawn_blocking(move || drop(database)).await?)
    }
}

async fn start_bus(
    options: &StackOptions,
    entities: Entities,
    azure: Option<&mut AzureSide>,
) -> Result<Option<servicebus::ServiceBusEmulator>> {
    if options.read_model == ReadModel::Postgres {
        return Ok(None);
    }
    // Beside the way in that is as in Azure there is a plain one, for those who look at what happened.
    let port = if azure.is_some() {
        0
    } else {
        options.ports.servicebus
    };
    let bus = servicebus::ServiceBusEmulator::start(entities, local(port)).await;
    let mut bus = bus.context("cannot start the Service Bus emulator")?;
    if let Some(azure) = azure {
        azure.open_bus(&mut bus, options.ports.servicebus).await?;
    }
    Ok(Some(bus))
}

async fn start_account(
    options: &StackOptions,
    listener: TcpListener,
    faults: Option<&Faults>,
    azure: Option<&mut AzureSide>,
) -> Result<Option<cosmos::CosmosEmulator>> {
    if options.read_model == ReadModel::Postgres {
        return Ok(None);
    }
    let containers = options.root.join("bicep/cosmos-containers.json");
    let advertise = faults.map(|faults| faults.cosmos.address());
    let Some(azure) = azure else {
        let account = cosmos::CosmosEmulator::serve(listener, &containers, advertise);
        return Ok(Some(account.await?));
    };
    let observers = cosmos::listen(local(0)).await?;
    let mut account = cosmos::CosmosEmulator::serve(observers, &containers, None).await?;
    azure.open_account(&mut account, listener, &options.root, advertise)?;
    Ok(Some(account))
}

fn local(port: u16) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, port))
}
