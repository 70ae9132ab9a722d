//! Preconditions of a command (RFC 9110, section 13.1): the versions of its aggregate at which it is to be done.
//! Never parses a header: HTTP does, and hands over versions and times.

use time::OffsetDateTime;

use crate::domain::timestamp::Timestamp;

/// Conditions of a caller on the aggregate that a command is about; all must hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Preconditions {
    /// `If-Match`: it is at one of these versions.
    pub matches: Option<Versions>,
    /// `If-Unmodified-Since`: it has not changed after this second; looked at without `If-Match` only.
    pub unmodified_since: Option<OffsetDateTime>,
    /// `If-None-Match`: it is at none of these versions.
    pub matches_none: Option<Versions>,
}

/// Versions of an aggregate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Versions {
    /// `*`: any version of an aggregate that exists.
    Any,
    /// One of these versions.
    OneOf(Vec<i64>),
}

/// The precondition that does not hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailedPrecondition {
    /// `If-Match`.
    IfMatch,
    /// `If-Unmodified-Since`.
    IfUnmodifiedSince,
    /// `If-None-Match`.
    IfNoneMatch,
}

impl Preconditions {
    /// Checks them for an aggregate at this version, changed last at this time, in the order of RFC 9110, section
    /// 13.2.2; `None` is what does not exist, or has no times.
    ///
    /// # Errors
    /// The one that does not.
    pub fn hold(
        &self,
        version: Option<i64>,
        changed_at: Option<Timestamp>,
    ) -> Result<(), FailedPrecondition> {
        match (&self.matches, self.unmodified_since, changed_at) {
            (Some(versions), ..) if !versions.contain(version) => return Err(FailedPrecondition::IfMatch),
            // Times go over the wire in whole seconds.
            (None, Some(since), Some(changed)) if changed.utc().unix_timestamp() > since.unix_timestamp() => {
                return Err(FailedPrecondition::IfUnmodifiedSince);
            }
            _ => {}
        }
        match &self.matches_none {
            Some(versions) if versions.contain(version) => Err(FailedPrecondition::IfNoneMatch),
            _ => Ok(()),
        }
    }
}

impl Versions {
    /// `None` is an aggregate that does not exist.
    fn contain(&self, version: Option<i64>) -> bool {
        match self {
            Self::Any => version.is_some(),
            Self::OneOf(versions) => version.is_some_and(|version| versions.contains(&version)),
        }
    }
}

impl FailedPrecondition {
    /// The header field's name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::IfMatch => "If-Match",
            Self::IfUnmodifiedSince => "If-Unmodified-Since",
            Self::IfNoneMatch => "If-None-Match",
        }
    }
}
