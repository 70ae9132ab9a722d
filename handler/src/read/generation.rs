//! Which generation of the documents is read and which are written: the pointer in the container `control`, remembered for a
//! few seconds. Never changes it: a rebuild does, and counts on nobody going by one that is older.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::{
    connection::{Connection, Container},
    document::Generation,
    store::{Collection, Store, StoreError, Stored},
};

/// How old a pointer may be that somebody goes by, counted from before it was read.
pub const REMEMBERED: Duration = Duration::from_secs(5);

/// Partition key and id of the pointer.
const POINTER: (&str, &str) = ("control", "pointer");

/// Container `control`, partition key `"control"`, id `"pointer"`. Where there is none, generation 1 is live and nothing else is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Pointer {
    id: String,
    pk: String,
    /// The one that queries read.
    pub live: Generation,
    /// The highest number that was ever used.
    pub highest: Generation,
    /// The one that a rebuild fills.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub building: Option<Building>,
    /// The one that was live before, still written: going back is one write.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<Generation>,
    /// The one that nobody reads or writes any more, and whose documents are being deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retiring: Option<Generation>,
    /// The last change of `live` was a rollback, and not the end of a rebuild.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub rolled_back: bool,
}

/// How far a rebuild is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Building {
    /// Its number.
    pub generation: Generation,
    /// The log's last position when the scan began; later events come by the bus. Absent until it begins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<i64>,
    /// Everything up to this position of the log is in.
    pub position: i64,
}

/// The pointer, as everybody in this process goes by it.
pub struct Generations<S = Store> {
    store: S,
    known: Mutex<Option<(Instant, Arc<Pointer>)>>,
    /// Held by the one who reads it anew; when that failed last, and why.
    reading: tokio::sync::Mutex<Option<(Instant, StoreError)>>,
}

impl Default for Pointer {
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

impl Pointer {
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

impl Generations {
    /// Of this account.
    #[must_use]
    pub fn new(connection: &Arc<Connection>) -> Self {
        Self::of(Store::new(connection, Container::Control))
    }
}

impl<S: Collection> Generations<S> {
    /// Of this container.
    #[must_use]
    pub fn of(control: S) -> Self {
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
    pub async fn now(&self) -> Result<Arc<Pointer>, StoreError> {
        if let Some(known) = self.known() {
            return Ok(known);
        }
        let arrived = Instant::now();
        let mut failed = self.reading.lock().await;
        if let Some(known) = self.known() {
            return Ok(known);
        }
        // Whoever has waited for a try that failed does not try again himself: in an outage they would queue without end.
        if let Some((_, error)) = failed.as_ref().filter(|(at, _)| *at >= arrived) {
            return Err(error.clone());
        }
        let asked = Instant::now();
        let found = match self.load().await {
            Ok(found) => found.map_or_else(Pointer::default, |it| it.document),
            Err(error) => {
                *failed = Some((Instant::now(), error.clone()));
                return Err(error);
            }
        };
        let pointer = Arc::new(found);
        *self.known.lock().unwrap_or_else(PoisonError::into_inner) = Some((asked, Arc::clone(&pointer)));
        Ok(pointer)
    }

    fn known(&self) -> Option<Arc<Pointer>> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let (at, pointer) = known.as_ref()?;
        (at.elapsed() < REMEMBERED).then(|| Arc::clone(pointer))
    }

    /// The pointer as it lies there, with its ETag; `None` before the first rebuild.
    ///
    /// # Errors
    /// See [`Self::now`].
    pub async fn load(&self) -> Result<Option<Stored<Pointer>>, StoreError> {
        match self.store.read(POINTER.0, POINTER.1).await {
            // No event is to blame for it: all of them wait until a person has mended it.
            Err(error @ StoreError::Unreadable { .. }) => Err(StoreError::away(error)),
            read => read,
        }
    }

    /// Puts another in the place of the one that was read.
    ///
    /// # Errors
    /// [`StoreError::Changed`] when somebody else was first.
    pub async fn save(
        &self,
        pointer: &Pointer,
        read: Option<&Stored<Pointer>>,
    ) -> Result<Stored<Pointer>, StoreError> {
        let etag = match read {
            None => self.store.create(POINTER.0, POINTER.1, pointer).await?,
            Some(read) => self.store.replace(POINTER, pointer, &read.etag).await?,
        };
        Ok(Stored {
            document: pointer.clone(),
            etag,
        })
    }
}
