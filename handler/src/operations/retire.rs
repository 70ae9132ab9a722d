//! Removes the documents of a generation that nobody reads any more, at a limited rate.
//! Never one that queries read or events are written to: it is taken out of the pointer first, and everybody has had the time
//! to notice.

use std::{num::NonZeroU32, time::Duration};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::time::{Instant, sleep, sleep_until};

use super::{Failed, Tell, model::Model, patiently, runner::Came};
use crate::read::{
    connection::CosmosContainer,
    document::Generation,
    generation::{GenerationPointer, REMEMBERED},
    store::DocumentStore,
};

/// Where documents of a generation are.
const CONTAINERS: [CosmosContainer; 4] = [
    CosmosContainer::Orders,
    CosmosContainer::Customers,
    CosmosContainer::Products,
    CosmosContainer::Sales,
];
/// Most documents of one piece.
const STEP: u32 = 200;
/// A query over all partitions may take so long.
const PATIENCE: Duration = Duration::from_secs(30);
/// Documents a second where nobody says.
pub const USUAL_RATE: NonZeroU32 = NonZeroU32::MIN.saturating_add(199);

/// The generation that was live before, or that was given up, removed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Removal {
    /// Most documents a second.
    #[serde(default = "usual_rate")]
    pub rate: NonZeroU32,
}

fn usual_rate() -> NonZeroU32 {
    USUAL_RATE
}

/// How far it is.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Cursor {
    /// Which one, once nobody goes by it any more.
    generation: Option<Generation>,
    /// How many containers are empty of it.
    emptied: usize,
    /// Documents removed.
    removed: i64,
}

/// Where a document is.
#[derive(Deserialize)]
struct Place {
    pk: String,
    id: String,
}

impl Removal {
    /// Does some of it.
    pub(super) async fn piece(
        &self,
        model: &Model,
        cursor: &mut Cursor,
        tell: Tell<'_>,
    ) -> Result<Came, Failed> {
        let Some(generation) = cursor.generation else {
            let retiring = taken_out(model).await?;
            tell("waiting until nobody goes by it any more", 0, 0);
            sleep(2 * REMEMBERED).await;
            cursor.generation = Some(retiring);
            return Ok(Came::More);
        };
        let Some(container) = CONTAINERS.get(cursor.emptied) else {
            let read = model.load().await?;
            if read.document.retiring == Some(generation) {
                model.save(&read, |it| it.retiring = None).await?;
            }
            return Ok(Came::Over(
                json!({ "generation": generation, "removed": cursor.removed }),
            ));
        };
        let store = DocumentStore::new(&model.connection, *container);
        let most = self.rate.get().min(STEP);
        let removed = self.some(&store, generation, most).await?;
        cursor.removed += removed;
        if removed == 0 {
            cursor.emptied += 1;
        }
        tell("documents removed", cursor.removed, 0);
        Ok(Came::More)
    }

    /// Removes up to so many documents; how many there were.
    async fn some(&self, store: &DocumentStore, of: Generation, most: u32) -> Result<i64, Failed> {
        let text = format!("SELECT TOP {most} c.pk, c.id FROM c WHERE c.gen = @gen");
        let parameters = [("@gen", json!(of))];
        let places: Vec<Place> =
            patiently(async || Ok(store.query(None, &text, &parameters, PATIENCE).await?)).await?;
        let mut removed = 0;
        for Place { pk, id } in places {
            let began = Instant::now();
            patiently(async || Ok(store.delete(&pk, &id).await?)).await?;
            removed += 1;
            sleep_until(began + Duration::from_secs(1) / self.rate.get()).await;
        }
        Ok(removed)
    }
}

/// Whether there is something to be removed.
pub(super) fn may_begin(pointer: &GenerationPointer) -> Result<(), Failed> {
    match (pointer.retiring, pointer.previous, pointer.building) {
        (None, None, None) => Err(Failed::refused("there is no generation to be removed")),
        _ => Ok(()),
    }
}

/// The generation that is to go; nobody who asks from now on finds it in the pointer. One that is half filled is given up: no
/// rebuild is under way beside a removal.
async fn taken_out(model: &Model) -> Result<Generation, Failed> {
    let read = model.load().await?;
    let pointer = &read.document;
    if let Some(retiring) = pointer.retiring {
        return Ok(retiring);
    }
    let building = pointer.building.map(|building| building.generation);
    let Some(taken) = pointer.previous.or(building) else {
        return Err(Failed::refused("there is no generation to be removed"));
    };
    let taking = model.save(&read, |it| {
        if it.previous.take().is_none() {
            it.building = None;
        }
        it.retiring = Some(taken);
    });
    taking.await?;
    Ok(taken)
}
