//! Works on a claimed job, step by step: under a lease, for so long, and until somebody stops it.
//! Never keeps what it knows to itself: after each step the row says how far things are, so that any process can go on.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use serde::Serialize;
use tokio::time::{Instant, sleep, timeout_at};

use super::{
    error::JobError,
    job::{Job, ProgressSink, StepContext, StepOutcome},
    ledger::{Checkpoint, ClaimedJob, Ledger},
    row::{JobProgress, JobState},
};
use crate::{error_chain::chain, panics, postgres::PostgresError};

/// Time between two signs of life of a holder; the lease is three times as long.
const HEARTBEAT: Duration = Duration::from_secs(3);
/// So often may a step panic at one place before its job has failed.
const MOST_PANICS: i32 = 3;
/// The note in the row of a job whose step was broken off.
const SLOW: &str = "no step could be done in its time: a store is slow or away";

/// The reason why a turn of work on a job ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TurnEnd {
    /// No job waits, or somebody else is at it.
    NothingToDo,
    /// The time is up; there is more to do.
    TimeUp,
    /// Something is in the way that may pass; the row says what.
    Waiting,
    /// The job is over, was stopped, or somebody else has it.
    Done,
}

/// The progress that was last reported.
#[derive(Debug, Default)]
struct LastProgress(Mutex<JobProgress>);

impl LastProgress {
    fn set(&self, doing: &str, done: i64, of: i64) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = JobProgress {
            doing: doing.to_owned(),
            done,
            of,
        };
    }

    fn get(&self) -> JobProgress {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Works on a claim until then, step by step.
///
/// A step that is not done 3 s after that is broken off: it is safe at any kill. One that panics is begun again in a later
/// turn, three times at one place; what may pass is never counted.
///
/// # Errors
/// When the ledger cannot be reached; the lease ends by itself.
pub async fn work<R: Sync + ?Sized, J: Job<R>>(
    ledger: &impl Ledger,
    claim: &ClaimedJob,
    resources: &R,
    until: Instant,
    sink: ProgressSink<'_>,
) -> Result<TurnEnd, PostgresError> {
    let (job, mut cursor) = match read::<R, J>(claim) {
        Ok(read) => read,
        Err(why) => return fail(ledger, claim, &why).await,
    };
    let mut at = Checkpoint {
        cursor: claim.cursor.clone().unwrap_or_default(),
        panics: claim.panics,
    };
    let last = LastProgress(Mutex::new(claim.row.progress.clone()));
    let report = |doing: &str, done: i64, of: i64| {
        last.set(doing, done, of);
        sink(doing, done, of);
    };
    let context = StepContext {
        row: &claim.row,
        sink: &report,
    };
    loop {
        let step = panics::caught(job.step(resources, &context, &mut cursor));
        let outcome = match timeout_at(until + HEARTBEAT, alive(ledger, claim, step)).await {
            Ok(Some(Ok(outcome))) => outcome,
            Ok(Some(Err(panic))) => return stumble(ledger, claim, at.panics + 1, &panic).await,
            Ok(None) => return release(ledger, claim, at.panics, None, TurnEnd::Done).await,
            Err(_) => return release(ledger, claim, at.panics, Some(SLOW), TurnEnd::Waiting).await,
        };
        let state = match keep(ledger, claim, &mut at, &cursor, &last.get()).await {
            Ok(state) => state,
            Err(SaveError::Transient(fault)) => return Err(fault),
            Err(SaveError::Permanent(why)) => {
                return fail(ledger, claim, &format!("how far it is cannot be kept: {why}")).await;
            }
        };
        match outcome {
            Ok(StepOutcome::More) => {}
            Err(error) if error.is_transient() => {
                let why = chain(&error).to_string();
                tracing::warn!(job = %claim.row.id, error = %why, "job_waits");
                return release(ledger, claim, at.panics, Some(&why), TurnEnd::Waiting).await;
            }
            outcome => return settle(ledger, claim, outcome).await,
        }
        let is_active = state.is_some_and(JobState::is_active);
        if !is_active || Instant::now() >= until {
            let end = if is_active { TurnEnd::TimeUp } else { TurnEnd::Done };
            return release(ledger, claim, at.panics, None, end).await;
        }
    }
}

/// The job and where it stopped, or why one of them cannot be read: a newer version of this program may have asked for it, and
/// was taken back.
fn read<R: Sync + ?Sized, J: Job<R>>(claim: &ClaimedJob) -> Result<(J, J::Cursor), String> {
    let job = serde_json::from_value(claim.row.request.clone())
        .map_err(|error| format!("its request cannot be read by this version: {error}"))?;
    let cursor = claim.cursor.clone().map_or_else(
        || Ok(J::Cursor::default()),
        |cursor| {
            serde_json::from_value(cursor)
                .map_err(|error| format!("where it stopped cannot be read: {error}"))
        },
    );
    Ok((job, cursor?))
}

/// The reason why the progress was not written down.
enum SaveError {
    /// It may work later.
    Transient(PostgresError),
    /// It would be so each time.
    Permanent(String),
}

/// Writes down how far it is. Panics are counted anew where it stands somewhere else.
async fn keep(
    ledger: &impl Ledger,
    claim: &ClaimedJob,
    at: &mut Checkpoint,
    cursor: &(impl Serialize + Sync),
    progress: &JobProgress,
) -> Result<Option<JobState>, SaveError> {
    let cursor = serde_json::to_value(cursor).map_err(|error| SaveError::Permanent(error.to_string()))?;
    if cursor != at.cursor {
        *at = Checkpoint { cursor, panics: 0 };
    }
    match ledger.save(claim, at, progress).await {
        Err(fault) if fault.is_transient() => Err(SaveError::Transient(fault)),
        saved => saved.map_err(|fault| SaveError::Permanent(chain(&fault).to_string())),
    }
}

/// Lets others work on the job.
async fn release(
    ledger: &impl Ledger,
    claim: &ClaimedJob,
    panics: i32,
    note: Option<&str>,
    end: TurnEnd,
) -> Result<TurnEnd, PostgresError> {
    ledger.release(claim, panics, note).await?;
    Ok(end)
}

/// After a panic: once more in another turn, or never.
async fn stumble(
    ledger: &impl Ledger,
    claim: &ClaimedJob,
    panics: i32,
    why: &str,
) -> Result<TurnEnd, PostgresError> {
    if panics >= MOST_PANICS {
        let why = format!("it has panicked {panics} times at one place: {why}");
        return fail(ledger, claim, &why).await;
    }
    tracing::error!(job = %claim.row.id, panics, %why, "job_panicked");
    let note = format!("it has panicked and is tried again: {why}");
    release(ledger, claim, panics, Some(&note), TurnEnd::Waiting).await
}

async fn fail(ledger: &impl Ledger, claim: &ClaimedJob, why: &str) -> Result<TurnEnd, PostgresError> {
    tracing::error!(job = %claim.row.id, kind = claim.row.kind, %why, "job_failed");
    ledger.end(claim, JobState::Failed, None, Some(why)).await?;
    Ok(TurnEnd::Done)
}

/// Writes down how it ended.
async fn settle(
    ledger: &impl Ledger,
    claim: &ClaimedJob,
    outcome: Result<StepOutcome, JobError>,
) -> Result<TurnEnd, PostgresError> {
    let (state, result, note) = match outcome {
        Ok(StepOutcome::More) => return Ok(TurnEnd::TimeUp),
        Ok(StepOutcome::Planned(plan)) => (JobState::Planned, plan, None),
        Ok(StepOutcome::Completed(result)) => (JobState::Completed, result, None),
        Ok(StepOutcome::Failed { result, note }) => (JobState::Failed, result, Some(note)),
        Err(error) => {
            let why = chain(&error).to_string();
            return fail(ledger, claim, &why).await;
        }
    };
    let (id, kind) = (claim.row.id, &claim.row.kind);
    match &note {
        None if state == JobState::Planned => tracing::info!(job = %id, kind, "job_planned"),
        None => tracing::info!(job = %id, kind, "job_completed"),
        Some(why) => tracing::error!(job = %id, kind, %why, "job_failed"),
    }
    match ledger.end(claim, state, Some(&result), note.as_deref()).await {
        Err(fault) if !fault.is_transient() => {
            let why = format!("what came of it cannot be kept: {}", chain(&fault));
            fail(ledger, claim, &why).await
        }
        ended => ended.map(|()| TurnEnd::Done),
    }
}

/// The work's outcome; `None` when somebody has stopped it meanwhile, or somebody else has it.
async fn alive<T>(
    ledger: &impl Ledger,
    claim: &ClaimedJob,
    work: impl Future<Output = T> + Send,
) -> Option<T> {
    // On the heap: a step may be larger than a thread's stack is wide.
    let mut work = Box::pin(work);
    loop {
        tokio::select! {
            done = &mut work => return Some(done),
            () = sleep(HEARTBEAT) => match ledger.renew(claim).await {
                Ok(state) if !state.is_some_and(JobState::is_active) => return None,
                // Somebody else may take it over by then; a step that is done twice does no harm.
                Err(fault) => tracing::debug!(error = %chain(&fault), "lease_not_renewed"),
                Ok(_) => {}
            },
        }
    }
}

#[cfg(test)]
#[path = "worker_tests.rs"]
mod tests;
