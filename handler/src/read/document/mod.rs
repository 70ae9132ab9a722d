//! The documents as Cosmos DB holds them, and the pure rule by which what an event says is put over what is there.
//! Never compares clocks: versions alone decide what is newer. docs/read-model.md describes each document.

pub mod customer;
pub mod order;
pub mod product;
pub mod sales;

use serde::{Serialize, de::DeserializeOwned};

/// The generation that is read and written.
pub const GENERATION: u32 = 1;

/// Partition key of everything under one key: `"<generation>|<key>"`.
#[must_use]
pub fn partition(key: &str) -> String {
    format!("{GENERATION}|{key}")
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
}

/// The rule of documents that show one aggregate: the newer version wins, whole.
fn newer<T: Clone>((incoming, version): (&T, i64), existing: i64) -> Option<T> {
    (existing < version).then(|| incoming.clone())
}
