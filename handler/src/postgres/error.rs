//! The reasons why there was no answer from the database.
//! Never decides what the caller is told: only whether the same may work a moment later, and what is the matter.

use tokio_postgres::error::{Severity, SqlState};

use super::sqlstate::{OUTDATED, is_of_others, is_ours, reason};
use crate::{
    condition::{StoreReason, StoreTrouble},
    error_chain::{Cause, cause, chain},
};

/// The reason why there was no answer from the database.
#[derive(Debug, thiserror::Error)]
pub enum PostgresError {
    /// Everybody else in this process is asking: says nothing of the database.
    #[error("all connections are busy")]
    PoolExhausted,
    /// No connection could be had, so nothing was asked.
    #[error("PostgreSQL cannot be reached")]
    Unreachable(#[source] Cause),
    /// The statement was sent and its answer never came: it may or may not have happened.
    #[error("the connection to PostgreSQL was lost")]
    Lost(#[source] Cause),
    /// The server that was reached follows another one: it takes no writes, and what it shows may be old.
    #[error("the server is a standby")]
    Standby,
    /// The schema is older than is needed here: `handler migrate` has not run.
    #[error("the database's schema is at version {found}, and {needed} is needed: run `handler migrate`")]
    OldSchema {
        /// The version that was found; 0 for none.
        found: i32,
        /// The oldest version that will do.
        needed: i32,
    },
    /// The database answered with an error.
    #[error("PostgreSQL refused ({})", code_of(.0))]
    Refused(#[source] tokio_postgres::Error),
    /// It does not know or support a statement, for the second time in a row, on a connection that was opened in between.
    #[error("PostgreSQL refused twice ({})", code_of(.0))]
    Unsupported(#[source] tokio_postgres::Error),
    /// The answer came, and has other columns or values than are expected here.
    #[error("an answer of PostgreSQL cannot be read")]
    Unreadable(#[from] tokio_postgres::Error),
}

fn code_of(error: &tokio_postgres::Error) -> &str {
    error.code().map_or("no SQLSTATE", SqlState::code)
}

impl PostgresError {
    /// The SQLSTATE that the database refused with, if it did.
    #[must_use]
    pub fn code(&self) -> Option<&str> {
        match self {
            Self::Refused(error) | Self::Unsupported(error) => error.code().map(SqlState::code),
            _ => None,
        }
    }

    /// True when nothing is wrong with what was asked, and the same may work later: whatever the database refuses with but
    /// for a closed list of SQLSTATEs.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Refused(_) => self.code().is_some_and(|code| !is_ours(code)),
            Self::Unsupported(_) | Self::Unreadable(_) => false,
            _ => true,
        }
    }

    /// True when a statement was prepared before something changed; its connection is gone, and a new one prepares again.
    #[must_use]
    pub fn is_outdated(&self) -> bool {
        matches!(self, Self::Refused(_)) && self.code().is_some_and(|code| OUTDATED.contains(&code))
    }

    /// True when another statement may fare better on the same database.
    #[must_use]
    pub fn is_of_one_statement(&self) -> bool {
        let of_statement = matches!(
            self,
            Self::Refused(_) | Self::Unsupported(_) | Self::Unreadable(_)
        );
        let one = [StoreReason::Rights, StoreReason::Failing];
        of_statement && self.trouble().is_none_or(|trouble| one.contains(&trouble.reason))
    }

    /// The trouble that the database is in, if it is the database that is in trouble.
    #[must_use]
    pub fn trouble(&self) -> Option<StoreTrouble> {
        let reason = match self {
            // After a connection that broke the next one says what is so.
            Self::PoolExhausted | Self::Lost(_) | Self::Unsupported(_) | Self::Unreadable(_) => None,
            Self::Unreachable(_) => Some(StoreReason::Unreachable),
            Self::Standby => Some(StoreReason::ReadOnly),
            Self::OldSchema { .. } => Some(StoreReason::Schema),
            Self::Refused(_) => self.code().and_then(reason),
        };
        reason.map(|reason| StoreTrouble::new(reason, chain(self).to_string()))
    }

    /// True when the connection is as good as before.
    pub(super) fn spares_connection(&self) -> bool {
        match self {
            Self::Refused(_) => self
                .code()
                .is_some_and(|code| is_ours(code) || is_of_others(code)),
            Self::Unreadable(_) => true,
            _ => false,
        }
    }
}

/// Tells an error of a statement from the loss of the connection that it was sent on.
pub(super) fn classify(error: tokio_postgres::Error) -> PostgresError {
    // It broke, or the server is about to break it; or a pooler, which may have lost its server while that was at work.
    let lost = error.as_db_error().is_none_or(|refused| {
        // Poolers send the old field only, and the server's may be in another language.
        let fatal = matches!(refused.parsed_severity(), Some(Severity::Fatal | Severity::Panic));
        fatal || refused.severity() == "FATAL"
    });
    if lost {
        PostgresError::Lost(cause(error))
    } else {
        PostgresError::Refused(error)
    }
}
