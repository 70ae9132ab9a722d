//! The reasons why a database could not be brought to this version.
//! Never says only what PostgreSQL said where a person has to do something about it.

use tokio_postgres::error::SqlState;

use crate::postgres::PostgresError;

/// The reason why a migration has stopped; what was done before stays done, and the next run goes on.
#[derive(Debug, thiserror::Error)]
pub enum MigrateError {
    /// The database cannot be reached, or does not let us in.
    #[error(transparent)]
    Connection(#[from] PostgresError),
    /// In the words of PostgreSQL.
    #[error("PostgreSQL refused")]
    Postgres(#[from] tokio_postgres::Error),
    /// Whoever runs it lacks a right; with what to do about it.
    #[error("{0}")]
    MissingRight(&'static str, #[source] tokio_postgres::Error),
    /// A role is not what the arguments say; with what to do about it.
    #[error("{0}")]
    Role(String),
}

impl MigrateError {
    /// A missing right with what to do about it; any other error as it is.
    pub(super) fn explained(advice: &'static str) -> impl Fn(tokio_postgres::Error) -> Self {
        move |error| match error.code() {
            Some(&SqlState::INSUFFICIENT_PRIVILEGE) => Self::MissingRight(advice, error),
            _ => Self::Postgres(error),
        }
    }
}
