//! Documents that this process has read or written last, with their ETags, so that a write that builds on one needs no read.
//! Never a reason to leave a write out: only the store can say that a document is as new as that.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use super::store::StoredDocument;

/// Documents by partition key and id.
type Documents<T> = HashMap<(String, String), StoredDocument<T>>;

/// Documents with their ETags.
#[derive(Debug)]
pub(super) struct DocumentCache<T> {
    known: Mutex<Documents<T>>,
    /// Most documents that are kept; with one more, it starts empty again.
    most: usize,
}

impl<T> DocumentCache<T> {
    /// An empty cache for so many documents.
    pub(super) fn new(most: usize) -> Self {
        Self {
            known: Mutex::default(),
            most,
        }
    }

    /// Takes a document out: its writer puts the new one back.
    pub(super) fn take(&self, pk: &str, id: &str) -> Option<StoredDocument<T>> {
        self.known().remove(&(pk.to_owned(), id.to_owned()))
    }

    /// Puts a document in.
    pub(super) fn put(&self, pk: &str, id: &str, stored: StoredDocument<T>) {
        let mut known = self.known();
        if known.len() >= self.most {
            known.clear();
        }
        known.insert((pk.to_owned(), id.to_owned()), stored);
    }

    fn known(&self) -> MutexGuard<'_, Documents<T>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
