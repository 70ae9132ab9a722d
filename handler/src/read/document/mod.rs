//! The documents as Cosmos DB holds them, and the pure rule by which what an event says is put over what is there.
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
pub trait Document: Clone + Serialize + DeserializeOwned + Send + Sync {
    /// Its partition key.
    fn pk(&self) -> &str;

    /// Its id in the partition.
    fn id(&self) -> String;

    /// True when nothing older can be there: it may be created without a look.
    fn is_first(&self) -> bool;

    /// What to store when this meets what is there; `None` when that shows all of it already.
    #[must_use]
    fn over(&self, existing: &Self) -> Option<Self>;

    /// The same, where what is there and is not newer may be wrong: of two that show the same version this one is stored.
    #[must_use]
    fn repairing(&self, existing: &Self) -> Option<Self>;
}

/// The rule of documents that show one aggregate: the newer version wins, whole.
fn newer<T: Clone>((incoming, version): (&T, i64), existing: i64) -> Option<T> {
    (existing < version).then(|| incoming.clone())
}

/// The same rule, where the incoming one wins over an equal version that says something else.
fn not_older<T: Clone + PartialEq>(
    (incoming, version): (&T, i64),
    (existing, there): (&T, i64),
) -> Option<T> {
    (there <= version && incoming != existing).then(|| incoming.clone())
}
