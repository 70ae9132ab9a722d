//! One container of Cosmos DB as documents with ETags: point reads, queries, and writes that hold only against what was read.
//! Never retries beyond what the client does by itself.

mod batch;
mod error;
mod found;

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

use super::connection::{Connection, Container, PATIENCE};
use crate::{
    condition::{Reason, Trouble},
    error_chain::{cause, chain},
};
pub use batch::{BatchError, Write};
pub use error::{StoreError, of_status};
pub use found::Found;

/// A document and the ETag it had when it was read or written.
#[derive(Debug, Clone)]
pub struct Stored<T> {
    /// The document.
    pub document: T,
    /// The store's ETag.
    pub etag: String,
}

/// What projections need of a container: documents with ETags, in Cosmos DB or in a simulation.
pub trait Collection: Send + Sync {
    /// A point read; `None` when there is no such document.
    ///
    /// # Errors
    /// [`StoreError::Away`], [`StoreError::Busy`] or [`StoreError::Refused`].
    fn read<T: DeserializeOwned + Send>(
        &self,
        pk: &str,
        id: &str,
    ) -> impl Future<Output = Result<Option<Stored<T>>, StoreError>> + Send;

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
        place: (&str, &str),
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
        writes: Vec<Write>,
    ) -> impl Future<Output = Result<Vec<String>, BatchError>> + Send;
}

/// One container.
#[derive(Clone)]
pub struct Store {
    connection: Arc<Connection>,
    container: Container,
}

impl Store {
    /// A container of this account.
    #[must_use]
    pub fn new(connection: &Arc<Connection>, container: Container) -> Self {
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
    ) -> Result<Option<Stored<T>>, StoreError> {
        let client = self.connection.container(self.container).await?;
        let answer = match within(client.read_item(pk.to_owned(), id, None)).await? {
            Err(error) if error.status().is_not_found() => return Ok(None),
            answer => answer?,
        };
        let etag = answer.headers().etag().map(ToString::to_string);
        let etag = etag.ok_or_else(|| StoreError::Refused(cause("a document without an ETag")))?;
        let document = answer.into_model().map_err(|error| StoreError::Unreadable {
            what: format!("{:?} {pk} {id}", self.container),
            source: cause(error),
        })?;
        Ok(Some(Stored { document, etag }))
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
        let found: Vec<Found<T>> = timeout(patience, asking).await.map_err(late)??;
        found.into_iter().map(|found| self.readable(found)).collect()
    }

    fn readable<T>(&self, found: Found<T>) -> Result<T, StoreError> {
        match found {
            Found::Document(document) => Ok(document),
            Found::Unreadable { why, json } => Err(StoreError::Unreadable {
                what: format!("{:?} {} {}", self.container, json["pk"], json["id"]),
                source: cause(why),
            }),
        }
    }

    /// Removes a document; that it is gone already is as good.
    ///
    /// # Errors
    /// [`StoreError::Away`], [`StoreError::Busy`] or [`StoreError::Refused`].
    pub async fn delete(&self, pk: &str, id: &str) -> Result<(), StoreError> {
        let client = self.connection.container(self.container).await?;
        match within(client.delete_item(pk.to_owned(), id, None)).await? {
            Err(error) if error.status().is_not_found() => Ok(()),
            answer => Ok(answer.map(drop)?),
        }
    }

    /// What is the matter with the container now, if anything is.
    pub async fn look(&self) -> Option<Trouble> {
        let error = self.read::<Value>("health", "health").await.err()?;
        let reason = match &error {
            StoreError::Busy { .. } => Reason::Full,
            StoreError::Away { .. } => Reason::Unreachable,
            StoreError::Changed | StoreError::Unreadable { .. } | StoreError::Refused(_) => Reason::Failing,
        };
        Some(Trouble::new(reason, chain(&error).to_string()))
    }
}

impl Collection for Store {
    async fn read<T: DeserializeOwned + Send>(
        &self,
        pk: &str,
        id: &str,
    ) -> Result<Option<Stored<T>>, StoreError> {
        self.read(pk, id).await
    }

    async fn create<T: Serialize + Sync>(
        &self,
        pk: &str,
        id: &str,
        document: &T,
    ) -> Result<String, StoreError> {
        let client = self.connection.container(self.container).await?;
        let answer = within(client.create_item(pk.to_owned(), id, document, None)).await??;
        etag(answer.headers().etag())
    }

    async fn upsert<T: Serialize + Sync>(&self, pk: &str, id: &str, document: &T) -> Result<(), StoreError> {
        let client = self.connection.container(self.container).await?;
        within(client.upsert_item(pk.to_owned(), id, document, None)).await??;
        Ok(())
    }

    async fn replace<T: Serialize + Sync>(
        &self,
        (pk, id): (&str, &str),
        document: &T,
        read: &str,
    ) -> Result<String, StoreError> {
        let client = self.connection.container(self.container).await?;
        let condition = Precondition::if_match(read.to_owned());
        let options = ItemWriteOptions::default().with_precondition(condition);
        match within(client.replace_item(pk.to_owned(), id, document, Some(options))).await? {
            Err(error) if error.status().is_not_found() => Err(StoreError::Changed),
            answer => etag(answer?.headers().etag()),
        }
    }

    async fn batch(&self, pk: &str, writes: Vec<Write>) -> Result<Vec<String>, BatchError> {
        self.together(pk, writes).await
    }
}

fn etag(header: Option<impl ToString>) -> Result<String, StoreError> {
    let etag = header.map(|etag| etag.to_string());
    etag.ok_or_else(|| StoreError::Refused(cause("a document without an ETag")))
}

/// A backstop: the client's own deadline comes first.
async fn within<T>(work: impl IntoFuture<Output = T>) -> Result<T, StoreError> {
    let late = |_| StoreError::away(format!("no answer in {PATIENCE:?}"));
    timeout(PATIENCE * 2, work.into_future()).await.map_err(late)
}
