//! What lies where a document should be: one, or something that cannot be read as one.
//! Never a reason to stop: who compares names it, and who projects writes it anew.

use serde::{Deserialize, Deserializer, de::DeserializeOwned};
use serde_json::Value;

/// What was found where a document should be.
#[derive(Debug, Clone, PartialEq)]
pub enum Found<D> {
    /// A document.
    Document(D),
    /// Something else.
    Unreadable {
        /// What is wrong with it.
        why: String,
        /// All of it, but for what the store adds (`_etag`, `_ts`, …).
        json: Value,
    },
}

impl<D> Found<D> {
    /// The document; `None` when it cannot be read as one.
    #[must_use]
    pub fn readable(&self) -> Option<&D> {
        match self {
            Self::Document(document) => Some(document),
            Self::Unreadable { .. } => None,
        }
    }
}

impl<'de, D: DeserializeOwned> Deserialize<'de> for Found<D> {
    fn deserialize<S: Deserializer<'de>>(deserializer: S) -> Result<Self, S::Error> {
        let mut json = Value::deserialize(deserializer)?;
        Ok(match D::deserialize(&json) {
            Ok(document) => Self::Document(document),
            Err(error) => {
                if let Value::Object(members) = &mut json {
                    members.retain(|name, _| !name.starts_with('_'));
                }
                let why = error.to_string();
                Self::Unreadable { why, json }
            }
        })
    }
}
