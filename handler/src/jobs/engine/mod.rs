//! A queue of long-running work: rows of the table `jobs`, worked on step by step, under a lease, by whoever has time.
//! Never knows a job: whoever makes a queue gives it the list of kinds and what reaches their stores.

mod error;
mod job;
mod kind;
mod ledger;
mod queue;
mod row;
mod storable;
mod table;
mod worker;

pub use error::{JobError, Violation};
pub(crate) use error::{PATIENCE, patiently};
pub use job::{Job, ProgressSink, StepContext, StepOutcome};
pub use kind::JobKind;
pub use ledger::{Checkpoint, ClaimedJob, Ledger};
pub use queue::{JobQueue, Requester};
pub use row::{JobProgress, JobRow, JobState, WantedState};
pub(crate) use storable::{storable, storable_json};
pub use worker::{TurnEnd, work};
