//! The read model in Cosmos DB beside the log that it shows, and the pointer that says which generation is read.
//! Never changes the pointer without knowing its value.

use std::sync::Arc;

use super::engine::JobError;
use crate::{
    log::EventLog,
    read::{
        CosmosAccount, CosmosConnection, PointerCache, Projector,
        apply::DocumentWriter,
        connection::CosmosContainer,
        generation::GenerationPointer,
        jitter::Jitter,
        store::{Collection, DocumentStore, StoredDocument},
    },
};

/// Jobs that change which generation is live, written or removed exclude each other under this name.
pub const GENERATIONS: &str = "generations";
/// Most tries to change the pointer when another process was faster.
const ATTEMPTS: usize = 5;

/// Reaches the documents, the log and the pointer.
pub struct ReadModelAdmin<L = EventLog, S = DocumentStore> {
    pub(crate) log: Arc<L>,
    containers: [S; CosmosContainer::ALL.len()],
    generations: Arc<PointerCache<S>>,
    pub(super) projector: Projector<S>,
}

impl ReadModelAdmin {
    /// Connects when first used.
    #[must_use]
    pub fn new(log: Arc<EventLog>, account: CosmosAccount) -> Self {
        let connection = Arc::new(CosmosConnection::new(account));
        let open = |container| DocumentStore::new(&connection, container);
        Self::with_parts(log, open, Jitter::default())
    }
}

impl<L, S: Collection> ReadModelAdmin<L, S> {
    /// Reaches these containers and this log.
    #[must_use]
    pub fn with_parts(log: Arc<L>, open: impl Fn(CosmosContainer) -> S, jitter: Jitter) -> Self {
        let generations = Arc::new(PointerCache::with_store(open(CosmosContainer::Control)));
        Self {
            log,
            projector: Projector::with_parts(&generations, DocumentWriter::with_stores(&open), jitter),
            containers: CosmosContainer::ALL.map(open),
            generations,
        }
    }

    /// A container's documents.
    pub(crate) fn container(&self, container: CosmosContainer) -> &S {
        &self.containers[container as usize]
    }

    /// The pointer as it is.
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn pointer(&self) -> Result<GenerationPointer, JobError> {
        let found = self.generations.load().await?;
        Ok(found.map_or_else(GenerationPointer::default, |found| found.document))
    }

    /// Gives up the generation that is being filled, if there is one; a removal takes its documents away.
    ///
    /// # Errors
    /// [`JobError`] when another one is being removed.
    pub async fn give_up(&self) -> Result<GenerationPointer, JobError> {
        for _ in 1..ATTEMPTS {
            // A rebuild that still runs writes the pointer again and again.
            match self.try_to_give_up().await {
                Err(JobError::PointerChanged) => {}
                other => return other,
            }
        }
        self.try_to_give_up().await
    }

    async fn try_to_give_up(&self) -> Result<GenerationPointer, JobError> {
        let read = self.load().await?;
        let Some(building) = read.document.building else {
            return Ok(read.document);
        };
        if read.document.retiring.is_some() {
            return Err(JobError::refused(
                "another generation is being removed: finish that by `rebuild retire`",
            ));
        }
        let given_up = self.save(&read, |it| {
            it.building = None;
            it.retiring = Some(building.generation);
        });
        Ok(given_up.await?.document)
    }

    /// The pointer with its ETag; written first where there was none.
    pub(super) async fn load(&self) -> Result<StoredDocument<GenerationPointer>, JobError> {
        match self.generations.load().await? {
            Some(found) => Ok(found),
            None => Ok(self.generations.save(&GenerationPointer::default(), None).await?),
        }
    }

    /// Changes the pointer, unless somebody else has.
    pub(super) async fn save(
        &self,
        read: &StoredDocument<GenerationPointer>,
        change: impl FnOnce(&mut GenerationPointer),
    ) -> Result<StoredDocument<GenerationPointer>, JobError> {
        let mut pointer = read.document.clone();
        change(&mut pointer);
        Ok(self.generations.save(&pointer, Some(read)).await?)
    }
}
