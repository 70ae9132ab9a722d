//! Why a configuration cannot be used.
//! Never without the name of what is wrong.

use std::path::PathBuf;

/// A reason for which a configuration cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EntitiesError {
    /// The file cannot be read.
    #[error("cannot read {path}")]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's own error.
        source: std::io::Error,
    },
    /// The text is not the JSON of a configuration, or a rule of it has an unknown property.
    #[error("not a Service Bus emulator configuration: {0}")]
    Json(String),
    /// A property is known, and asks for something this emulator does not do.
    #[error("{entity}: {property} is not supported")]
    Unsupported {
        /// The topic, queue, subscription or rule.
        entity: String,
        /// The property as the file names it.
        property: &'static str,
    },
    /// A property's value is out of range.
    #[error("{entity}: {property} has an unusable value")]
    Value {
        /// The topic, queue, subscription or rule.
        entity: String,
        /// The property as the file names it.
        property: &'static str,
    },
}
