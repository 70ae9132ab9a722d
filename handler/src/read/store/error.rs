//! Errors of the store, and whether to try again.
//! Never decides how often: the caller does.

use std::{error::Error, time::Duration};

use azure_data_cosmos::CosmosError;

use crate::error_chain::{Cause, cause};

/// The reason why an operation did not happen.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// Another writer was first: read again.
    #[error("the document has changed meanwhile")]
    Changed,
    /// This document is too busy, or the part of the store that it is in: others write it, or there is no capacity left for
    /// it (429, which says when to come back). Says nothing of other documents.
    #[error("the document is busy")]
    Busy {
        /// The store's error.
        source: Cause,
        /// The time for which the store asks to be left alone.
        retry_after: Option<Duration>,
    },
    /// The store is away or slow; it may say when to come back.
    #[error("the read store is away")]
    Away {
        /// The store's error, or what was waited for.
        source: Cause,
        /// The time for which the store asks to be left alone.
        retry_after: Option<Duration>,
    },
    /// A document that cannot be read here.
    #[error("the document {what} cannot be read")]
    Unreadable {
        /// Its container, partition key and id.
        what: String,
        /// The fault in it.
        source: Cause,
    },
    /// The store refuses what was asked, and would again.
    #[error("the read store refuses it")]
    Refused(#[source] Cause),
}

impl StoreError {
    /// Of two errors the one that weighs more, with the longer of the waits that they ask for: what will not pass before an
    /// absent store, and that before a busy document.
    pub(in crate::read) fn or_worse(self, other: Self) -> Self {
        let longest = self.retry_after().max(other.retry_after());
        let weight = |error: &Self| match error {
            Self::Busy { .. } => 0,
            Self::Away { .. } => 1,
            Self::Changed | Self::Unreadable { .. } | Self::Refused(_) => 2,
        };
        let mut worse = if weight(&self) > weight(&other) {
            self
        } else {
            other
        };
        if let Self::Busy { retry_after, .. } | Self::Away { retry_after, .. } = &mut worse {
            *retry_after = longest;
        }
        worse
    }

    /// True when the same may work later.
    pub(crate) fn is_transient(&self) -> bool {
        matches!(self, Self::Busy { .. } | Self::Away { .. })
    }

    /// The time for which the store asks to be left alone.
    pub(in crate::read) fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Busy { retry_after, .. } | Self::Away { retry_after, .. } => *retry_after,
            Self::Changed | Self::Unreadable { .. } | Self::Refused(_) => None,
        }
    }

    /// The store is away.
    pub(in crate::read) fn away(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Away {
            source: cause(error),
            retry_after: None,
        }
    }
}

impl From<CosmosError> for StoreError {
    fn from(error: CosmosError) -> Self {
        let status = error.status();
        let asked = error
            .response()
            .and_then(|response| response.headers().retry_after_ms);
        let code = u16::from(status.status_code());
        let part = status.sub_status().map(|part| part.value());
        if (code, part) == FULL {
            return Self::Refused(cause(FullPartition(error)));
        }
        if code != TOO_MANY_REQUESTS && (status.is_transient() || status.is_timeout()) {
            return Self::Away {
                source: cause(error),
                retry_after: asked.map(Duration::from_millis),
            };
        }
        from_status(code, error, asked.map(Duration::from_millis))
    }
}

/// A document that would grow a partition beyond its limit.
#[derive(Debug, thiserror::Error)]
#[error("the logical partition is full")]
struct FullPartition(#[source] CosmosError);

const TOO_MANY_REQUESTS: u16 = 429;
/// All documents of one partition key have 20 GB: no wait helps (Microsoft: "HTTP status codes for Azure Cosmos DB", 403).
const FULL: (u16, Option<u16>) = (403, Some(1014));

/// Makes an error of a status that is no success. Only a closed list is about what was asked for; whatever else there is passes.
/// Credentials, roles and containers are mended by operators: messages wait for that as they wait for an outage. 431 (RFC 6585) is about what the client sends with everything, its session token of each physical
/// partition; a container of over a thousand of them gets there, and no document is to blame.
#[must_use]
pub fn from_status(
    code: u16,
    error: impl Into<Box<dyn Error + Send + Sync>>,
    retry_after: Option<Duration>,
) -> StoreError {
    let source = cause(error);
    match code {
        409 | 412 => StoreError::Changed,
        // Two at a time wrote the same document.
        TOO_MANY_REQUESTS | 449 => StoreError::Busy { source, retry_after },
        400 | 413 | 422 => StoreError::Refused(source),
        _ => StoreError::Away { source, retry_after },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_about_the_document_itself_is_refused() {
        for code in [400, 413, 422] {
            let error = from_status(code, "seen", None);
            assert!(matches!(error, StoreError::Refused(_)), "{code}: {error:?}");
        }
        for code in [
            0, 301, 401, 403, 404, 405, 408, 410, 418, 424, 431, 451, 500, 503, 599, 999,
        ] {
            let error = from_status(code, "seen", None);
            assert!(matches!(error, StoreError::Away { .. }), "{code}: {error:?}");
        }
    }

    #[test]
    fn of_several_errors_the_worst_counts_and_the_longest_wait() {
        let busy = |seconds| from_status(429, "busy", Some(Duration::from_secs(seconds)));
        let away = || from_status(503, "away", None);
        let refused = || from_status(413, "large", None);
        for worst in [busy(9).or_worse(away()), away().or_worse(busy(9))] {
            assert!(
                matches!(&worst, StoreError::Away { retry_after: Some(wait), .. } if wait.as_secs() == 9),
                "{worst:?}"
            );
        }
        let longest = busy(2).or_worse(busy(5)).or_worse(busy(3));
        assert_eq!(longest.retry_after(), Some(Duration::from_secs(5)));
        for worst in [refused().or_worse(away()), busy(1).or_worse(refused())] {
            assert!(matches!(worst, StoreError::Refused(_)), "{worst:?}");
        }
    }
}
