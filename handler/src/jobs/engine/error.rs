//! Why a job does not go on, or was not begun, and whether the same may work later.
//! Never decided by the words of an error: each keeps its source, and text is made where it is told.

use std::{fmt, time::Duration};

use tokio::time::{Instant, sleep};

use crate::{
    bus::{BusError, SendError},
    error_chain::chain,
    postgres::PostgresError,
    read::{projector::ProjectError, store::StoreError},
};

/// Longest wait of a step for a store or a database that is busy or away, and the pauses in it: less than a step may take, so
/// that the row says what is in the way.
pub(crate) const PATIENCE: Duration = Duration::from_secs(8);
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// The reason why a job ended early, or was not begun.
#[derive(Debug, thiserror::Error)]
pub enum JobError {
    /// The log or the table of jobs could not be read or written.
    #[error(transparent)]
    Database(#[from] PostgresError),
    /// The read store could not be read or written.
    #[error(transparent)]
    Store(StoreError),
    /// Another process wrote the pointer to the generations first.
    #[error("the pointer to the generations was changed meanwhile: is another rebuild running?")]
    PointerChanged,
    /// The bus is away, slow, or refuses us.
    #[error("the bus")]
    Bus(#[from] BusError),
    /// The topic does not take messages now.
    #[error("the bus")]
    Send(#[from] SendError),
    /// An event could not be brought into its documents.
    #[error(transparent)]
    Project(#[from] ProjectError),
    /// Another job has to end first.
    #[error("{0}")]
    UnderWay(String),
    /// There is no such thing.
    #[error("{0}")]
    NotFound(String),
    /// The request breaks rules.
    #[error("{}", Violation::sentence(.0))]
    Invalid(Vec<Violation>),
    /// The same key came with another request before.
    #[error("this Idempotency-Key was used for another request")]
    KeyReused,
    /// This process has no settings for it.
    #[error("setting {setting}: is missing")]
    NotConfigured {
        /// The store that it cannot reach.
        what: &'static str,
        /// The setting that it lacks.
        setting: &'static str,
    },
    /// This deployment has nothing that it could be about.
    #[error("not applicable: {0}")]
    NotApplicable(&'static str),
    /// It cannot be done as things are.
    #[error("{0}")]
    Refused(String),
}

/// A rule that a request breaks, beyond what its schema says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// JSON Pointer (RFC 6901) into the request.
    pub pointer: &'static str,
    /// The rule.
    pub rule: &'static str,
}

impl Violation {
    fn sentence(violations: &[Self]) -> String {
        let words: Vec<String> = violations.iter().map(Self::to_string).collect();
        words.join("; ")
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.pointer, self.rule)
    }
}

impl JobError {
    pub(crate) fn refused(why: impl Into<String>) -> Self {
        Self::Refused(why.into())
    }

    /// True when the same may work later.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Database(fault) => fault.is_transient(),
            Self::Store(error) => error.is_transient(),
            Self::Bus(_) | Self::Send(_) | Self::PointerChanged | Self::Project(ProjectError::Away(_)) => {
                true
            }
            _ => false,
        }
    }
}

impl From<StoreError> for JobError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Changed => Self::PointerChanged,
            error => Self::Store(error),
        }
    }
}

/// Asks until there is an answer, as long as what is wrong may pass: a step that makes many requests would else have to begin
/// again after a single 429.
pub(crate) async fn patiently<T, F>(mut ask: impl FnMut() -> F) -> Result<T, JobError>
where
    F: Future<Output = Result<T, JobError>>,
{
    let until = Instant::now() + PATIENCE;
    let mut pause = FIRST_PAUSE;
    loop {
        let error = match ask().await {
            Err(error) if error.is_transient() && Instant::now() + pause < until => error,
            answer => return answer,
        };
        tracing::debug!(error = %chain(&error), "job_waits");
        sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}
