//! The two ends of a command: accepted, which is committed, or an error.
//! Never says more than happened: an error after which the command may have happened is `Unavailable`.

use uuid::Uuid;

use super::preconditions::FailedPrecondition;
use crate::{
    domain::{aggregate::Aggregate, event::StockLevel, rejection::Rejection, timestamp::Timestamp},
    error_chain::{Cause, cause},
    postgres::PostgresError,
};

/// The answer to a caller of the write side.
pub type CommandResult = Result<AcceptedCommand, WriteError>;

/// A command that was committed.
#[derive(Debug, Clone, PartialEq)]
pub struct AcceptedCommand {
    /// The aggregate after it.
    pub state: Aggregate,
    /// Stock levels that the command moved, as they were right after it.
    pub stock: Vec<StockLevel>,
    /// Id of the event.
    pub event_id: Uuid,
    /// Time of the event.
    pub at: Timestamp,
    /// True when this is the stored response to an earlier request with the same Idempotency-Key.
    pub replayed: bool,
}

/// A command that was not accepted. Several commands of one batch may share a cause.
#[derive(Debug, Clone, thiserror::Error)]
pub enum WriteError {
    /// A rule of the domain forbids it; nothing was written.
    #[error(transparent)]
    Rejected(#[from] Rejection),
    /// A precondition does not hold; nothing was written. With the version that the aggregate is at, if there is one.
    #[error("{} does not hold", .0.name())]
    PreconditionFailed(FailedPrecondition, Option<i64>),
    /// The Idempotency-Key was used for another request; nothing was written.
    #[error("the Idempotency-Key was used for another request")]
    KeyReused,
    /// Others changed the same rows again and again; nothing was written.
    #[error("too many others are changing the same rows")]
    Contended,
    /// The database cannot be reached, or another transaction holds a row: the caller may come back later.
    #[error(transparent)]
    Unavailable(Cause),
    /// A defect of this program.
    #[error(transparent)]
    Internal(Cause),
}

impl AcceptedCommand {
    /// Id of the aggregate: a customer's or order's id, or a SKU.
    #[must_use]
    pub fn subject(&self) -> String {
        self.state.id().to_string()
    }

    /// The aggregate's version after it.
    #[must_use]
    pub fn version(&self) -> i64 {
        self.state.version()
    }
}

impl From<PostgresError> for WriteError {
    fn from(error: PostgresError) -> Self {
        if error.is_transient() {
            Self::Unavailable(cause(error))
        } else {
            Self::Internal(cause(error))
        }
    }
}
