//! What operators do to the read model and the bus, as functions that a terminal runs.
//! Never part of a request: each of them may take long, may be killed at any moment, and goes on when run again.

pub mod dead_letters;
mod expected;
pub mod rebuild;
pub mod retire;
pub mod verify;
pub mod why;

use crate::{
    postgres::Fault,
    read::{projector::ProjectError, store::StoreError},
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
