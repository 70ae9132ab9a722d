//! One container of Cosmos DB as documents with ETags: point reads, queries, and writes that hold only against the ETag that was read.
//! Never retries beyond what the client does by itself.

mod batch;
mod error;
mod found;
mod search;

use std::{sync::Arc, time::Duration};

use azure_data_cosmos::{
    Query,
    feed::FeedScope,
    options::{ItemWriteOptions, Precondition},
};
use futures_util::TryStreamExt;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use tokio::time::timeout;

use super::connection::{CosmosConnection, CosmosContainer, PATIENCE};
use crate::{
    condition::{StoreReason, StoreTrouble},
    error_chain::{cause, chain},
    json::JsonTree,
};
pub use batch::{BatchError, BatchWrite};
pub use error::{StoreError, from_status};
pub use found::FoundDocument;
pub use search::{DocumentKey, DocumentSearch};

/// A document and the ETag it had when it was read or written.
#[derive(Debug, Clone)]
pub struct StoredDocument<T> {
    /// The document.
    pub document: T,
    /// The store's ETag.
    pub etag: String,
}

/// A container as projections and jobs need it: documents with ETags, in Cosmos DB or in a simulation.
pub trait Collection: Send + Sync {
    /// A point read; `None` when there is no such document.
    ///
    /// # Errors
    /// [`StoreError::Away`], [`StoreError::Busy`] or [`StoreError::Refused`].
    fn read<T: DeserializeOwned + Send>(
        &self,
        pk: &str,
        id: &str,
    ) -> impl Future<Output = Result<Option<StoredDocument<T>>, StoreError>> + Send;

    /// Writes a document that must not be there yet, and returns its ETag.
    ///
    /// # Errors
    /// [`StoreError::Changed`] when it is there already.
    fn create<T: Serialize + Sync>(
        &self,
        pk: &str,
        id: &str,
        document: &T,
    ) -> impl Future<Output = Result<String, StoreError>> + Send;

    /// Writes a document over whatever is there.
    ///
    /// # Errors
    /// [`StoreError::Away`], [`StoreError::Busy`] or [`StoreError::Refused`].
    fn upsert<T: Serialize + Sync>(
        &self,
        pk: &str,
        id: &str,
        document: &T,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Writes over a document that must still have this ETag, and returns its new one.
    ///
    /// # Errors
    /// [`StoreError::Changed`] when it has another by now, or is gone.
    fn replace<T: Serialize + Sync>(
        &self,
        pk: &str,
        id: &str,
        document: &T,
        read: &str,
    ) -> impl Future<Output = Result<String, StoreError>> + Send;

    /// Writes all of it or nothing, and returns the new ETags in the same order.
    ///
    /// # Errors
    /// [`BatchError`] names the write that did not hold.
    fn batch(
        &self,
        pk: &str,
        writes: Vec<BatchWrite>,
    ) -> impl Future<Output = Result<Vec<String>, BatchError>> + Send;

    /// Finds documents, or as much of each as `T` takes, in so long.
    ///
    /// # Errors
    /// [`StoreError::Away`], [`StoreError::Busy`] or [`StoreError::Refused`].
    fn find<T: DeserializeOwned + Send + 'static>(
        &self,
        search: DocumentSearch<'_>,
        patience: Duration,
    ) -> impl Future<Output = Result<Vec<T>, StoreError>> + Send;

    /// Removes a document; that it is gone already is as good.
    ///
    /// # Errors
    /// [`StoreError::Away`], [`StoreError::Busy`] or [`StoreError::Refused`].
    fn delete(&self, pk: &str, id: &str) -> impl Future<Output = Result<(), StoreError>> + Send;
}

/// One container.
#[derive(Clone)]
pub struct DocumentStore {
    connection: Arc<CosmosConnection>,
    container: CosmosContainer,
}

impl DocumentStore {
    /// A container of this account.
    #[must_use]
    pub fn new(connection: &Arc<CosmosConnection>, container: CosmosContainer) -> Self {
        Self {
            connection: Arc::clone(connection),
            container,
        }
    }

    /// A point read; `None` when there is no such document.
    ///
    /// # Errors
    /// [`StoreError::Away`], [`StoreError::Busy`] or [`StoreError::Refused`].
    pub async fn read<T: DeserializeOwned>(
        &self,
        pk: &str,
        id: &str,
    ) -> Result<Option<StoredDocument<T>>, StoreError> {
        let client = self.connection.container(self.container).await?;
        let answer = match with_deadline(client.read_item(pk.to_owned(), id, None)).await? {
            Err(error) if error.status().is_not_found() => return Ok(None),
            answer => answer?,
        };
        let etag = answer.headers().etag().map(ToString::to_string);
        let etag = etag.ok_or_else(|| StoreError::Refused(cause("a document without an ETag")))?;
        let unreadable = |source| StoreError::Unreadable {
            what: format!("{:?} {pk} {id}", self.container),
            source,
        };
        let json: JsonTree = answer.into_model().map_err(|error| unreadable(cause(error)))?;
        let document = T::deserialize(json).map_err(|error| unreadable(cause(error)))?;
        Ok(Some(StoredDocument { document, etag }))
    }

    /// Runs a query in one partition, or in all, and returns everything that it finds in so long: the query says how much
    /// that is.
    ///
    /// # Errors
    /// [`StoreError::Away`] or [`StoreError::Refused`].
    pub async fn query<T: DeserializeOwned + Send + 'static>(
        &self,
        pk: Option<&str>,
        text: &str,
        parameters: &[(&'static str, Value)],
        patience: Duration,
    ) -> Result<Vec<T>, StoreError> {
        let client = self.connection.container(self.container).await?;
        let mut query = Query::from(text);
        for (name, value) in parameters {
            query = query.with_parameter(*name, value)?;
        }
        let scope = pk.map_or_else(FeedScope::full_container, |pk| {
            FeedScope::partition(pk.to_owned())
        });
        let asking = async { client.query_items(query, scope, None).await?.try_collect().await };
        let late = |_| StoreError::away(format!("not all of it in {patience:?}"));
        let found: Vec<FoundDocument<T>> = timeout(patience, asking).await.map_err(late)??;
        found.into_iter().map(|found| self.readable(found)).collect()
    }

    fn readable<T>(&self, found: FoundDocument<T>) -> Result<T, StoreError> {
        match found {
            FoundDocument::Document(document) => Ok(document),
            FoundDocument::Unreadable { why, json } => Err(StoreError::Unreadable {
                what: format!("{:?} {} {}", self.container, json["pk"], json["id"]),
                source: cause(why),
            }),
        }
    }

    /// Probes the container: its trouble, if it has any.
    pub async fn probe(&self) -> Option<StoreTrouble> {
        let error = self.read::<Value>("health", "health").await.err()?;
        let reason = match &error {
            StoreError::Busy { .. } => StoreReason::Full,
            StoreError::Away { .. } => StoreReason::Unreachable,
            StoreError::Changed | StoreError::Unreadable { .. } | StoreError::Refused(_) => {
                StoreReason::Failing
            }
        };
        Some(StoreTrouble::new(reason, chain(&error).to_string()))
    }
}

impl Collection for DocumentStore {
    async fn read<T: DeserializeOwned + Send>(
        &self,
        pk: &str,
        id: &str,
    ) -> Result<Option<StoredDocument<T>>, StoreError> {
        self.read(pk, id).await
    }

    async fn create<T: Serialize + Sync>(
        &self,
        pk: &str,
        id: &str,
        document: &T,
    ) -> Result<String, StoreError> {
        let client = self.connection.container(self.container).await?;
        let answer = with_deadline(client.create_item(pk.to_owned(), id, document, None)).await??;
        etag(answer.headers().etag())
    }

    async fn upsert<T: Serialize + Sync>(&self, pk: &str, id: &str, document: &T) -> Result<(), StoreError> {
        let client = self.connection.container(self.container).await?;
        with_deadline(client.upsert_item(pk.to_owned(), id, document, None)).await??;
        Ok(())
    }

    async fn replace<T: Serialize + Sync>(
        &self,
        pk: &str,
        id: &str,
        document: &T,
        read: &str,
    ) -> Result<String, StoreError> {
        let client = self.connection.container(self.container).await?;
        let condition = Precondition::if_match(read.to_owned());
        let options = ItemWriteOptions::default().with_precondition(condition);
        match with_deadline(client.replace_item(pk.to_owned(), id, document, Some(options))).await? {
            Err(error) if error.status().is_not_found() => Err(StoreError::Changed),
            answer => etag(answer?.headers().etag()),
        }
    }

    async fn batch(&self, pk: &str, writes: Vec<BatchWrite>) -> Result<Vec<String>, BatchError> {
        self.execute_batch(pk, writes).await
    }

    async fn find<T: DeserializeOwned + Send + 'static>(
        &self,
        search: DocumentSearch<'_>,
        patience: Duration,
    ) -> Result<Vec<T>, StoreError> {
        let (text, parameters) = search.query();
        self.query(search.partition(), &text, &parameters, patience).await
    }

    async fn delete(&self, pk: &str, id: &str) -> Result<(), StoreError> {
        let client = self.connection.container(self.container).await?;
        match with_deadline(client.delete_item(pk.to_owned(), id, None)).await? {
            Err(error) if error.status().is_not_found() => Ok(()),
            answer => Ok(answer.map(drop)?),
        }
    }
}

fn etag(header: Option<impl ToString>) -> Result<String, StoreError> {
    let etag = header.map(|etag| etag.to_string());
    etag.ok_or_else(|| StoreError::Refused(cause("a document without an ETag")))
}

/// A backstop: the client's own deadline comes first.
async fn with_deadline<T>(work: impl IntoFuture<Output = T>) -> Result<T, StoreError> {
    let late = |_| StoreError::away(format!("no answer in {PATIENCE:?}"));
    timeout(PATIENCE * 2, work.into_future()).await.map_err(late)
}
