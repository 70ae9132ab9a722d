//! Works on operations, a piece at a time: under a lease, for so long, and until somebody stops it.
//! Never keeps what it knows to itself: after each piece the row says how far things are, so that anybody can go on.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use tokio::time::{Instant, sleep, timeout_at};

use super::{
    Failed, Tell,
    operation::{Progress, State},
    table::{Claim, Table},
};
use crate::postgres::Fault;

/// How often a holder says that it is alive; the lease is three times as long.
const HEARTBEAT: Duration = Duration::from_secs(3);

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
/// A piece that is not done 3 s after that is broken off: it is safe at any kill.
///
/// # Errors
/// When the table cannot be reached; the lease ends by itself.
pub(super) async fn work<C: Serialize + DeserializeOwned + Default + Sync + std::fmt::Debug>(
    table: &Table,
    claim: &Claim,
    until: Instant,
    tell: Tell<'_>,
    mut piece: impl AsyncFnMut(&mut C, Tell<'_>) -> Result<Came, Failed>,
) -> Result<Left, Fault> {
    let mut cursor: C = match claim.cursor() {
        Ok(cursor) => cursor,
        Err(why) => {
            table.end(claim, State::Failed, None, Some(&why)).await?;
            return Ok(Left::Done);
        }
    };
    let heard = Heard(Mutex::new(claim.operation.progress.clone()));
    loop {
        let hear = |what: &str, done: i64, of: i64| {
            heard.hear(what, done, of);
            tell(what, done, of);
        };
        let working = alive(table, claim, piece(&mut cursor, &hear));
        let Ok(worked) = timeout_at(until + HEARTBEAT, working).await else {
            let slow = "no piece of the work could be done in its time: a store is slow or away";
            table.release(claim, Some(slow)).await?;
            return Ok(Left::Waiting);
        };
        let Some(came) = worked else {
            table.release(claim, None).await?;
            return Ok(Left::Done);
        };
        let state = match table.save(claim, &cursor, &heard.now()).await {
            // It would be so each time.
            Err(fault) if !fault.passes() => {
                let why = format!("how far it is cannot be kept: {fault}");
                tracing::error!(operation = %claim.operation.id, %why, "operation_failed");
                table.end(claim, State::Failed, None, Some(&why)).await?;
                return Ok(Left::Done);
            }
            saved => saved?,
        };
        match came {
            Err(failed) if failed.passes() => {
                tracing::warn!(operation = %claim.operation.id, error = %failed, "operation_waits");
                table.release(claim, Some(&failed.to_string())).await?;
                return Ok(Left::Waiting);
            }
            came => {
                if let Some(left) = settle(table, claim, came).await? {
                    return Ok(left);
                }
            }
        }
        if !state.is_some_and(State::is_open) {
            table.release(claim, None).await?;
            return Ok(Left::Done);
        }
        if Instant::now() >= until {
            table.release(claim, None).await?;
            return Ok(Left::Open);
        }
    }
}

/// Writes down that it is over, if it is.
async fn settle(table: &Table, claim: &Claim, came: Result<Came, Failed>) -> Result<Option<Left>, Fault> {
    let (state, result, note) = match came {
        Ok(Came::More) => return Ok(None),
        Ok(Came::Planned(plan)) => (State::Planned, Some(plan), None),
        Ok(Came::Over(result)) => (State::Completed, Some(result), None),
        Ok(Came::Bad(result, why)) => (State::Failed, Some(result), Some(why)),
        Err(failed) => (State::Failed, None, Some(failed.to_string())),
    };
    let (id, kind) = (claim.operation.id, claim.operation.request.kind());
    match &note {
        None if state == State::Planned => tracing::info!(operation = %id, kind, "operation_planned"),
        None => tracing::info!(operation = %id, kind, state = state.name(), "operation_ended"),
        Some(why) => tracing::error!(operation = %id, kind, %why, "operation_failed"),
    }
    table.end(claim, state, result.as_ref(), note.as_deref()).await?;
    Ok(Some(Left::Done))
}

/// The work's outcome; `None` when somebody has stopped it meanwhile, or somebody else has it.
async fn alive<T>(table: &Table, claim: &Claim, work: impl Future<Output = T>) -> Option<T> {
    // On the heap: a piece of work may be larger than a thread's stack is wide.
    let mut work = Box::pin(work);
    loop {
        tokio::select! {
            done = &mut work => return Some(done),
            () = sleep(HEARTBEAT) => match table.renew(claim).await {
                Ok(state) if !state.is_some_and(State::is_open) => return None,
                // Somebody else may take it over by then; a piece that is done twice does no harm.
                Err(fault) => tracing::debug!(error = %fault, "lease_not_renewed"),
                Ok(_) => {}
            },
        }
    }
}
