//! The connection to a Cosmos DB account: one client, and a handle of each container, opened when first needed.
//! Never creates a database or a container: the deployment does.

use std::{
    fmt,
    sync::{Arc, OnceLock},
    time::Duration,
};

use azure_core::credentials::Secret;
use azure_data_cosmos::{
    AccountEndpoint, AccountReference, CosmosClient, CosmosError, RoutingStrategy,
    clients::ContainerClient,
    options::{EndToEndOperationLatencyPolicy, OperationOptionsBuilder, ThrottlingRetryOptionsBuilder},
};
use tokio::{sync::Mutex, time::timeout};

use super::store::StoreError;
use crate::{error_chain::chain, identity::TokenSource};

/// Longest wait for one operation, the client's own retries included.
pub(super) const PATIENCE: Duration = Duration::from_secs(3);
/// Longest wait for a client: it asks the account for its regions and each container for its key.
const OPENING: Duration = Duration::from_secs(5);
/// Tries and time with which the client itself waits out a 429; beyond that its callers decide.
const THROTTLED_TRIES: u32 = 3;
const THROTTLED_WAIT: Duration = Duration::from_secs(1);

/// What proves to the account who we are.
#[derive(Clone)]
pub enum CosmosCredential {
    /// The account's key; never shown.
    Key(String),
    /// Tokens of Microsoft Entra ID.
    Identity(Arc<TokenSource>),
}

/// An account and its credentials (`COSMOS_ENDPOINT`, `COSMOS_KEY`, `COSMOS_DATABASE`).
#[derive(Clone)]
pub struct CosmosAccount {
    /// The account's URL.
    pub endpoint: AccountEndpoint,
    /// The proof of who we are.
    pub credential: CosmosCredential,
    /// Name of the database.
    pub database: String,
}

impl fmt::Debug for CosmosAccount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.database)
    }
}

/// The containers of the read model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CosmosContainer {
    /// `orders`
    Orders,
    /// `customers`
    Customers,
    /// `products`
    Products,
    /// `sales`
    Sales,
    /// `control`
    Control,
}

impl CosmosContainer {
    /// Every container, in the order of the enum.
    pub const ALL: [Self; CONTAINERS.len()] = [
        Self::Orders,
        Self::Customers,
        Self::Products,
        Self::Sales,
        Self::Control,
    ];
}

/// Their names, in the order of the enum.
const CONTAINERS: [&str; 5] = ["orders", "customers", "products", "sales", "control"];

/// The account, connected to when first used.
pub struct CosmosConnection {
    account: CosmosAccount,
    opened: Arc<OnceLock<[ContainerClient; CONTAINERS.len()]>>,
    /// Held while the client is being opened; what went wrong the last time.
    opening: Arc<Mutex<String>>,
}

impl CosmosConnection {
    /// Connects when first used.
    #[must_use]
    pub fn new(account: CosmosAccount) -> Self {
        Self {
            account,
            opened: Arc::default(),
            opening: Arc::default(),
        }
    }

    /// The container's client, opened by a task that no caller's end can end: callers only wait for it, each to its own
    /// deadline.
    pub(super) async fn container(&self, container: CosmosContainer) -> Result<ContainerClient, StoreError> {
        if let Some(opened) = self.opened.get() {
            return Ok(opened[container as usize].clone());
        }
        if let Ok(mut problem) = Arc::clone(&self.opening).try_lock_owned() {
            let (account, opened) = (self.account.clone(), Arc::clone(&self.opened));
            tokio::spawn(async move {
                match timeout(OPENING, open(account)).await {
                    // Only one task opens at a time, so no other can have been first.
                    Ok(Ok(containers)) => drop(opened.set(containers)),
                    Ok(Err(error)) => *problem = chain(&error).to_string(),
                    Err(_) => *problem = format!("no answer in {OPENING:?}"),
                }
            });
        }
        let late = |_| StoreError::away(format!("no answer in {OPENING:?}"));
        let problem = timeout(OPENING, self.opening.lock()).await.map_err(late)?;
        let opened = self.opened.get().map(|opened| opened[container as usize].clone());
        opened.ok_or_else(|| StoreError::away(problem.clone()))
    }
}

/// A wrong key or a missing container is for an operator to mend, and the messages must not be lost meanwhile: so every
/// error here means that the store is away.
async fn open(account: CosmosAccount) -> Result<[ContainerClient; CONTAINERS.len()], CosmosError> {
    let throttling = ThrottlingRetryOptionsBuilder::new()
        .with_max_retry_count(THROTTLED_TRIES)
        .with_max_retry_wait_time(THROTTLED_WAIT)
        .build();
    let options = OperationOptionsBuilder::new()
        .with_end_to_end_latency_policy(EndToEndOperationLatencyPolicy::new(PATIENCE))
        .with_throttling_retry_options(throttling)
        .build();
    let endpoint = account.endpoint;
    let reference = match account.credential {
        CosmosCredential::Key(key) => AccountReference::with_authentication_key(endpoint, Secret::from(key)),
        CosmosCredential::Identity(tokens) => AccountReference::with_credential(endpoint, tokens),
    };
    let client = CosmosClient::builder()
        .with_default_operation_options(options)
        .build(reference, RoutingStrategy::PreferredRegions(Vec::new()))
        .await?;
    let database = client.database_client(&account.database);
    let [orders, customers, products, sales, control] =
        CONTAINERS.map(|name| database.container_client(name, None));
    let (orders, customers, products, sales, control) =
        tokio::try_join!(orders, customers, products, sales, control)?;
    Ok([orders, customers, products, sales, control])
}
