//! The read model in Cosmos DB beside the log that it shows, and the pointer that says which generation is read.
//! Never changes the pointer without knowing what it was.

use std::sync::Arc;

use super::Failed;
use crate::{
    log::EventLog,
    read::{
        Connection, CosmosAccount, PointerCache, Projector, document::Generation,
        generation::GenerationPointer, store::StoredDocument,
    },
};

/// How often the pointer is tried to be changed when somebody else has.
const ATTEMPTS: usize = 5;

/// What reaches both.
pub struct Model {
    pub(super) log: Arc<EventLog>,
    pub(super) connection: Arc<Connection>,
    generations: Arc<PointerCache>,
    pub(super) projector: Projector,
}

impl Model {
    /// Connects when first used.
    #[must_use]
    pub fn new(log: Arc<EventLog>, account: CosmosAccount) -> Self {
        let connection = Arc::new(Connection::new(account));
        let generations = Arc::new(PointerCache::new(&connection));
        Self {
            log,
            projector: Projector::new(&connection, &generations),
            connection,
            generations,
        }
    }

    /// The pointer as it is.
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn pointer(&self) -> Result<GenerationPointer, Failed> {
        let found = self.generations.load().await?;
        Ok(found.map_or_else(GenerationPointer::default, |found| found.document))
    }

    /// Reads the generation that was live before again, or makes sure that this one is read; what was live stays written, so
    /// that this can be undone by itself.
    ///
    /// # Errors
    /// [`Failed`] when there is nothing to go back to, and, where nobody says which, after a rollback: asking twice would undo
    /// it.
    pub async fn roll_back(&self, to: Option<Generation>) -> Result<GenerationPointer, Failed> {
        let read = self.load().await?;
        if to == Some(read.document.live) {
            return Ok(read.document);
        }
        let Some(previous) = read.document.previous else {
            return Err(Failed::refused("no generation was live before this one"));
        };
        match to {
            None if read.document.rolled_back => {
                return Err(Failed::refused(format!(
                    "the last switch was a rollback, to generation {}; --to {previous} undoes it",
                    read.document.live
                )));
            }
            Some(to) if to != previous => {
                let why = format!("generation {to} was not live before this one");
                return Err(Failed::refused(why));
            }
            _ => {}
        }
        let turned = self.save(&read, |it| {
            it.previous = Some(it.live);
            it.live = previous;
            it.rolled_back = true;
        });
        Ok(turned.await?.document)
    }

    /// Gives up the generation that is being filled, if there is one; a removal takes its documents away.
    ///
    /// # Errors
    /// [`Failed`] when another one is being removed.
    pub async fn give_up(&self) -> Result<GenerationPointer, Failed> {
        for _ in 1..ATTEMPTS {
            // Whoever fills it writes the pointer again and again.
            match self.try_to_give_up().await {
                Err(Failed::Overtaken) => {}
                other => return other,
            }
        }
        self.try_to_give_up().await
    }

    async fn try_to_give_up(&self) -> Result<GenerationPointer, Failed> {
        let read = self.load().await?;
        let Some(building) = read.document.building else {
            return Ok(read.document);
        };
        if read.document.retiring.is_some() {
            return Err(Failed::refused(
                "another generation is being removed: finish that by `retire`",
            ));
        }
        let given_up = self.save(&read, |it| {
            it.building = None;
            it.retiring = Some(building.generation);
        });
        Ok(given_up.await?.document)
    }

    /// The pointer with its ETag; written first where there was none.
    pub(super) async fn load(&self) -> Result<StoredDocument<GenerationPointer>, Failed> {
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
    ) -> Result<StoredDocument<GenerationPointer>, Failed> {
        let mut pointer = read.document.clone();
        change(&mut pointer);
        Ok(self.generations.save(&pointer, Some(read)).await?)
    }
}
