//! Removes the documents of a generation that nobody reads any more, at a limited rate.
//! Never one that queries read or events are written to: it is taken out of the pointer first, and everybody has had the time
//! to notice.

use std::num::NonZeroU32;

use serde::Deserialize;
use serde_json::json;
use tokio::time::Instant;

use super::{Failed, Tell, patiently, rebuild::Rebuild};
use crate::read::{connection::Container, document::Generation, generation::REMEMBERED, store::Store};

/// Where documents of a generation are.
const CONTAINERS: [Container; 4] = [
    Container::Orders,
    Container::Customers,
    Container::Products,
    Container::Sales,
];
/// Documents that are looked up at a time.
const STEP: usize = 200;
/// A query over all partitions may take so long.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(30);

/// Where a document is.
#[derive(Deserialize)]
struct Place {
    pk: String,
    id: String,
}

impl Rebuild {
    /// Removes the generation that was live before, or the one that was given up; at most `rate` documents a second.
    /// How many documents there were.
    ///
    /// # Errors
    /// [`Failed`]; what is removed stays removed, and the next call goes on.
    pub async fn retire(&self, rate: NonZeroU32, tell: Tell<'_>) -> Result<i64, Failed> {
        let mut pointer = self.load().await?;
        let retiring = match (pointer.document.retiring, pointer.document.previous) {
            (Some(retiring), _) => retiring,
            (None, Some(previous)) => {
                let taken = self.save(pointer, |it| {
                    it.previous = None;
                    it.retiring = Some(previous);
                });
                pointer = taken.await?;
                previous
            }
            (None, None) => return Err(Failed::refused("there is no generation to be removed")),
        };
        tell("waiting until nobody goes by it any more", 0, 0);
        tokio::time::sleep(2 * REMEMBERED).await;
        let mut removed = 0;
        for container in CONTAINERS {
            let store = Store::new(self.connection(), container);
            removed = empty(&store, retiring, rate, removed, tell).await?;
        }
        self.save(pointer, |it| it.retiring = None).await?;
        Ok(removed)
    }
}

/// Removes what the container has of the generation; `removed` before and after.
async fn empty(
    store: &Store,
    of: Generation,
    rate: NonZeroU32,
    mut removed: i64,
    tell: Tell<'_>,
) -> Result<i64, Failed> {
    let text = format!("SELECT TOP {STEP} c.pk, c.id FROM c WHERE c.gen = @gen");
    let parameters = [("@gen", json!(of))];
    loop {
        let places: Vec<Place> =
            patiently(async || Ok(store.query(None, &text, &parameters, PATIENCE).await?)).await?;
        if places.is_empty() {
            return Ok(removed);
        }
        for Place { pk, id } in places {
            let begun = Instant::now();
            patiently(async || Ok(store.delete(&pk, &id).await?)).await?;
            removed += 1;
            tokio::time::sleep_until(begun + std::time::Duration::from_secs(1) / rate.get()).await;
        }
        tell("documents removed", removed, 0);
    }
}
