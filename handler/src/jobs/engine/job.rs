//! What a kind of job must say of itself to be started, worked on and shown.
//! Never a list of kinds: `jobs/mod.rs` has it.

use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use super::{
    error::{JobError, Violation},
    row::{JobRow, JobState},
};

/// Receives what a job is doing, how much of it is done, and how much there is (0 when that is not known).
pub type ProgressSink<'a> = &'a (dyn Fn(&str, i64, i64) + Sync);

/// A kind of long-running work; the value is the request that started it. `R` is what reaches the stores that it works on.
///
/// A step may be broken off at any point and done twice: only what the cursor says when it ends is kept.
pub trait Job<R: Sync + ?Sized>: Serialize + DeserializeOwned + Send + Sync + 'static {
    /// The kind's name in the table, in answers and in logs.
    const KIND: &'static str;
    /// The job in one line, for documentation.
    const SUMMARY: &'static str;
    /// More, where more is to be said.
    const DETAIL: &'static str = "";
    /// The state of a new job: [`JobState::Planning`] where a person is to see the plan before anything is done.
    const FIRST_STATE: JobState = JobState::Running;
    /// Of the kinds that share this name only one job is open at a time.
    const EXCLUSIVE: Option<&'static str> = None;
    /// True where a job that is cancelled leaves something behind for [`Job::clean_up`].
    const CLEANS_UP: bool = false;
    /// The place where the next step begins; kept in the row.
    type Cursor: Serialize + DeserializeOwned + Default + Send + Sync;

    /// A request as documentation shows it.
    fn example() -> Value;

    /// Names what this process lacks for it, if anything.
    ///
    /// # Errors
    /// [`JobError::NotConfigured`] or [`JobError::NotApplicable`].
    fn needs(resources: &R) -> Result<(), JobError>;

    /// Finds all rules that the request breaks beyond those of its schema.
    fn validate(&self) -> Vec<Violation> {
        Vec::new()
    }

    /// Asks whether anything speaks against it now.
    ///
    /// # Errors
    /// What does.
    fn may_start(&self, resources: &R) -> impl Future<Output = Result<(), JobError>> + Send {
        let _ = resources;
        async { Ok(()) }
    }

    /// Does some of it: about a second's worth.
    ///
    /// # Errors
    /// What is in the way; the job waits if that may pass, and has failed otherwise.
    fn step(
        &self,
        resources: &R,
        context: &StepContext<'_>,
        cursor: &mut Self::Cursor,
    ) -> impl Future<Output = Result<StepOutcome, JobError>> + Send;

    /// Gives up what a cancelled job has half done.
    ///
    /// # Errors
    /// When that cannot be done now.
    fn clean_up(resources: &R) -> impl Future<Output = Result<(), JobError>> + Send {
        let _ = resources;
        async { Ok(()) }
    }
}

/// The row that a step works on, and where its progress goes.
pub struct StepContext<'a> {
    /// The job as it was when this turn began.
    pub row: &'a JobRow,
    pub(super) sink: ProgressSink<'a>,
}

impl StepContext<'_> {
    /// True while the plan is being made.
    #[must_use]
    pub fn is_planning(&self) -> bool {
        self.row.state == JobState::Planning
    }

    /// Says how far the job is; `of` is 0 when it is not known how far it goes.
    pub fn progress(&self, doing: &str, done: i64, of: i64) {
        (self.sink)(doing, done, of);
    }
}

/// The outcome of a step.
#[derive(Debug)]
pub enum StepOutcome {
    /// There is more to do.
    More,
    /// The plan is made: a person may look at it.
    Planned(Value),
    /// The job is done, with this result.
    Completed(Value),
    /// The job is done, with this result, and something is not as it should be.
    Failed {
        /// The result.
        result: Value,
        /// The fault, in words.
        note: String,
    },
}
