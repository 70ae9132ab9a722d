//! Where claimed rows are kept while somebody works on them: the table, or memory in virtual time.
//! Never says what the work is.

use serde_json::Value;
use uuid::Uuid;

use super::row::{JobProgress, JobRow, JobState};
use crate::postgres::PostgresError;

/// A row that nobody else works on while its lease lasts.
#[derive(Debug)]
pub struct ClaimedJob {
    /// The job as it is when this turn begins.
    pub row: JobRow,
    /// The place where the work stopped; `None` before the first step.
    pub cursor: Option<Value>,
    /// Panics at that place.
    pub panics: i32,
    /// Its holder's lease, of which nobody else has the like.
    pub lease: Uuid,
}

/// A job's progress, as it is kept after each step.
#[derive(Debug, Default)]
pub struct Checkpoint {
    /// The place where the next step begins.
    pub cursor: Value,
    /// Panics at that place.
    pub panics: i32,
}

/// Keeps claimed rows: the table, or one in a simulation.
///
/// Errors of all of them: see [`PostgresError`].
pub trait Ledger: Sync {
    /// Says that the holder is alive; the job's state now, or `None` when the lease is somebody else's.
    fn renew(
        &self,
        claim: &ClaimedJob,
    ) -> impl Future<Output = Result<Option<JobState>, PostgresError>> + Send;

    /// Writes down how far the job is; its state now, or `None` when the lease is somebody else's.
    fn save(
        &self,
        claim: &ClaimedJob,
        at: &Checkpoint,
        progress: &JobProgress,
    ) -> impl Future<Output = Result<Option<JobState>, PostgresError>> + Send;

    /// Lets others work on it; with a note when something is in the way.
    fn release(
        &self,
        claim: &ClaimedJob,
        panics: i32,
        note: Option<&str>,
    ) -> impl Future<Output = Result<(), PostgresError>> + Send;

    /// Writes down that the job is done, or waits for a person.
    fn end(
        &self,
        claim: &ClaimedJob,
        state: JobState,
        result: Option<&Value>,
        note: Option<&str>,
    ) -> impl Future<Output = Result<(), PostgresError>> + Send;
}
