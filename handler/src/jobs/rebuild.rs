//! The job that rebuilds the read model: new documents beside the ones that are read, a proof, and the switch.
//! Never stops live traffic: what happens meanwhile goes into both.
//!
//! Safe at any kill: the pointer in the container `control` says how far it is, and the next step goes on from there.
//! An event that was committed before the scan began is in the scan; a later one is projected by an invocation that has seen
//! the new generation in the pointer, since nobody goes by one that is older than [`REMEMBERED`].

use std::{num::NonZeroU32, time::Duration};

use clap::Args;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep, sleep_until};

use super::{
    engine::{Job, JobError, StepContext, StepOutcome},
    events::all_readable,
    project::project,
    read_model::{GENERATIONS, ReadModelAdmin},
    resources::Resources,
    verification::{DEFAULT_GRACE, DueEvents, VerificationCursor},
};
use crate::{
    log::LogStore,
    read::{
        document::Generation,
        generation::{BuildProgress, GenerationPointer, REMEMBERED},
        store::{Collection, StoredDocument},
    },
};

/// Longer than any statement of the app may take: its role's statement_timeout is 2 s.
const STATEMENTS: Duration = Duration::from_secs(3);
/// Longer than a replica of the store lags: another process may have written what is proved, and a client sees at once only
/// what it wrote itself (session consistency).
const REPLICAS: Duration = Duration::from_secs(5);
/// Most events of one step; the pointer is written after each.
const STEP: u32 = 100;

/// All documents once more, beside the ones that are read.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema, Args)]
#[serde(deny_unknown_fields, default)]
pub struct Rebuild {
    /// Most events a second; as fast as it goes when nothing is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[arg(long)]
    pub rate: Option<NonZeroU32>,
}

/// The progress of a rebuild, beside what the pointer says.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct RebuildCursor {
    /// The one that is being filled.
    generation: Option<Generation>,
    /// The proof, once everything is in.
    proof: Option<VerificationCursor>,
}

impl<L: LogStore, S: Collection> Job<Resources<L, S>> for Rebuild {
    const KIND: &'static str = "rebuild";
    const SUMMARY: &'static str = "Rebuild the read model";
    const DETAIL: &'static str = "Fills new documents beside those that are read, proves them, and switches over. Cancelled, it gives up what it has filled.";
    const EXCLUSIVE: Option<&'static str> = Some(GENERATIONS);
    const CLEANS_UP: bool = true;
    type Cursor = RebuildCursor;

    fn example() -> Value {
        json!({ "rate": 500 })
    }

    fn needs(resources: &Resources<L, S>) -> Result<(), JobError> {
        resources.read_model().map(drop)
    }

    async fn may_start(&self, resources: &Resources<L, S>) -> Result<(), JobError> {
        may_begin(&resources.read_model()?.pointer().await?)
    }

    async fn step(
        &self,
        resources: &Resources<L, S>,
        context: &StepContext<'_>,
        cursor: &mut RebuildCursor,
    ) -> Result<StepOutcome, JobError> {
        let admin = resources.read_model()?;
        let read = admin.load().await?;
        let Some(proof) = &mut cursor.proof else {
            let (read, building) = begun(admin, read, cursor).await?;
            cursor.generation = Some(building.generation);
            if let Some(until) = self.fill(admin, &read, building, context).await? {
                sleep(REPLICAS).await;
                cursor.proof = Some(VerificationCursor::new(
                    building.generation,
                    DueEvents::Position(until),
                    100,
                    DEFAULT_GRACE,
                ));
            }
            return Ok(StepOutcome::More);
        };
        if !proof.advance(admin, context).await? {
            return Ok(StepOutcome::More);
        }
        let report = proof.report();
        if report.is_bad() {
            let note = "differences were found, and nothing was switched".to_owned();
            let result = json!(report);
            return Ok(StepOutcome::Failed { result, note });
        }
        if read.document.live != report.generation {
            switch(admin, &read, report.generation).await?;
        }
        Ok(StepOutcome::Completed(json!(report)))
    }

    async fn clean_up(resources: &Resources<L, S>) -> Result<(), JobError> {
        resources.read_model()?.give_up().await.map(drop)
    }
}

impl Rebuild {
    /// Fills in some more; when everything is in, up to which position that is.
    async fn fill(
        &self,
        admin: &ReadModelAdmin<impl LogStore, impl Collection>,
        read: &StoredDocument<GenerationPointer>,
        mut building: BuildProgress,
        context: &StepContext<'_>,
    ) -> Result<Option<i64>, JobError> {
        let Some(until) = building.until else {
            context.progress("waiting until everybody knows the new generation", 0, 0);
            sleep(2 * REMEMBERED).await;
            building.until = Some(admin.log.last().await?);
            // A position before it may not be visible yet: its statement is under way, which ends within the role's time.
            sleep(STATEMENTS).await;
            admin.save(read, |it| it.building = Some(building)).await?;
            return Ok(None);
        };
        if building.position >= until {
            return Ok(Some(until));
        }
        let began = Instant::now();
        let most = self.rate.map_or(STEP, |rate| rate.get().min(STEP));
        let page = all_readable(admin.log.page(building.position, until, most.into()).await?)?;
        let events = page.len();
        building.position = page.last().map_or(until, |last| last.position);
        let refused = project(&admin.projector, Some(building.generation), page).await?;
        if let Some((event_id, why)) = refused.into_iter().next() {
            return Err(JobError::refused(format!("event {event_id} of the log: {why}")));
        }
        admin.save(read, |it| it.building = Some(building)).await?;
        context.progress("events of the log", building.position, until);
        if let Some(rate) = self.rate {
            sleep_until(began + Duration::from_secs(events as u64) / rate.get()).await;
        }
        Ok(None)
    }
}

/// Refuses a new generation while the one before the live one is there.
fn may_begin(pointer: &GenerationPointer) -> Result<(), JobError> {
    if pointer.building.is_none() && (pointer.previous.is_some() || pointer.retiring.is_some()) {
        return Err(JobError::refused(
            "the generation before is still there: remove it first by `rebuild retire`, or go back to it by `rebuild rollback`",
        ));
    }
    Ok(())
}

/// The generation to be filled, with the pointer that names it.
async fn begun<L>(
    admin: &ReadModelAdmin<L, impl Collection>,
    read: StoredDocument<GenerationPointer>,
    cursor: &RebuildCursor,
) -> Result<(StoredDocument<GenerationPointer>, BuildProgress), JobError> {
    if let Some(building) = read.document.building {
        return Ok((read, building));
    }
    if cursor.generation.is_some() {
        return Err(JobError::refused(
            "the generation that was being filled was given up",
        ));
    }
    may_begin(&read.document)?;
    let Some(next) = read.document.highest.0.checked_add(1) else {
        return Err(JobError::refused(
            "there is no number left for another generation",
        ));
    };
    let building = BuildProgress {
        generation: Generation(next),
        until: None,
        position: 0,
    };
    let begun = admin.save(&read, |it| {
        it.building = Some(building);
        it.highest = building.generation;
    });
    Ok((begun.await?, building))
}

/// Reads the new generation from now on; the one before stays written.
async fn switch<L>(
    admin: &ReadModelAdmin<L, impl Collection>,
    read: &StoredDocument<GenerationPointer>,
    to: Generation,
) -> Result<(), JobError> {
    if read.document.building.map(|building| building.generation) != Some(to) {
        return Err(JobError::refused("the generation that was proved was given up"));
    }
    let switched = admin.save(read, |it| {
        it.previous = Some(it.live);
        it.live = to;
        it.building = None;
        it.rolled_back = false;
    });
    switched.await.map(drop)
}
