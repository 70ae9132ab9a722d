//! Long-running work that operators ask for: the read model rebuilt, rolled back, verified; events replayed; dead letters dealt with.
//! Never part of a request: each job may take long, may be killed at any moment, and is gone on with.

pub mod dead_letters;
mod deletion;
mod engine;
mod events;
mod project;
mod read_model;
pub mod rebuild;
pub mod replay;
mod reprojection;
mod resources;
mod resubmission;
mod retirement;
mod rollback;
mod rules;
mod subscription;
pub mod verification;

use crate::config::Config;

pub use deletion::Deletion;
pub use engine::{
    Checkpoint, ClaimedJob, Job, JobError, JobKind, JobProgress, JobQueue, JobRow, JobState, Ledger,
    ProgressSink, Requester, StepContext, StepOutcome, TurnEnd, Violation, WantedState, work,
};
pub use read_model::{GENERATIONS, ReadModelAdmin};
pub use rebuild::Rebuild;
pub use replay::Replay;
pub use reprojection::Reprojection;
pub use resources::{Resources, topic};
pub use resubmission::Resubmission;
pub use retirement::Retirement;
pub use rollback::Rollback;
pub use subscription::{Subscription, SubscriptionError};
pub use verification::Verification;

/// Every kind of job.
const KINDS: &[JobKind<Resources>] = &[
    JobKind::of::<Rebuild>(),
    JobKind::of::<Rollback>(),
    JobKind::of::<Retirement>(),
    JobKind::of::<Verification>(),
    JobKind::of::<Replay>(),
    JobKind::of::<Reprojection>(),
    JobKind::of::<Resubmission>(),
    JobKind::of::<Deletion>(),
];

/// The jobs of this deployment.
pub type Jobs = JobQueue<Resources>;

/// Opens the queue of jobs, where there is a database to keep it in; connects when first used.
#[must_use]
pub fn open(config: &Config) -> Option<Jobs> {
    let postgres = config.postgres.as_ref()?;
    Some(JobQueue::new(postgres, KINDS, Resources::new(postgres, config)))
}
