//! The reasons for which a lease is not given.
//! It never says when to ask again.

/// A lease that was not given, or not renewed.
#[derive(Debug, PartialEq)]
pub(crate) enum LeaseError {
    /// Another host has it.
    Taken,
    /// The storage account does not answer, or answers something else.
    Away(String),
}
