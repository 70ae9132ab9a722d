//! What jobs look for in a container, and the query that finds it.
//! Never everything at once: each search ends within one request's time, whatever the container holds.

use serde::Deserialize;
use serde_json::{Value, json};

use crate::read::document::Generation;

/// Documents that are looked for.
#[derive(Debug, Clone, Copy)]
pub enum DocumentSearch<'a> {
    /// Those of one kind in one partition.
    OfPartition {
        /// The partition.
        pk: &'a str,
        /// The kind.
        kind: &'a str,
    },
    /// Those of one kind and generation in the partitions after one of them, in the order of the partitions.
    OfKind {
        /// The generation.
        generation: Generation,
        /// The kind.
        kind: &'a str,
        /// The partition.
        after: &'a str,
        /// At most so many.
        most: u32,
    },
    /// The keys ([`DocumentKey`]) of any of a generation.
    Keys {
        /// The generation.
        generation: Generation,
        /// At most so many.
        most: u32,
    },
}

/// A document's place in its container.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct DocumentKey {
    /// Its partition key.
    pub pk: String,
    /// Its id.
    pub id: String,
}

impl<'a> DocumentSearch<'a> {
    /// The partition, if it is one.
    pub(super) fn partition(&self) -> Option<&'a str> {
        match self {
            Self::OfPartition { pk, .. } => Some(pk),
            Self::OfKind { .. } | Self::Keys { .. } => None,
        }
    }

    /// The query with its parameters.
    pub(super) fn query(&self) -> (String, Vec<(&'static str, Value)>) {
        match self {
            Self::OfPartition { kind, .. } => (
                "SELECT * FROM c WHERE c.kind = @kind".to_owned(),
                vec![("@kind", json!(kind))],
            ),
            Self::OfKind {
                generation,
                kind,
                after,
                most,
            } => (
                format!(
                    "SELECT TOP {most} * FROM c WHERE c.gen = @gen AND c.kind = @kind AND c.pk > @after ORDER BY c.pk"
                ),
                vec![
                    ("@gen", json!(generation)),
                    ("@kind", json!(kind)),
                    ("@after", json!(after)),
                ],
            ),
            Self::Keys { generation, most } => (
                format!("SELECT TOP {most} c.pk, c.id FROM c WHERE c.gen = @gen"),
                vec![("@gen", json!(generation))],
            ),
        }
    }
}
