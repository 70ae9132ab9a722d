//! Works on operations, a piece at a time: under a lease, for so long, and until somebody stops it.
//! Never keeps what it knows to itself: after each piece the row says how far things are, so that anybody can go on.

use std::{
    any::Any,
    panic::AssertUnwindSafe,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use futures_util::FutureExt;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use tokio::time::{Instant, sleep, timeout_at};

use super::{
    Failed, Tell,
    operation::{Progress, State},
    table::Claim,
};
use crate::{error_chain::chain, postgres::PostgresError};

/// How often a holder says that it is alive; the lease is three times as long.
const HEARTBEAT: Duration = Duration::from_secs(3);
/// So often may a piece of work panic at one place before its operation has failed.
const MOST_PANICS: i32 = 3;

/// What a piece of work came to.
pub(super) enum Came {
    /// There is more to do.
    More,
    /// It is known what there is to do: somebody may look at it.
    Planned(Value),
    /// It is over, with this result.
    Over(Value),
    /// It is over, with this result, and not as it should be.
    Bad(Value, String),
}

/// Why work on a claim ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Left {
    /// The time is up; there is more to do.
    Open,
    /// Something is in the way that may pass; the row says what.
    Waiting,
    /// It is over, somebody has stopped it, or somebody else has it.
    Done,
}

/// Where an operation stands, as it is kept after each piece.
#[derive(Debug, Default)]
pub(super) struct Stand {
    /// Where the next piece begins.
    pub(super) cursor: Value,
    /// How often it has panicked there.
    pub(super) panics: i32,
}

/// Where claims are kept: the table, or memory in a test of virtual time.
pub(super) trait Ledger {
    /// Says that the holder is alive; the state that the operation is in now, or `None` when it is somebody else's.
    async fn renew(&self, claim: &Claim) -> Result<Option<State>, PostgresError>;

    /// Writes down how far it is; the state that it is in now, or `None` when it is somebody else's.
    async fn save(
        &self,
        claim: &Claim,
        stand: &Stand,
        progress: &Progress,
    ) -> Result<Option<State>, PostgresError>;

    /// Lets others work on it; with a note when something is in the way.
    async fn release(&self, claim: &Claim, panics: i32, note: Option<&str>) -> Result<(), PostgresError>;

    /// It is over, or waits for somebody.
    async fn end(
        &self,
        claim: &Claim,
        state: State,
        result: Option<&Value>,
        note: Option<&str>,
    ) -> Result<(), PostgresError>;
}

/// What is told of the work while it goes on.
#[derive(Debug, Default)]
struct Heard(Mutex<Progress>);

impl Heard {
    fn hear(&self, what: &str, done: i64, of: i64) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Progress {
            doing: what.to_owned(),
            done,
            of,
        };
    }

    fn now(&self) -> Progress {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Works on a claim until then, piece by piece.
///
/// A piece that is not done 3 s after that is broken off: it is safe at any kill. One that panics is begun anew in a later
/// turn, three times at one place; what may pass is never counted.
///
/// # Errors
/// When the ledger cannot be reached; the lease ends by itself.
pub(super) async fn work<C: Serialize + DeserializeOwned + Default + Sync>(
    ledger: &impl Ledger,
    claim: &Claim,
    until: Instant,
    tell: Tell<'_>,
    mut piece: impl AsyncFnMut(&mut C, Tell<'_>) -> Result<Came, Failed>,
) -> Result<Left, PostgresError> {
    let mut cursor: C = match claim.cursor() {
        Ok(cursor) => cursor,
        Err(why) => return fail(ledger, claim, &why).await,
    };
    let mut stand = Stand {
        cursor: claim.cursor.clone().unwrap_or_default(),
        panics: claim.panics,
    };
    let heard = Heard(Mutex::new(claim.operation.progress.clone()));
    loop {
        let hear = |what: &str, done: i64, of: i64| {
            heard.hear(what, done, of);
            tell(what, done, of);
        };
        let caught = AssertUnwindSafe(async { piece(&mut cursor, &hear).await }).catch_unwind();
        let Ok(worked) = timeout_at(until + HEARTBEAT, alive(ledger, claim, caught)).await else {
            let slow = "no piece of the work could be done in its time: a store is slow or away";
            ledger.release(claim, stand.panics, Some(slow)).await?;
            return Ok(Left::Waiting);
        };
        let came = match worked {
            None => {
                ledger.release(claim, stand.panics, None).await?;
                return Ok(Left::Done);
            }
            Some(Err(panic)) => {
                let why = words(panic.as_ref());
                return stumble(ledger, claim, stand.panics + 1, &why).await;
            }
            Some(Ok(came)) => came,
        };
        let state = match keep(ledger, claim, &mut stand, &cursor, &heard.now()).await {
            Ok(state) => state,
            Err(Unkept::Passing(fault)) => return Err(fault),
            Err(Unkept::Never(why)) => {
                return fail(ledger, claim, &format!("how far it is cannot be kept: {why}")).await;
            }
        };
        match came {
            Err(failed) if failed.is_transient() => {
                tracing::warn!(operation = %claim.operation.id, error = %chain(&failed), "operation_waits");
                ledger
                    .release(claim, stand.panics, Some(&chain(&failed).to_string()))
                    .await?;
                return Ok(Left::Waiting);
            }
            came => {
                if let Some(left) = settle(ledger, claim, came).await? {
                    return Ok(left);
                }
            }
        }
        let is_open = state.is_some_and(State::is_open);
        if !is_open || Instant::now() >= until {
            ledger.release(claim, stand.panics, None).await?;
            return Ok(if is_open { Left::Open } else { Left::Done });
        }
    }
}

/// Why it was not written down how far it is.
enum Unkept {
    /// It may be, later.
    Passing(PostgresError),
    /// It would be so each time.
    Never(String),
}

/// Writes down how far it is. Panics are counted anew where it stands somewhere else.
async fn keep(
    ledger: &impl Ledger,
    claim: &Claim,
    stand: &mut Stand,
    cursor: &impl Serialize,
    progress: &Progress,
) -> Result<Option<State>, Unkept> {
    let cursor = serde_json::to_value(cursor).map_err(|error| Unkept::Never(error.to_string()))?;
    if cursor != stand.cursor {
        *stand = Stand { cursor, panics: 0 };
    }
    match ledger.save(claim, stand, progress).await {
        Err(fault) if fault.is_transient() => Err(Unkept::Passing(fault)),
        saved => saved.map_err(|fault| Unkept::Never(chain(&fault).to_string())),
    }
}

/// After a panic: once more in another turn, or never.
async fn stumble(ledger: &impl Ledger, claim: &Claim, panics: i32, why: &str) -> Result<Left, PostgresError> {
    if panics >= MOST_PANICS {
        let why = format!("it has panicked {panics} times at one place: {why}");
        return fail(ledger, claim, &why).await;
    }
    tracing::error!(operation = %claim.operation.id, panics, %why, "operation_panicked");
    let note = format!("it has panicked and is tried again: {why}");
    ledger.release(claim, panics, Some(&note)).await?;
    Ok(Left::Waiting)
}

/// What it panicked with.
fn words(panic: &(dyn Any + Send)) -> String {
    let owned = panic.downcast_ref::<String>().cloned();
    let text = owned.or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string));
    text.unwrap_or_else(|| "nothing that is text".to_owned())
}

async fn fail(ledger: &impl Ledger, claim: &Claim, why: &str) -> Result<Left, PostgresError> {
    tracing::error!(operation = %claim.operation.id, kind = claim.operation.request.kind(), %why, "operation_failed");
    ledger.end(claim, State::Failed, None, Some(why)).await?;
    Ok(Left::Done)
}

/// Writes down that it is over, if it is.
async fn settle(
    ledger: &impl Ledger,
    claim: &Claim,
    came: Result<Came, Failed>,
) -> Result<Option<Left>, PostgresError> {
    let (state, result, note) = match came {
        Ok(Came::More) => return Ok(None),
        Ok(Came::Planned(plan)) => (State::Planned, Some(plan), None),
        Ok(Came::Over(result)) => (State::Completed, Some(result), None),
        Ok(Came::Bad(result, why)) => (State::Failed, Some(result), Some(why)),
        Err(failed) => return fail(ledger, claim, &chain(&failed).to_string()).await.map(Some),
    };
    let (id, kind) = (claim.operation.id, claim.operation.request.kind());
    match &note {
        None if state == State::Planned => tracing::info!(operation = %id, kind, "operation_planned"),
        None => tracing::info!(operation = %id, kind, state = state.name(), "operation_ended"),
        Some(why) => tracing::error!(operation = %id, kind, %why, "operation_failed"),
    }
    match ledger.end(claim, state, result.as_ref(), note.as_deref()).await {
        Err(fault) if !fault.is_transient() => {
            let why = format!("what came of it cannot be kept: {}", chain(&fault));
            fail(ledger, claim, &why).await.map(Some)
        }
        ended => ended.map(|()| Some(Left::Done)),
    }
}

/// The work's outcome; `None` when somebody has stopped it meanwhile, or somebody else has it.
async fn alive<T>(ledger: &impl Ledger, claim: &Claim, work: impl Future<Output = T>) -> Option<T> {
    // On the heap: a piece of work may be larger than a thread's stack is wide.
    let mut work = Box::pin(work);
    loop {
        tokio::select! {
            done = &mut work => return Some(done),
            () = sleep(HEARTBEAT) => match ledger.renew(claim).await {
                Ok(state) if !state.is_some_and(State::is_open) => return None,
                // Somebody else may take it over by then; a piece that is done twice does no harm.
                Err(fault) => tracing::debug!(error = %chain(&fault), "lease_not_renewed"),
                Ok(_) => {}
            },
        }
    }
}

#[cfg(test)]
#[path = "runner_tests.rs"]
mod tests;
