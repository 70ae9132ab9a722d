//! The pointer in the container `control`: the generation that is read, and those that are written. Remembered for a few seconds.
//! Never changes it: a rebuild does, and relies on no process using an older one.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::{
    connection::{CosmosConnection, CosmosContainer},
    document::Generation,
    store::{Collection, DocumentStore, StoreError, StoredDocument},
};

/// Greatest age of a pointer in use, counted from before it was read.
pub const REMEMBERED: Duration = Duration::from_secs(5);

/// Partition key and id of the pointer.
const POINTER: (&str, &str) = ("control", "pointer");

/// Container `control`, partition key `"control"`, id `"pointer"`. Where there is none, generation 1 is live and nothing else is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct GenerationPointer {
    id: String,
    pk: String,
    /// The one that queries read.
    pub live: Generation,
    /// The highest number that was ever used.
    pub highest: Generation,
    /// The one that a rebuild fills.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub building: Option<BuildProgress>,
    /// The one that was live before, still written: going back is one write.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<Generation>,
    /// The one that is neither read nor written any more, and whose documents are being deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retiring: Option<Generation>,
    /// The last change of `live` was a rollback, and not the end of a rebuild.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub rolled_back: bool,
}

/// Progress of a rebuild.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BuildProgress {
    /// Its number.
    pub generation: Generation,
    /// The log's last position when the scan began; later events come by the bus. Absent until it begins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<i64>,
    /// Everything up to this position of the log is in.
    pub position: i64,
}

/// The pointer as this process uses it, remembered for a few seconds.
pub struct PointerCache<S = DocumentStore> {
    store: S,
    known: Mutex<Option<(Instant, Arc<GenerationPointer>)>>,
    /// Held by the one who reads it anew; when that failed last, and why.
    reading: tokio::sync::Mutex<Option<(Instant, StoreError)>>,
}

impl Default for GenerationPointer {
    fn default() -> Self {
        Self {
            id: POINTER.1.to_owned(),
            pk: POINTER.0.to_owned(),
            live: Generation::FIRST,
            highest: Generation::FIRST,
            building: None,
            previous: None,
            retiring: None,
            rolled_back: false,
        }
    }
}

impl GenerationPointer {
    /// Every generation that an event goes into.
    #[must_use]
    pub fn written(&self) -> Vec<Generation> {
        let building = self.building.map(|building| building.generation);
        [Some(self.live), building, self.previous]
            .into_iter()
            .flatten()
            .collect()
    }
}

impl PointerCache {
    /// Of this account.
    #[must_use]
    pub fn new(connection: &Arc<CosmosConnection>) -> Self {
        Self::with_store(DocumentStore::new(connection, CosmosContainer::Control))
    }
}

impl<S: Collection> PointerCache<S> {
    /// Of this container.
    #[must_use]
    pub fn with_store(control: S) -> Self {
        Self {
            store: control,
            known: Mutex::default(),
            reading: tokio::sync::Mutex::default(),
        }
    }

    /// The pointer, at most [`REMEMBERED`] old.
    ///
    /// # Errors
    /// [`StoreError::Away`], [`StoreError::Busy`] or [`StoreError::Refused`] when it cannot be read.
    pub async fn current(&self) -> Result<Arc<GenerationPointer>, StoreError> {
        if let Some(known) = self.known() {
            return Ok(known);
        }
        let arrived = Instant::now();
        let mut failed = self.reading.lock().await;
        if let Some(known) = self.known() {
            return Ok(known);
        }
        // A caller that has waited for a failed try does not try again: in an outage callers would queue without end.
        if let Some((_, error)) = failed.as_ref().filter(|(at, _)| *at >= arrived) {
            return Err(error.clone());
        }
        let asked = Instant::now();
        let found = match self.load().await {
            Ok(found) => found.map_or_else(GenerationPointer::default, |it| it.document),
            Err(error) => {
                *failed = Some((Instant::now(), error.clone()));
                return Err(error);
            }
        };
        let pointer = Arc::new(found);
        *self.known.lock().unwrap_or_else(PoisonError::into_inner) = Some((asked, Arc::clone(&pointer)));
        Ok(pointer)
    }

    fn known(&self) -> Option<Arc<GenerationPointer>> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let (at, pointer) = known.as_ref()?;
        (at.elapsed() < REMEMBERED).then(|| Arc::clone(pointer))
    }

    /// The pointer as it lies there, with its ETag; `None` before the first rebuild.
    ///
    /// # Errors
    /// See [`Self::current`].
    pub async fn load(&self) -> Result<Option<StoredDocument<GenerationPointer>>, StoreError> {
        match self.store.read(POINTER.0, POINTER.1).await {
            // No event is to blame for it: all of them wait until a person has mended it.
            Err(error @ StoreError::Unreadable { .. }) => Err(StoreError::away(error)),
            read => read,
        }
    }

    /// Puts another in the place of the one that was read.
    ///
    /// # Errors
    /// [`StoreError::Changed`] when another writer was first.
    pub async fn save(
        &self,
        pointer: &GenerationPointer,
        read: Option<&StoredDocument<GenerationPointer>>,
    ) -> Result<StoredDocument<GenerationPointer>, StoreError> {
        let etag = match read {
            None => self.store.create(POINTER.0, POINTER.1, pointer).await?,
            Some(read) => {
                self.store
                    .replace(POINTER.0, POINTER.1, pointer, &read.etag)
                    .await?
            }
        };
        Ok(StoredDocument {
            document: pointer.clone(),
            etag,
        })
    }
}
