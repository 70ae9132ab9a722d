//! What this process knows of documents: those it has read or written last, with their ETags, so that a write that builds
//! on one needs no read; and what waits to be written while another write of the same document is under way.
//! Never the ground for leaving a write out: whether a document is as new as that, only the store can say.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use super::{document::Document, store::Stored};

/// By partition key and id.
#[derive(Debug)]
pub(super) struct Memory<T> {
    known: Mutex<HashMap<(String, String), Stored<T>>>,
    /// Most documents that are kept; beyond that it starts anew.
    most: usize,
}

impl<T> Memory<T> {
    /// An empty one for so many documents.
    pub(super) fn new(most: usize) -> Self {
        Self {
            known: Mutex::default(),
            most,
        }
    }

    /// Takes what is remembered out: whoever writes puts the outcome back.
    pub(super) fn take(&self, pk: &str, id: &str) -> Option<Stored<T>> {
        self.known().remove(&(pk.to_owned(), id.to_owned()))
    }

    /// Remembers this.
    pub(super) fn put(&self, pk: &str, id: &str, stored: Stored<T>) {
        let mut known = self.known();
        if known.len() >= self.most {
            known.clear();
        }
        known.insert((pk.to_owned(), id.to_owned()), stored);
    }

    fn known(&self) -> MutexGuard<'_, HashMap<(String, String), Stored<T>>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What several want to write into the same documents, put over one another.
#[derive(Debug)]
pub(super) struct Waiting<D>(Mutex<HashMap<(String, String), D>>);

/// All that waited for one document, in the hands of the one who writes it. Unless that is done it waits again, also
/// when the writer is gone: those behind him count on it.
#[derive(Debug)]
pub(super) struct Taken<'a, D: Document> {
    document: D,
    written: bool,
    from: &'a Waiting<D>,
}

impl<D> Default for Waiting<D> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<D: Document> Waiting<D> {
    /// Puts this with what waits for its document.
    pub(super) fn join(&self, incoming: &D) {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (incoming.pk().to_owned(), incoming.id());
        let all = match waiting.get(&key) {
            None => Some(incoming.clone()),
            Some(others) => incoming.over(others),
        };
        if let Some(all) = all {
            waiting.insert(key, all);
        }
    }

    /// Takes all that waits for this document, if anything does.
    pub(super) fn take(&self, of: &D) -> Option<Taken<'_, D>> {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let document = waiting.remove(&(of.pk().to_owned(), of.id()))?;
        Some(Taken {
            document,
            written: false,
            from: self,
        })
    }
}

impl<D: Document> Taken<'_, D> {
    /// What is to be written.
    pub(super) fn document(&self) -> &D {
        &self.document
    }

    /// It is written.
    pub(super) fn done(mut self) {
        self.written = true;
    }
}

impl<D: Document> Drop for Taken<'_, D> {
    fn drop(&mut self) {
        if !self.written {
            self.from.join(&self.document);
        }
    }
}
