//! A job that deals with dead letters: a plan that counts them, and then some seconds' worth at a time.
//! Never holds a lock between two steps.

use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{
    super::engine::{JobError, StepContext, StepOutcome},
    queue::DeadLetterQueue,
    selection::DeadLetterSelection,
    sweep::{LetterCounts, LetterWork, NamedLetters, Outcomes, SweepCursor},
};

/// Length of one step.
const STEP: Duration = Duration::from_secs(4);
/// Most steps that may find nothing while there is something: locks of a process that has died end within a minute, and a step
/// waits for five seconds.
const IDLE_STEPS: u32 = 15;

/// The progress of such a job.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct LetterCursor {
    #[serde(rename = "swept")]
    sweep: SweepCursor,
    /// Steps that have found nothing, one after the other.
    idle: u32,
    #[serde(flatten)]
    named: NamedLetters,
}

impl LetterCursor {
    /// Counts some more of the selected letters.
    pub(in crate::jobs) async fn plan(
        &mut self,
        of: &DeadLetterQueue,
        selection: &DeadLetterSelection,
        context: &StepContext<'_>,
    ) -> Result<StepOutcome, JobError> {
        let mut outcomes = Outcomes {
            named: &mut self.named,
            context,
        };
        let mut queue = of.open().await?;
        let until = Instant::now() + STEP;
        let counted = self.sweep.count(&mut queue, selection, until, &mut outcomes);
        if !counted.await? {
            return Ok(StepOutcome::More);
        }
        let LetterCounts { selected, kept, .. } = self.sweep.counts;
        Ok(StepOutcome::Planned(json!({
            "selected": selected,
            "kept": kept,
            "keptLetters": self.named.kept,
        })))
    }

    /// Deals with some more of them.
    pub(in crate::jobs) async fn deal(
        &mut self,
        of: &DeadLetterQueue,
        selection: &DeadLetterSelection,
        work: &mut impl LetterWork,
        context: &StepContext<'_>,
    ) -> Result<StepOutcome, JobError> {
        let before = self.sweep.counts;
        let mut outcomes = Outcomes {
            named: &mut self.named,
            context,
        };
        let until = Instant::now() + STEP;
        let swept = self
            .sweep
            .sweep(of.open().await?, selection, until, work, &mut outcomes);
        let over = swept.await?;
        self.idle = if before == self.sweep.counts {
            self.idle + 1
        } else {
            0
        };
        let LetterCounts { selected, done, kept } = self.sweep.counts;
        let missing = done + kept < selected;
        if self.idle < IDLE_STEPS && (!over || missing) {
            return Ok(StepOutcome::More);
        }
        let result = json!({
            "selected": selected,
            "done": done,
            "kept": kept,
            // Somebody else has locked them, or has dealt with them meanwhile.
            "missed": selected - done - kept,
            "doneLetters": self.named.done,
            "keptLetters": self.named.kept,
        });
        if !missing && kept == 0 {
            return Ok(StepOutcome::Completed(result));
        }
        let left = selected - done;
        let note = format!("{left} of {selected} dead letters could not be dealt with");
        Ok(StepOutcome::Failed { result, note })
    }
}
