//! Runs a command: S1, decide, S2, and again from S1 when a guard of S2 failed.
//! Never sends a write twice without having looked for its event first.

use std::sync::Arc;

use serde_json::Value;
use tokio::sync::Notify;
use tokio_postgres::error::SqlState;

use super::{
    command::{Accepted, Command, Context, DecideError},
    pool::{Fault, Pool},
    snapshot::{Replay, Snapshot},
};
use crate::domain::rejection::Rejection;

/// How often a command is tried again after a lost race, before the caller is asked to come back.
const ROUNDS: usize = 5;

/// Why a command was not accepted.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A rule of the shop; nothing was written.
    #[error(transparent)]
    Rejected(#[from] Rejection),
    /// The aggregate is not at the version that the caller expected; nothing was written. The version it is at, if any.
    #[error("the version is not the expected one")]
    Stale(Option<i64>),
    /// The Idempotency-Key was used for another request; nothing was written.
    #[error("the Idempotency-Key was used for another request")]
    KeyReused,
    /// The database is away, or the row is too busy; come back later.
    #[error("{0}")]
    Unavailable(String),
    /// A defect of ours.
    #[error("{0}")]
    Internal(String),
}

/// The only thing that changes the write model while serving.
#[derive(Debug)]
pub struct Writer {
    pool: Pool,
    committed: Arc<Notify>,
}

impl Writer {
    /// A writer over these connections; `committed` is notified when a command may have left a row in the outbox.
    #[must_use]
    pub fn new(pool: Pool, committed: Arc<Notify>) -> Self {
        Self { pool, committed }
    }

    /// True when the database answers now.
    pub async fn answers(&self) -> bool {
        self.pool.answers().await
    }

    /// Runs the command to its end; when it answers `Ok`, state, event and outbox row are committed.
    ///
    /// # Errors
    /// See [`Error`]; after `Unavailable` the command may still have happened if the connection broke while it ran.
    pub async fn execute(&self, command: Command, context: &Context) -> Result<Accepted, Error> {
        for _ in 0..ROUNDS {
            let mut lease = self.pool.lease().await?;
            let row = lease.read(command.reads(), context).await?;
            let mut snapshot =
                Snapshot::from_row(&row).map_err(|error| Error::Internal(error.to_string()))?;
            if let Some(replay) = snapshot.replay.take() {
                return replayed(replay, context);
            }
            let (changes, accepted) = command.clone().decide(snapshot, context)?;
            // Whatever ends this, a caller who has gone away too: the statement may commit, and the relay must look.
            let _wake = Wake(&self.committed);
            match lease.write(&changes).await {
                Ok(stock) => {
                    return with_stock(accepted, stock.get(context.event_id.to_string()).cloned());
                }
                Err(Fault::Refused(error)) if lost_race(&error) => {
                    tracing::debug!(event.id = %context.event_id, "lost_race");
                }
                Err(Fault::Lost(why)) => {
                    drop(lease);
                    return self.look_for(accepted, context, &why).await;
                }
                Err(other) => return Err(other.into()),
            }
        }
        Err(Error::Unavailable(
            "too many others are changing the same rows".to_owned(),
        ))
    }

    /// After a lost answer: the event is there, or nobody can say what happened.
    async fn look_for(&self, accepted: Accepted, context: &Context, why: &str) -> Result<Accepted, Error> {
        match self.pool.lease().await?.version_of(context.event_id).await? {
            Some(stock) => with_stock(accepted, Some(stock)),
            None => Err(Error::Unavailable(format!(
                "the answer of the database was lost ({why})"
            ))),
        }
    }
}

/// Wakes the relay when it is dropped.
struct Wake<'a>(&'a Notify);

impl Drop for Wake<'_> {
    fn drop(&mut self) {
        self.0.notify_one();
    }
}

/// The first answer again, if the request is the first one again.
fn replayed(replay: Replay, context: &Context) -> Result<Accepted, Error> {
    let same = context
        .once
        .as_ref()
        .is_some_and(|once| once.fingerprint == replay.fingerprint);
    if !same {
        return Err(Error::KeyReused);
    }
    Ok(Accepted {
        subject: replay.subject,
        version: replay.version,
        state: replay.state,
        stock: replay.stock,
        replayed: true,
    })
}

fn with_stock(accepted: Accepted, stock: Option<Value>) -> Result<Accepted, Error> {
    let stock = serde_json::from_value(stock.unwrap_or(Value::Array(Vec::new())));
    Ok(Accepted {
        stock: stock.map_err(|error| Error::Internal(error.to_string()))?,
        ..accepted
    })
}

/// A guard failed, a deadlock was broken, or somebody else made the same row first: the next S1 will say which rule it is.
fn lost_race(error: &tokio_postgres::Error) -> bool {
    let codes = [
        SqlState::T_R_DEADLOCK_DETECTED,
        SqlState::T_R_SERIALIZATION_FAILURE,
        SqlState::UNIQUE_VIOLATION,
    ];
    error
        .code()
        .is_some_and(|code| code.code() == "OM001" || codes.contains(code))
}

impl From<Fault> for Error {
    fn from(fault: Fault) -> Self {
        match &fault {
            Fault::Unreachable(_) | Fault::Lost(_) => Self::Unavailable(fault.to_string()),
            Fault::Refused(error) => match error.code().map(SqlState::code) {
                // Cancelled by statement_timeout, lock not available, too many connections, shutting down.
                Some("57014" | "55P03" | "53300" | "57P01" | "57P02" | "57P03") => {
                    Self::Unavailable(fault.to_string())
                }
                _ => Self::Internal(fault.to_string()),
            },
        }
    }
}

impl From<DecideError> for Error {
    fn from(error: DecideError) -> Self {
        match error {
            DecideError::Rejected(rejection) => Self::Rejected(rejection),
            DecideError::Stale(version) => Self::Stale(version),
            other => Self::Internal(other.to_string()),
        }
    }
}
