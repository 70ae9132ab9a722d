//! Transactional batches: several writes into one partition, all of them or none.
//! Never believes an answer as a whole: a batch of which one write failed is answered as if all were well.

use azure_data_cosmos::{
    CosmosError, TransactionalBatch,
    options::{BatchReplaceOptions, Precondition},
};
use serde::Serialize;
use serde_json::Value;

use super::{DocumentStore, StoreError, StoredDocument, error::from_status, with_deadline};
use crate::error_chain::cause;

/// One write of a batch.
#[derive(Debug)]
pub enum BatchWrite {
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
        /// The new document.
        document: Value,
    },
}

/// A batch of which nothing was written, because of its write at this place.
#[derive(Debug)]
pub struct BatchError {
    /// The place of the write that did not hold; `None` when nothing is known of single writes.
    pub at: Option<usize>,
    /// The reason.
    pub error: StoreError,
}

impl DocumentStore {
    /// Writes all of it or nothing.
    pub(super) async fn execute_batch(
        &self,
        pk: &str,
        writes: Vec<BatchWrite>,
    ) -> Result<Vec<String>, BatchError> {
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
        let answer = with_deadline(asking).await.map_err(whole)?;
        let answer = answer.map_err(|error| whole(error.into()))?;
        // A batch of which one write failed is answered as if all were well: each result must be checked.
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
            code => from_status(
                code,
                format!("write {at} of a batch: status {code}"),
                result.retry_after(),
            ),
        };
        Err(BatchError { at: Some(at), error })
    }
}

impl BatchWrite {
    /// A new document, or one that takes the place of the one that was read.
    ///
    /// # Errors
    /// The document cannot be written as JSON.
    pub fn put<T: Serialize, U>(
        document: &T,
        id: String,
        read: Option<&StoredDocument<U>>,
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
    /// The document cannot be written as JSON.
    pub fn upsert<T: Serialize>(document: &T) -> Result<Self, StoreError> {
        json(document).map(Self::Upsert)
    }

    /// A document that must not be there.
    ///
    /// # Errors
    /// The document cannot be written as JSON.
    pub fn create<T: Serialize>(document: &T) -> Result<Self, StoreError> {
        json(document).map(Self::Create)
    }
}

fn json<T: Serialize>(document: &T) -> Result<Value, StoreError> {
    serde_json::to_value(document).map_err(|error| StoreError::Refused(cause(error)))
}

/// Status of a batch's other writes when one has failed.
const FAILED_DEPENDENCY: u16 = 424;

fn assemble(pk: &str, writes: Vec<BatchWrite>) -> Result<TransactionalBatch, CosmosError> {
    let batch = TransactionalBatch::new(pk.to_owned());
    writes.into_iter().try_fold(batch, |batch, write| match write {
        BatchWrite::Create(document) => batch.create_item(document),
        BatchWrite::Upsert(document) => batch.upsert_item(document, None),
        BatchWrite::Replace { id, etag, document } => {
            let condition = BatchReplaceOptions::default().with_precondition(Precondition::if_match(etag));
            batch.replace_item(id, document, Some(condition))
        }
    })
}
