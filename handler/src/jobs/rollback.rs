//! The job that reads the generation before the last switch again.
//! Never loses anything: both generations are written, so a rollback can be undone by another.

use clap::Args;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{
    engine::{Job, JobError, StepContext, StepOutcome},
    read_model::GENERATIONS,
    resources::Resources,
};
use crate::read::{document::Generation, generation::GenerationPointer, store::Collection};

/// The generation that was live before the last switch, read again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema, Args)]
#[serde(deny_unknown_fields)]
pub struct Rollback {
    /// The generation to be read; one that is live already stays so.
    // A body must have it. A terminal may leave it out: the last switch is undone then, unless that was a rollback itself.
    #[serde(deserialize_with = "Option::deserialize")]
    #[schemars(with = "u32")]
    #[arg(long, value_name = "GENERATION")]
    pub to: Option<u32>,
}

impl Rollback {
    /// The generation to be read, by what the pointer says now.
    fn target(self, pointer: &GenerationPointer) -> Result<Generation, JobError> {
        let to = self.to.map(Generation);
        if to == Some(pointer.live) {
            return Ok(pointer.live);
        }
        let Some(previous) = pointer.previous else {
            return Err(JobError::refused("no generation was live before this one"));
        };
        match to {
            None if pointer.rolled_back => Err(JobError::refused(format!(
                "the last switch was a rollback, to generation {}; --to {previous} undoes it",
                pointer.live
            ))),
            Some(to) if to != previous => Err(JobError::refused(format!(
                "generation {to} was not live before this one"
            ))),
            _ => Ok(previous),
        }
    }
}

impl<L: Send + Sync, S: Collection> Job<Resources<L, S>> for Rollback {
    const KIND: &'static str = "rollback";
    const SUMMARY: &'static str = "Read the documents again that were read before the last switch";
    const DETAIL: &'static str =
        "Nothing is lost, since both are written. A generation that is read already stays so.";
    const EXCLUSIVE: Option<&'static str> = Some(GENERATIONS);
    /// The generation to be read. Decided before anything is written, or a step that is done twice would undo itself.
    type Cursor = Option<Generation>;

    fn example() -> Value {
        json!({ "to": 1 })
    }

    fn needs(resources: &Resources<L, S>) -> Result<(), JobError> {
        resources.read_model().map(drop)
    }

    async fn may_start(&self, resources: &Resources<L, S>) -> Result<(), JobError> {
        let pointer = resources.read_model()?.pointer().await?;
        self.target(&pointer).map(drop)
    }

    async fn step(
        &self,
        resources: &Resources<L, S>,
        _: &StepContext<'_>,
        cursor: &mut Option<Generation>,
    ) -> Result<StepOutcome, JobError> {
        let admin = resources.read_model()?;
        let read = admin.load().await?;
        let Some(to) = *cursor else {
            *cursor = Some(self.target(&read.document)?);
            return Ok(StepOutcome::More);
        };
        if read.document.live == to {
            return Ok(StepOutcome::Completed(json!(read.document)));
        }
        if read.document.previous != Some(to) {
            return Err(JobError::refused(format!(
                "generation {to} is not there any more"
            )));
        }
        let turned = admin.save(&read, |it| {
            it.previous = Some(it.live);
            it.live = to;
            it.rolled_back = true;
        });
        Ok(StepOutcome::Completed(json!(turned.await?.document)))
    }
}
