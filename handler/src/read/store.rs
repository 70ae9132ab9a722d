//! Cosmos DB as documents with ETags: point reads, and writes that hold only against what was read.
//! Never retries beyond what the client does by itself, and never creates a database or a container.

use std::{
    fmt,
    sync::{Arc, OnceLock},
    time::Duration,
};

use azure_core::credentials::Secret;
use azure_data_cosmos::{
    AccountEndpoint, AccountReference, CosmosClient, CosmosError, RoutingStrategy,
    clients::ContainerClient,
    options::{EndToEndOperationLatencyPolicy, ItemWriteOptions, OperationOptionsBuilder, Precondition},
};
use serde::{Serialize, de::DeserializeOwned};
use tokio::{sync::Mutex, time::timeout};

/// Longest wait for one operation, the client's own retries included.
const PATIENCE: Duration = Duration::from_secs(3);
/// Longest wait for a client: it asks the account for its regions and the container for its key.
const OPENING: Duration = Duration::from_secs(5);

/// Where the account is and how to prove who we are (`COSMOS_ENDPOINT`, `COSMOS_KEY`, `COSMOS_DATABASE`).
#[derive(Clone)]
pub struct Account {
    /// The account's URL.
    pub endpoint: AccountEndpoint,
    /// The account's key; never shown.
    pub key: String,
    /// Name of the database.
    pub database: String,
}

impl fmt::Debug for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.database)
    }
}

/// Why an operation did not happen.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Somebody else wrote first: read again.
    #[error("the document has changed meanwhile")]
    Changed,
    /// The store is away, slow or busy; it may say when to come back.
    #[error("{why}")]
    Away {
        /// What was seen.
        why: String,
        /// How long the store asks to be left alone.
        retry_after: Option<Duration>,
    },
    /// The store refuses what was asked, and would again.
    #[error("{0}")]
    Refused(String),
}

/// A document and the ETag it had when it was read.
#[derive(Debug)]
pub struct Stored<T> {
    /// The document.
    pub document: T,
    etag: String,
}

/// One container.
pub struct Store {
    account: Account,
    container: &'static str,
    client: Arc<OnceLock<ContainerClient>>,
    /// Held while the client is being opened; what went wrong the last time.
    opening: Arc<Mutex<String>>,
}

impl Store {
    /// Connects when first used.
    #[must_use]
    pub fn new(account: Account, container: &'static str) -> Self {
        Self {
            account,
            container,
            client: Arc::default(),
            opening: Arc::default(),
        }
    }

    /// A point read; `None` when there is no such document.
    ///
    /// # Errors
    /// [`StoreError::Away`] or [`StoreError::Refused`].
    pub async fn read<T: DeserializeOwned>(
        &self,
        pk: &str,
        id: &str,
    ) -> Result<Option<Stored<T>>, StoreError> {
        let client = self.client().await?;
        let answer = match within(client.read_item(pk.to_owned(), id, None)).await? {
            Err(error) if error.status().is_not_found() => return Ok(None),
            answer => answer.map_err(classify)?,
        };
        let etag = answer.headers().etag().map(ToString::to_string);
        let etag = etag.ok_or_else(|| StoreError::Refused("a document without an ETag".to_owned()))?;
        let document = answer
            .into_model()
            .map_err(|error| StoreError::Refused(error.to_string()))?;
        Ok(Some(Stored { document, etag }))
    }

    /// Writes a document that must not be there yet.
    ///
    /// # Errors
    /// [`StoreError::Changed`] when it is there already.
    pub async fn create<T: Serialize>(&self, pk: &str, id: &str, document: &T) -> Result<(), StoreError> {
        let client = self.client().await?;
        let answer = within(client.create_item(pk.to_owned(), id, document, None)).await?;
        answer.map(drop).map_err(classify)
    }

    /// Writes over a document that must still be the one that was read.
    ///
    /// # Errors
    /// [`StoreError::Changed`] when it is another one by now, or gone.
    pub async fn replace<T: Serialize, U>(
        &self,
        (pk, id): (&str, &str),
        document: &T,
        read: &Stored<U>,
    ) -> Result<(), StoreError> {
        let client = self.client().await?;
        let condition = Precondition::if_match(read.etag.clone());
        let options = ItemWriteOptions::default().with_precondition(condition);
        let answer = within(client.replace_item(pk.to_owned(), id, document, Some(options))).await?;
        match answer {
            Err(error) if error.status().is_not_found() => Err(StoreError::Changed),
            answer => answer.map(drop).map_err(classify),
        }
    }

    /// True when the container answers now.
    pub async fn answers(&self) -> bool {
        let answer = self.read::<serde_json::Value>("health", "health").await;
        answer.is_ok()
    }

    /// The client, opened by a task that no caller's end can end: callers only wait for it, each to its own deadline.
    async fn client(&self) -> Result<ContainerClient, StoreError> {
        if let Some(client) = self.client.get() {
            return Ok(client.clone());
        }
        if let Ok(mut problem) = Arc::clone(&self.opening).try_lock_owned() {
            let (account, container, client) =
                (self.account.clone(), self.container, Arc::clone(&self.client));
            tokio::spawn(async move {
                match timeout(OPENING, open(account, container)).await {
                    // Only one task opens at a time, so nobody can have been first.
                    Ok(Ok(opened)) => drop(client.set(opened)),
                    Ok(Err(error)) => *problem = error.to_string(),
                    Err(_) => *problem = format!("no answer in {OPENING:?}"),
                }
            });
        }
        let late = |_| away(format!("no answer in {OPENING:?}"));
        let problem = timeout(OPENING, self.opening.lock()).await.map_err(late)?;
        self.client.get().cloned().ok_or_else(|| away(problem.clone()))
    }
}

/// A wrong key or a missing container is for an operator to mend, and the messages must not be lost meanwhile: so every
/// error here means that the store is away.
async fn open(account: Account, container: &'static str) -> Result<ContainerClient, CosmosError> {
    let options = OperationOptionsBuilder::new()
        .with_end_to_end_latency_policy(EndToEndOperationLatencyPolicy::new(PATIENCE))
        .build();
    let reference = AccountReference::with_authentication_key(account.endpoint, Secret::from(account.key));
    let client = CosmosClient::builder()
        .with_default_operation_options(options)
        .build(reference, RoutingStrategy::PreferredRegions(Vec::new()))
        .await?;
    client
        .database_client(&account.database)
        .container_client(container, None)
        .await
}

/// A backstop: the client's own deadline comes first.
async fn within<T>(work: impl IntoFuture<Output = T>) -> Result<T, StoreError> {
    let late = |_| away(format!("no answer in {PATIENCE:?}"));
    timeout(PATIENCE * 2, work.into_future()).await.map_err(late)
}

fn away(why: String) -> StoreError {
    StoreError::Away {
        why,
        retry_after: None,
    }
}

fn classify(error: CosmosError) -> StoreError {
    let status = error.status();
    if status.is_conflict() || status.is_precondition_failed() {
        return StoreError::Changed;
    }
    let code = u16::from(status.status_code());
    // Credentials and roles are mended by operators: messages wait for that as they wait for an outage.
    let waits =
        status.is_transient() || status.is_timeout() || matches!(code, 401 | 403 | 404 | 410) || code >= 500;
    if !waits {
        return StoreError::Refused(error.to_string());
    }
    let asked = error
        .response()
        .and_then(|response| response.headers().retry_after_ms);
    StoreError::Away {
        why: error.to_string(),
        retry_after: asked.map(Duration::from_millis),
    }
}
