//! The documents that this process has read or written last, with their ETags: a write that builds on one needs no read.
//! Never the ground for leaving a write out: whether a document is as new as that, only the store can say.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use super::store::Stored;

/// Most documents that are kept; beyond that it starts anew.
const MOST: usize = 500;

/// By partition key and id.
#[derive(Debug)]
pub(super) struct Memory<T>(Mutex<HashMap<(String, String), Stored<T>>>);

impl<T> Default for Memory<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T> Memory<T> {
    /// Takes what is remembered out: whoever writes puts the outcome back.
    pub(super) fn take(&self, pk: &str, id: &str) -> Option<Stored<T>> {
        self.known().remove(&(pk.to_owned(), id.to_owned()))
    }

    /// Remembers this.
    pub(super) fn put(&self, pk: &str, id: &str, stored: Stored<T>) {
        let mut known = self.known();
        if known.len() >= MOST {
            known.clear();
        }
        known.insert((pk.to_owned(), id.to_owned()), stored);
    }

    fn known(&self) -> MutexGuard<'_, HashMap<(String, String), Stored<T>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
