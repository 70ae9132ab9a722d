//! The job that removes the documents of a generation that is not read any more, at a limited rate.
//! Never touches one that queries read or events are written to: it is taken out of the pointer first, and every process has had
//! the time to notice.

use std::{num::NonZeroU32, time::Duration};

use clap::Args;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep, sleep_until};

use super::{
    engine::{Job, JobError, StepContext, StepOutcome, patiently},
    read_model::{GENERATIONS, ReadModelAdmin},
    resources::Resources,
    rules::default_rate,
};
use crate::read::{
    connection::CosmosContainer,
    document::Generation,
    generation::REMEMBERED,
    store::{Collection, DocumentKey, DocumentSearch},
};

/// The containers that have documents of a generation.
const CONTAINERS: [CosmosContainer; 4] = [
    CosmosContainer::Orders,
    CosmosContainer::Customers,
    CosmosContainer::Products,
    CosmosContainer::Sales,
];
const NOTHING: &str = "there is no generation to be removed";
/// Most documents of one step.
const STEP: u32 = 200;
/// A query over all partitions may take so long.
const PATIENCE: Duration = Duration::from_secs(30);

/// The generation that was live before, or that was given up, removed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema, Args)]
#[serde(deny_unknown_fields)]
pub struct Retirement {
    /// Most documents a second.
    #[serde(default = "default_rate")]
    #[arg(long, default_value_t = default_rate())]
    pub rate: NonZeroU32,
}

/// The progress of a retirement.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct RetirementCursor {
    /// The generation, once no process goes by it any more.
    generation: Option<Generation>,
    /// Containers that are empty of it.
    emptied: usize,
    /// Documents removed.
    removed: i64,
}

impl<L: Send + Sync, S: Collection> Job<Resources<L, S>> for Retirement {
    const KIND: &'static str = "retirement";
    const SUMMARY: &'static str = "Remove the documents of a generation that is not read any more";
    const DETAIL: &'static str =
        "Those from before the last switch, or of a rebuild that was given up or has failed. Begins at once.";
    const EXCLUSIVE: Option<&'static str> = Some(GENERATIONS);
    type Cursor = RetirementCursor;

    fn example() -> Value {
        json!({ "rate": 200 })
    }

    fn needs(resources: &Resources<L, S>) -> Result<(), JobError> {
        resources.read_model().map(drop)
    }

    async fn may_start(&self, resources: &Resources<L, S>) -> Result<(), JobError> {
        let pointer = resources.read_model()?.pointer().await?;
        match (pointer.retiring, pointer.previous, pointer.building) {
            (None, None, None) => Err(JobError::refused(NOTHING)),
            _ => Ok(()),
        }
    }

    async fn step(
        &self,
        resources: &Resources<L, S>,
        context: &StepContext<'_>,
        cursor: &mut RetirementCursor,
    ) -> Result<StepOutcome, JobError> {
        let admin = resources.read_model()?;
        let Some(generation) = cursor.generation else {
            let retiring = taken_out(admin).await?;
            context.progress("waiting until nobody goes by it any more", 0, 0);
            sleep(2 * REMEMBERED).await;
            cursor.generation = Some(retiring);
            return Ok(StepOutcome::More);
        };
        let Some(container) = CONTAINERS.get(cursor.emptied) else {
            let read = admin.load().await?;
            if read.document.retiring == Some(generation) {
                admin.save(&read, |it| it.retiring = None).await?;
            }
            return Ok(StepOutcome::Completed(
                json!({ "generation": generation, "removed": cursor.removed }),
            ));
        };
        let most = self.rate.get().min(STEP);
        let removed = self.some(admin.container(*container), generation, most).await?;
        cursor.removed += removed;
        if removed == 0 {
            cursor.emptied += 1;
        }
        context.progress("documents removed", cursor.removed, 0);
        Ok(StepOutcome::More)
    }
}

impl Retirement {
    /// Removes up to so many documents; how many there were.
    async fn some(&self, store: &impl Collection, of: Generation, most: u32) -> Result<i64, JobError> {
        let search = DocumentSearch::Keys { generation: of, most };
        let places: Vec<DocumentKey> =
            patiently(|| async { Ok(store.find(search, PATIENCE).await?) }).await?;
        let mut removed = 0;
        for DocumentKey { pk, id } in places {
            let began = Instant::now();
            patiently(|| async { Ok(store.delete(&pk, &id).await?) }).await?;
            removed += 1;
            sleep_until(began + Duration::from_secs(1) / self.rate.get()).await;
        }
        Ok(removed)
    }
}

/// The generation that is to go; who asks from now on does not find it in the pointer. One that is half filled is given up: no
/// rebuild is open beside a retirement.
async fn taken_out<L>(admin: &ReadModelAdmin<L, impl Collection>) -> Result<Generation, JobError> {
    let read = admin.load().await?;
    let pointer = &read.document;
    if let Some(retiring) = pointer.retiring {
        return Ok(retiring);
    }
    let building = pointer.building.map(|building| building.generation);
    let Some(taken) = pointer.previous.or(building) else {
        return Err(JobError::refused(NOTHING));
    };
    let taking = admin.save(&read, |it| {
        if it.previous.take().is_none() {
            it.building = None;
        }
        it.retiring = Some(taken);
    });
    taking.await?;
    Ok(taken)
}
