//! What operators do to the read model and the bus, as functions that a terminal runs.
//! Never part of a request: each of them may take long, may be killed at any moment, and goes on when run again.

pub mod dead_letters;
pub mod expected;
pub mod rebuild;
pub mod retire;
pub mod verify;
pub mod why;

use std::time::Duration;

use tokio::time::Instant;

use crate::{
    bus::CloudEvent,
    domain::event::Recorded,
    postgres::Fault,
    read::{
        incoming::{Incoming, decode},
        projector::ProjectError,
        store::StoreError,
    },
};

/// Told what is being done, how far it is, and how far it goes (0 when that is not known).
pub type Tell<'a> = &'a (dyn Fn(&str, i64, i64) + Sync);

/// Why an operation ended early.
#[derive(Debug, thiserror::Error)]
pub enum Failed {
    /// The log could not be read.
    #[error(transparent)]
    Log(#[from] Fault),
    /// Somebody else changed the pointer.
    #[error("somebody else has changed the pointer: is another rebuild running?")]
    Overtaken,
    /// The read store could not be read or written.
    #[error("the read store: {0}")]
    Store(StoreError),
    /// An event could not be brought into its documents.
    #[error(transparent)]
    Project(#[from] ProjectError),
    /// It cannot be done as things are.
    #[error("{0}")]
    Refused(String),
}

impl Failed {
    /// It cannot be done as things are.
    pub(crate) fn refused(why: impl Into<String>) -> Self {
        Self::Refused(why.into())
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

/// An event of the log as its message would bring it.
fn incoming(event: &Recorded) -> Result<Incoming, Failed> {
    let broken = |why: String| Failed::refused(format!("event {}: {why}", event.event_id));
    let message = serde_json::to_value(CloudEvent::from(event)).map_err(|error| broken(error.to_string()))?;
    decode(message).map_err(|error| broken(error.to_string()))
}

/// How long an operation waits for a store or a database that is busy or away, and between which pauses.
const PATIENCE: Duration = Duration::from_secs(4 * 60);
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// Asks until there is an answer, as long as what is wrong may pass: an operation that goes through everything would else
/// have to begin anew after a single 429.
pub(crate) async fn patiently<T>(mut ask: impl AsyncFnMut() -> Result<T, Failed>) -> Result<T, Failed> {
    let until = Instant::now() + PATIENCE;
    let mut pause = FIRST_PAUSE;
    loop {
        let failed = match ask().await {
            Err(failed) if failed.passes() && Instant::now() + pause < until => failed,
            answer => return answer,
        };
        tracing::debug!(error = %failed, "operation_waits");
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

impl Failed {
    fn passes(&self) -> bool {
        match self {
            Self::Log(fault) => fault.passes(),
            Self::Store(StoreError::Away { .. } | StoreError::Busy { .. }) => true,
            _ => false,
        }
    }
}
