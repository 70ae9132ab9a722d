//! One container of Cosmos DB as documents with ETags: point reads, queries, and writes that hold only against what was read.
//! Never retries beyond what the client does by itself.

use std::{sync::Arc, time::Duration};

use azure_data_cosmos::{
    CosmosError, Query, TransactionalBatch,
    feed::FeedScope,
    options::{BatchReplaceOptions, ItemWriteOptions, Precondition},
};
use futures_util::TryStreamExt;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use tokio::time::timeout;

use super::connection::{Connection, Container, PATIENCE};

/// Why an operation did not happen.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// Somebody else wrote first: read again.
    #[error("the document has changed meanwhile")]
    Changed,
    /// This document is too busy, or the part of the store that it is in: others write it, or there is no capacity left for
    /// it (429, which says when to come back). Says nothing of other documents.
    #[error("{why}")]
    Busy {
        /// What was seen.
        why: String,
        /// How long the store asks to be left alone.
        retry_after: Option<Duration>,
    },
    /// The store is away or slow; it may say when to come back.
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

/// A document and the ETag it had when it was read or written.
#[derive(Debug, Clone)]
pub struct Stored<T> {
    /// The document.
    pub document: T,
    /// The store's ETag.
    pub etag: String,
}

/// One write of a batch.
#[derive(Debug)]
pub enum Write {
    /// A document that must not be there.
    Create(Value),
    /// A document that may be there.
    Upsert(Value),
    /// A document that must be there with this ETag.
    Replace {
        /// Its id.
        id: String,
        /// The ETag that was read.
        etag: String,
        /// What it becomes.
        document: Value,
    },
}

/// A batch of which nothing was written, because of its write at this place.
#[derive(Debug)]
pub struct BatchError {
    /// The place of the write that did not hold; `None` when nothing is known of single writes.
    pub at: Option<usize>,
    /// Why.
    pub error: StoreError,
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
    /// [`StoreError::Away`] or [`StoreError::Refused`].
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
        let etag = etag.ok_or_else(|| StoreError::Refused("a document without an ETag".to_owned()))?;
        let document = answer
            .into_model()
            .map_err(|error| StoreError::Refused(error.to_string()))?;
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
        Ok(timeout(patience, asking).await.map_err(late)??)
    }

    /// Writes a document that must not be there yet, and returns its ETag.
    ///
    /// # Errors
    /// [`StoreError::Changed`] when it is there already.
    pub async fn create<T: Serialize>(&self, pk: &str, id: &str, document: &T) -> Result<String, StoreError> {
        let client = self.connection.container(self.container).await?;
        let answer = within(client.create_item(pk.to_owned(), id, document, None)).await??;
        etag(answer.headers().etag())
    }

    /// Writes a document over whatever is there.
    ///
    /// # Errors
    /// [`StoreError::Away`] or [`StoreError::Refused`].
    pub async fn upsert<T: Serialize>(&self, pk: &str, id: &str, document: &T) -> Result<(), StoreError> {
        let client = self.connection.container(self.container).await?;
        within(client.upsert_item(pk.to_owned(), id, document, None)).await??;
        Ok(())
    }

    /// Writes over a document that must still have this ETag, and returns its new one.
    ///
    /// # Errors
    /// [`StoreError::Changed`] when it has another by now, or is gone.
    pub async fn replace<T: Serialize>(
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

    /// Writes all of it or nothing, and returns the new ETags in the same order.
    ///
    /// # Errors
    /// [`BatchError`] names the write that did not hold.
    pub async fn batch(&self, pk: &str, writes: Vec<Write>) -> Result<Vec<String>, BatchError> {
        let whole = |error: StoreError| BatchError { at: None, error };
        let asked = writes.len();
        let client = self.connection.container(self.container).await.map_err(whole)?;
        let batch = assemble(pk, writes).map_err(|error| whole(error.into()))?;
        let asking = async {
            client
                .execute_transactional_batch(batch, None)
                .await?
                .into_model()
        };
        let answer = within(asking).await.map_err(whole)?;
        let answer = answer.map_err(|error| whole(error.into()))?;
        // A batch of which one write failed is answered as if all were well: each result must be looked at.
        let results = answer.results().iter();
        let failed = results
            .clone()
            .position(|result| !result.is_success() && result.status_code() != FAILED_DEPENDENCY);
        let Some(at) = failed else {
            if results.len() != asked {
                let why = format!("{} results of {asked} writes", results.len());
                return Err(whole(StoreError::away(why)));
            }
            return Ok(results
                .map(|result| result.etag().unwrap_or_default().to_owned())
                .collect());
        };
        let result = &answer.results()[at];
        let error = match result.status_code() {
            // Only a replace can miss its document: it was there when it was read.
            404 => StoreError::Changed,
            code => of_status(
                code,
                format!("write {at} of a batch: status {code}"),
                result.retry_after(),
            ),
        };
        Err(BatchError { at: Some(at), error })
    }

    /// True when the container answers now.
    pub async fn answers(&self) -> bool {
        self.read::<Value>("health", "health").await.is_ok()
    }
}

impl Write {
    /// A new document, or one that takes the place of the one that was read.
    ///
    /// # Errors
    /// When the document is not JSON.
    pub fn put<T: Serialize, U>(
        document: &T,
        id: String,
        read: Option<&Stored<U>>,
    ) -> Result<Self, StoreError> {
        let document = json(document)?;
        Ok(match read {
            None => Self::Create(document),
            Some(read) => Self::Replace {
                id,
                etag: read.etag.clone(),
                document,
            },
        })
    }

    /// A document that may be there.
    ///
    /// # Errors
    /// When the document is not JSON.
    pub fn upsert<T: Serialize>(document: &T) -> Result<Self, StoreError> {
        json(document).map(Self::Upsert)
    }

    /// A document that must not be there.
    ///
    /// # Errors
    /// When the document is not JSON.
    pub fn create<T: Serialize>(document: &T) -> Result<Self, StoreError> {
        json(document).map(Self::Create)
    }
}

fn json<T: Serialize>(document: &T) -> Result<Value, StoreError> {
    serde_json::to_value(document).map_err(|error| StoreError::Refused(error.to_string()))
}

/// What the other writes of a batch get when one has failed.
const FAILED_DEPENDENCY: u16 = 424;

fn assemble(pk: &str, writes: Vec<Write>) -> Result<TransactionalBatch, CosmosError> {
    let batch = TransactionalBatch::new(pk.to_owned());
    writes.into_iter().try_fold(batch, |batch, write| match write {
        Write::Create(document) => batch.create_item(document),
        Write::Upsert(document) => batch.upsert_item(document, None),
        Write::Replace { id, etag, document } => {
            let condition = BatchReplaceOptions::default().with_precondition(Precondition::if_match(etag));
            batch.replace_item(id, document, Some(condition))
        }
    })
}

fn etag(header: Option<impl ToString>) -> Result<String, StoreError> {
    let etag = header.map(|etag| etag.to_string());
    etag.ok_or_else(|| StoreError::Refused("a document without an ETag".to_owned()))
}

/// A backstop: the client's own deadline comes first.
async fn within<T>(work: impl IntoFuture<Output = T>) -> Result<T, StoreError> {
    let late = |_| StoreError::away(format!("no answer in {PATIENCE:?}"));
    timeout(PATIENCE * 2, work.into_future()).await.map_err(late)
}

impl StoreError {
    /// Of two errors the one that weighs more, with the longer of the waits that they ask for: what will not pass before an
    /// absent store, and that before a busy document.
    pub(super) fn or_worse(self, other: Self) -> Self {
        let longest = self.retry_after().max(other.retry_after());
        let weight = |error: &Self| match error {
            Self::Busy { .. } => 0,
            Self::Away { .. } => 1,
            Self::Changed | Self::Refused(_) => 2,
        };
        let mut worse = if weight(&self) > weight(&other) {
            self
        } else {
            other
        };
        if let Self::Busy { retry_after, .. } | Self::Away { retry_after, .. } = &mut worse {
            *retry_after = longest;
        }
        worse
    }

    fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Busy { retry_after, .. } | Self::Away { retry_after, .. } => *retry_after,
            Self::Changed | Self::Refused(_) => None,
        }
    }

    /// The store is away.
    pub(super) fn away(why: String) -> Self {
        Self::Away {
            why,
            retry_after: None,
        }
    }
}

impl From<CosmosError> for StoreError {
    fn from(error: CosmosError) -> Self {
        let status = error.status();
        let asked = error
            .response()
            .and_then(|response| response.headers().retry_after_ms);
        let code = u16::from(status.status_code());
        if code != TOO_MANY_REQUESTS && (status.is_transient() || status.is_timeout()) {
            return Self::Away {
                why: error.to_string(),
                retry_after: asked.map(Duration::from_millis),
            };
        }
        of_status(code, error.to_string(), asked.map(Duration::from_millis))
    }
}

const TOO_MANY_REQUESTS: u16 = 429;

/// Credentials, roles and containers are mended by operators: messages wait for that as they wait for an outage.
fn of_status(code: u16, why: String, retry_after: Option<Duration>) -> StoreError {
    match code {
        409 | 412 => StoreError::Changed,
        // Two at a time wrote the same document.
        TOO_MANY_REQUESTS | 449 => StoreError::Busy { why, retry_after },
        401 | 403 | 404 | 408 | 410 | 500.. => StoreError::Away { why, retry_after },
        _ => StoreError::Refused(why),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_several_errors_the_worst_counts_and_the_longest_wait() {
        let busy = |seconds| of_status(429, "busy".to_owned(), Some(Duration::from_secs(seconds)));
        let away = || of_status(503, "away".to_owned(), None);
        let refused = || of_status(413, "large".to_owned(), None);
        for worst in [busy(9).or_worse(away()), away().or_worse(busy(9))] {
            assert!(
                matches!(&worst, StoreError::Away { retry_after: Some(wait), .. } if wait.as_secs() == 9),
                "{worst:?}"
            );
        }
        let longest = busy(2).or_worse(busy(5)).or_worse(busy(3));
        assert_eq!(longest.retry_after(), Some(Duration::from_secs(5)));
        for worst in [refused().or_worse(away()), busy(1).or_worse(refused())] {
            assert!(matches!(worst, StoreError::Refused(_)), "{worst:?}");
        }
    }
}
