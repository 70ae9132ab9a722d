//! One container with the documents of it that this process remembers: brings a document in over what is there.
//! Never overwrites what is newer, and never finds in its cache that there is nothing to do: only the store can say that.

use serde::de::DeserializeOwned;

use super::{
    cache::DocumentCache,
    document::{Document, order::EventDocument},
    store::{BatchWrite, Collection, FoundDocument, StoreError, StoredDocument},
};
use crate::error_chain::cause;

/// Tries at once, when another writer was first each time.
pub(super) const ATTEMPTS: usize = 5;

/// The fate of a document that shows the same version already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SameVersionRule {
    /// It stays: the same version says the same.
    Keep,
    /// It is written again where it says something else: an operator has asked for it.
    Repair,
}

/// The outcome of bringing a change into its documents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WriteOutcome {
    /// Something was written.
    Written,
    /// The documents showed it already.
    AlreadyThere,
}

/// A document of the store with its ETag; `None` for one that cannot be read, which counts as absent.
pub(super) type KnownDocument<D> = StoredDocument<Option<D>>;

/// A container, and the documents of it that are remembered.
pub(super) struct CachedStore<S, D> {
    pub(super) store: S,
    cache: DocumentCache<D>,
}

impl<S, D> CachedStore<S, D> {
    /// Remembers up to so many documents.
    pub(super) fn new(store: S, remembered: usize) -> Self {
        Self {
            store,
            cache: DocumentCache::new(remembered),
        }
    }
}

impl<S: Collection, D: DeserializeOwned + Send> CachedStore<S, D> {
    /// Takes a remembered document; its writer remembers the new one.
    pub(super) fn take(&self, pk: &str, id: &str) -> Option<KnownDocument<D>> {
        let StoredDocument { document, etag } = self.cache.take(pk, id)?;
        let document = Some(document);
        Some(StoredDocument { document, etag })
    }

    /// Remembers a document.
    pub(super) fn remember(&self, pk: &str, id: &str, document: D, etag: String) {
        self.cache.put(pk, id, StoredDocument { document, etag });
    }

    /// Reads a document from the store. One that cannot be read is logged: it will be overwritten.
    pub(super) async fn read(&self, pk: &str, id: &str) -> Result<Option<KnownDocument<D>>, StoreError> {
        let Some(StoredDocument { document, etag }) = self.store.read::<FoundDocument<D>>(pk, id).await?
        else {
            return Ok(None);
        };
        let document = match document {
            FoundDocument::Document(document) => Some(document),
            FoundDocument::Unreadable { why, .. } => {
                tracing::error!(pk, id, %why, "document_unreadable");
                None
            }
        };
        Ok(Some(StoredDocument { document, etag }))
    }
}

impl<S: Collection, D: Document> CachedStore<S, D> {
    /// Puts `incoming` over what is there, in one batch with `event` beside it. The caller holds the document's lane.
    pub(super) async fn put_over(
        &self,
        incoming: &D,
        event: Option<&EventDocument>,
        rule: SameVersionRule,
    ) -> Result<WriteOutcome, StoreError> {
        let (pk, id) = (incoming.pk(), incoming.id());
        let mut known = self.take(pk, &id);
        // Nothing older than a first version can be there, so that one is written without a read.
        let mut is_read = false;
        for _ in 0..ATTEMPTS {
            if known.is_none() && (is_read || !incoming.is_first()) {
                known = self.read(pk, &id).await?;
                is_read = true;
            }
            let shown = known.as_ref().and_then(|stored| stored.document.as_ref());
            let next = match (shown, rule) {
                (None, _) => Some(incoming.clone()),
                (Some(existing), SameVersionRule::Keep) => incoming.replacing(existing),
                (Some(existing), SameVersionRule::Repair) => incoming.repairing(existing),
            };
            let Some(next) = next else {
                if is_read {
                    return self.leave(pk, &id, known, event).await;
                }
                (known, is_read) = (None, true);
                continue;
            };
            match self.write(pk, &id, &next, known.as_ref(), event).await {
                Ok(etag) => {
                    self.remember(pk, &id, next, etag);
                    return Ok(WriteOutcome::Written);
                }
                Err(StoreError::Changed) => (known, is_read) = (None, true),
                Err(error) => return Err(error),
            }
        }
        Err(still_changing())
    }

    /// Leaves a document that shows everything already, and writes the event that belongs beside it.
    async fn leave(
        &self,
        pk: &str,
        id: &str,
        known: Option<KnownDocument<D>>,
        event: Option<&EventDocument>,
    ) -> Result<WriteOutcome, StoreError> {
        if let Some(StoredDocument {
            document: Some(document),
            etag,
        }) = known
        {
            self.remember(pk, id, document, etag);
        }
        let Some(event) = event else {
            return Ok(WriteOutcome::AlreadyThere);
        };
        self.store.upsert(pk, event.id(), event).await?;
        Ok(WriteOutcome::Written)
    }

    /// Writes a document in the place of the one that was read, alone or with an event beside it, and returns its new ETag.
    async fn write(
        &self,
        pk: &str,
        id: &str,
        document: &D,
        read: Option<&KnownDocument<D>>,
        event: Option<&EventDocument>,
    ) -> Result<String, StoreError> {
        match (event, read) {
            (Some(event), read) => {
                let writes = vec![
                    BatchWrite::put(document, id.to_owned(), read)?,
                    BatchWrite::upsert(event)?,
                ];
                let written = self.store.batch(pk, writes).await;
                written
                    .map(|etags| etags.into_iter().next().unwrap_or_default())
                    .map_err(|failed| failed.error)
            }
            (None, None) => self.store.create(pk, id, document).await,
            (None, Some(read)) => self.store.replace(pk, id, document, &read.etag).await,
        }
    }
}

/// A replica that lags would show the old ETag again and again: only time helps.
pub(super) fn still_changing() -> StoreError {
    StoreError::Busy {
        source: cause("the document keeps changing"),
        retry_after: None,
    }
}
