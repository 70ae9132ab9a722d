//! Makes all documents of the read model anew beside the ones that are read, proves them, and switches over.
//! Never stops live traffic: what happens meanwhile goes into both.
//!
//! Safe at any kill: the pointer in the container `control` says how far it is, and the next piece of work goes on from there.
//! An event that was committed before the scan began is in the scan; a later one is projected by an invocation that has seen
//! the new generation in the pointer, since nobody goes by one that is older than [`REMEMBERED`].

use std::{num::NonZeroU32, time::Duration};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::time::{Instant, sleep, sleep_until};

use super::{
    Failed, Tell,
    model::Model,
    replay::project,
    runner::Came,
    verify::{self, Due, USUAL_GRACE},
    whole,
};
use crate::read::{
    document::Generation,
    generation::{BuildProgress, GenerationPointer, REMEMBERED},
    store::StoredDocument,
};

/// Longer than any statement of the app may take: its role's statement_timeout is 2 s.
const STATEMENTS: Duration = Duration::from_secs(3);
/// Most events of one piece; the pointer is written after each.
const STEP: u32 = 100;

/// All documents anew.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "Rebuild")]
pub struct Anew {
    /// Most events a second; as fast as it goes when nothing is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate: Option<NonZeroU32>,
}

/// How far it is, beside what the pointer says.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Cursor {
    /// The one that is being filled.
    generation: Option<Generation>,
    /// The proof, once everything is in.
    proof: Option<verify::Cursor>,
}

impl Anew {
    /// Does some of it.
    pub(super) async fn piece(
        &self,
        model: &Model,
        cursor: &mut Cursor,
        tell: Tell<'_>,
    ) -> Result<Came, Failed> {
        let read = model.load().await?;
        let Some(proof) = &mut cursor.proof else {
            let (read, building) = begun(model, read, cursor).await?;
            cursor.generation = Some(building.generation);
            if let Some(until) = self.fill(model, &read, building, tell).await? {
                cursor.proof = Some(verify::Cursor::new(
                    building.generation,
                    Due::Position(until),
                    100,
                    USUAL_GRACE,
                ));
            }
            return Ok(Came::More);
        };
        if !proof.piece(model, tell).await? {
            return Ok(Came::More);
        }
        let report = proof.report();
        if report.is_bad() {
            let why = "differences were found, and nothing was switched";
            return Ok(Came::Bad(json!(report), why.to_owned()));
        }
        if read.document.live != report.generation {
            switch(model, &read, report.generation).await?;
        }
        Ok(Came::Over(json!(report)))
    }

    /// Fills in some more; when everything is in, up to which position that is.
    async fn fill(
        &self,
        model: &Model,
        read: &StoredDocument<GenerationPointer>,
        mut building: BuildProgress,
        tell: Tell<'_>,
    ) -> Result<Option<i64>, Failed> {
        let Some(until) = building.until else {
            tell("waiting until everybody knows the new generation", 0, 0);
            sleep(2 * REMEMBERED).await;
            building.until = Some(model.log.last().await?);
            // A position before it may not be visible yet: its statement is under way, which ends within the role's time.
            sleep(STATEMENTS).await;
            model.save(read, |it| it.building = Some(building)).await?;
            return Ok(None);
        };
        if building.position >= until {
            return Ok(Some(until));
        }
        let began = Instant::now();
        let most = self.rate.map_or(STEP, |rate| rate.get().min(STEP));
        let page = whole(model.log.page(building.position, until, most.into()).await?)?;
        let events = page.len();
        building.position = page.last().map_or(until, |last| last.position);
        let refused = project(&model.projector, Some(building.generation), page).await?;
        if let Some((event_id, why)) = refused.into_iter().next() {
            return Err(Failed::refused(format!("event {event_id} of the log: {why}")));
        }
        model.save(read, |it| it.building = Some(building)).await?;
        tell("events of the log", building.position, until);
        if let Some(rate) = self.rate {
            sleep_until(began + Duration::from_secs(events as u64) / rate.get()).await;
        }
        Ok(None)
    }
}

/// Whether a new generation may be begun, or the one that was begun be gone on with.
pub(super) fn may_begin(pointer: &GenerationPointer) -> Result<(), Failed> {
    if pointer.building.is_none() && (pointer.previous.is_some() || pointer.retiring.is_some()) {
        return Err(Failed::refused(
            "the generation before is still there: remove it first by `retire`, or go back to it by `rollback`",
        ));
    }
    Ok(())
}

/// The generation to be filled, with the pointer that names it.
async fn begun(
    model: &Model,
    read: StoredDocument<GenerationPointer>,
    cursor: &Cursor,
) -> Result<(StoredDocument<GenerationPointer>, BuildProgress), Failed> {
    if let Some(building) = read.document.building {
        return Ok((read, building));
    }
    if cursor.generation.is_some() {
        return Err(Failed::refused(
            "the generation that was being filled was given up",
        ));
    }
    may_begin(&read.document)?;
    let Some(next) = read.document.highest.0.checked_add(1) else {
        return Err(Failed::refused("there is no number left for another generation"));
    };
    let building = BuildProgress {
        generation: Generation(next),
        until: None,
        position: 0,
    };
    let begun = model.save(&read, |it| {
        it.building = Some(building);
        it.highest = building.generation;
    });
    Ok((begun.await?, building))
}

/// Reads the new generation from now on; the one before stays written.
async fn switch(
    model: &Model,
    read: &StoredDocument<GenerationPointer>,
    to: Generation,
) -> Result<(), Failed> {
    if read.document.building.map(|building| building.generation) != Some(to) {
        return Err(Failed::refused("the generation that was proved was given up"));
    }
    let switched = model.save(read, |it| {
        it.previous = Some(it.live);
        it.live = to;
        it.building = None;
        it.rolled_back = false;
    });
    switched.await.map(drop)
}
