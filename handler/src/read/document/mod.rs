//! The documents as Cosmos DB holds them, and the pure rule by which a newer one replaces an older one.
//! Never compares clocks: versions alone decide what is newer. docs/read-model.md describes each document.

pub mod customer;
pub mod order;
pub mod product;
pub mod sales;

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

/// A set of all documents, made by one pass over the log: a rebuild makes another beside it. Numbers are never used again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Generation(pub u32);

impl Generation {
    /// The one that is there before any rebuild.
    pub const FIRST: Self = Self(1);

    /// Partition key of everything under one key: `"<generation>|<key>"`.
    #[must_use]
    pub fn partition(self, key: &str) -> String {
        format!("{}|{key}", self.0)
    }
}

impl Default for Generation {
    fn default() -> Self {
        Self::FIRST
    }
}

impl fmt::Display for Generation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// A document that any event may bring up to date, in any order and any number of times: putting one over another is
/// associative, commutative and idempotent.
///
/// As it stands here, that is the rule of a document that shows one aggregate: the newer version wins, whole.
pub trait Document: Clone + PartialEq + Serialize + DeserializeOwned + Send + Sync {
    /// Its partition key.
    fn pk(&self) -> &str;

    /// Its id in the partition.
    fn id(&self) -> String;

    /// The version that it shows; 1 is the first.
    fn version(&self) -> i64;

    /// True when nothing older can be there: it may be created without a read.
    fn is_first(&self) -> bool {
        self.version() == 1
    }

    /// The document to store in the place of `existing`; `None` when that shows everything already.
    #[must_use]
    fn replacing(&self, existing: &Self) -> Option<Self> {
        (existing.version() < self.version()).then(|| self.clone())
    }

    /// The same, where `existing` may be wrong: of two that show the same version, this one is stored.
    #[must_use]
    fn repairing(&self, existing: &Self) -> Option<Self> {
        (existing.version() <= self.version() && self != existing).then(|| self.clone())
    }
}
