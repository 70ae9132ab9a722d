//! Why an operation does not go on, and whether that may pass.
//! Never decided by the words of an error.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::{Unfit, dead_letters};
use crate::{
    error_chain::{Cause, cause, chain},
    postgres::PostgresError,
    read::{projector::ProjectError, store::StoreError},
};

/// How long a piece of work waits for a store or a database that is busy or away, and between which pauses: less than a piece
/// may take, so that the row says what is in the way.
pub(super) const PATIENCE: Duration = Duration::from_secs(8);
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// Why an operation ended early, or was not begun.
#[derive(Debug, thiserror::Error)]
pub enum Failed {
    /// The log or the table could not be read.
    #[error(transparent)]
    Log(#[from] PostgresError),
    /// Somebody else changed the pointer.
    #[error("somebody else has changed the pointer: is another rebuild running?")]
    Overtaken,
    /// The read store could not be read or written.
    #[error(transparent)]
    Store(StoreError),
    /// The bus did not do what was asked.
    #[error("the bus")]
    Bus(#[source] Cause),
    /// An event could not be brought into its documents.
    #[error(transparent)]
    Project(#[from] ProjectError),
    /// Another one is under way, and has to end first.
    #[error("{0}")]
    Busy(String),
    /// There is no such thing.
    #[error("{0}")]
    Absent(String),
    /// What was asked for breaks a rule, at this JSON Pointer.
    #[error("{0}: {1}")]
    Invalid(&'static str, &'static str),
    /// This process has no settings for it.
    #[error("this process has no {0}")]
    NotConfigured(&'static str),
    /// It cannot be done as things are.
    #[error("{0}")]
    Refused(String),
}

impl Failed {
    /// It cannot be done as things are.
    pub(crate) fn refused(why: impl Into<String>) -> Self {
        Self::Refused(why.into())
    }

    /// True when the same may work later.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Log(fault) => fault.is_transient(),
            Self::Store(error) => error.is_transient(),
            Self::Bus(_) | Self::Overtaken | Self::Project(ProjectError::Away(_)) => true,
            _ => false,
        }
    }
}

impl From<StoreError> for Failed {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Changed => Self::Overtaken,
            error => Self::Store(error),
        }
    }
}

impl From<dead_letters::Error> for Failed {
    fn from(error: dead_letters::Error) -> Self {
        use dead_letters::Error as E;
        match error {
            E::Unfit(unfit) => unfit.into(),
            E::Bus(error) => Self::Bus(cause(error)),
            E::Send(error) => Self::Bus(cause(error)),
            other => Self::refused(chain(&other).to_string()),
        }
    }
}

impl From<Unfit> for Failed {
    fn from(unfit: Unfit) -> Self {
        match unfit {
            Unfit::Bus(error) => Self::Bus(cause(error)),
            other => Self::Refused(other.to_string()),
        }
    }
}

/// Asks until there is an answer, as long as what is wrong may pass: a piece of work that makes many requests would else
/// have to begin anew after a single 429.
pub(crate) async fn patiently<T>(mut ask: impl AsyncFnMut() -> Result<T, Failed>) -> Result<T, Failed> {
    let until = Instant::now() + PATIENCE;
    let mut pause = FIRST_PAUSE;
    loop {
        let failed = match ask().await {
            Err(failed) if failed.is_transient() && Instant::now() + pause < until => failed,
            answer => return answer,
        };
        tracing::debug!(error = %chain(&failed), "operation_waits");
        sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}
