//! Why there was no answer from the database.
//! Never decides what the caller is told: only whether the same may work a moment later.

use tokio_postgres::error::{Severity, SqlState};

/// Why there was no answer from the database.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// No connection could be had, so nothing was asked.
    #[error("PostgreSQL cannot be reached: {0}")]
    Unreachable(String),
    /// The statement was sent and its answer never came: it may or may not have happened.
    #[error("the connection to PostgreSQL was lost: {0}")]
    Lost(String),
    /// The schema is older than is needed here: `handler migrate` has not run.
    #[error("the database's schema is at version {found}, and {needed} is needed: run `handler migrate`")]
    OldSchema {
        /// The version that was found; 0 for none.
        found: i32,
        /// The oldest version that will do.
        needed: i32,
    },
    /// The database answered with an error.
    #[error("PostgreSQL refused: {}", describe(.0))]
    Refused(#[source] tokio_postgres::Error),
}

impl Fault {
    /// The SQLSTATE that the database refused with, if it did.
    #[must_use]
    pub fn code(&self) -> Option<&str> {
        match self {
            Self::Refused(error) => error.code().map(SqlState::code),
            _ => None,
        }
    }

    /// True when nothing is wrong with what was asked, and the same may work later.
    #[must_use]
    pub fn passes(&self) -> bool {
        // Cancelled by statement_timeout, lock not available, too many connections, shutting down or starting; and what a
        // pooler says when it has no server.
        let passing = ["57014", "55P03", "53300", "57P01", "57P02", "57P03", "08P01"];
        match self {
            Self::Unreachable(_) | Self::Lost(_) | Self::OldSchema { .. } => true,
            Self::Refused(_) => self.code().is_some_and(|code| passing.contains(&code)),
        }
    }

    /// True when a statement was prepared before something changed; its connection is gone, and a new one prepares again.
    #[must_use]
    pub fn is_outdated(&self) -> bool {
        self.code().is_some_and(|code| OUTDATED.contains(&code))
    }
}

/// A prepared statement that is not there, or whose result would have other columns by now.
const OUTDATED: [&str; 2] = ["26000", "0A000"];

/// What an error of a statement means for the connection that it was sent on.
pub(super) fn classify(error: tokio_postgres::Error) -> Fault {
    // It broke, or the server is about to break it; or a pooler, which may have lost its server while that was at work.
    let lost = error.as_db_error().is_none_or(|refused| {
        // Poolers send the old field only, and the server's may be in another language.
        let fatal = matches!(refused.parsed_severity(), Some(Severity::Fatal | Severity::Panic));
        fatal || refused.severity() == "FATAL"
    });
    if lost {
        Fault::Lost(describe(&error))
    } else {
        Fault::Refused(error)
    }
}

/// The error with its causes: tokio-postgres keeps the telling part in the source.
#[must_use]
pub fn describe(error: &tokio_postgres::Error) -> String {
    match std::error::Error::source(error) {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    }
}
