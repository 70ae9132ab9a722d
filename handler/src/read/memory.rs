//! What this process knows of documents: those it has read or written last, with their ETags, so that a write that builds
//! on one needs no read; and what waits to be written while another write of the same document is under way.
//! Never the ground for leaving a write out: whether a document is as new as that, only the store can say.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use super::{document::Document, store::Stored};

/// Something for each document, by partition key and id.
type ByDocument<T> = HashMap<(String, String), T>;

/// Documents with their ETags.
#[derive(Debug)]
pub(super) struct Memory<T> {
    known: Mutex<ByDocument<Stored<T>>>,
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

    fn known(&self) -> MutexGuard<'_, ByDocument<Stored<T>>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What several want to write into the same documents: whoever writes one takes what all of them bring.
#[derive(Debug)]
pub(super) struct Waiting<D>(Mutex<ByDocument<Vec<Waiter<D>>>>);

/// What one of them brings, and whether somebody has written it for him.
#[derive(Debug)]
pub(super) struct Waiter<D> {
    document: D,
    written: Arc<AtomicBool>,
}

/// A place among those who wait; given up when dropped.
#[derive(Debug)]
pub(super) struct Place<'a, D: Document> {
    key: (String, String),
    written: Arc<AtomicBool>,
    among: &'a Waiting<D>,
}

impl<D> Default for Waiting<D> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<D: Document> Waiting<D> {
    /// Waits with this for its document's turn.
    pub(super) fn join(&self, incoming: &D) -> Place<'_, D> {
        let key = (incoming.pk().to_owned(), incoming.id());
        let written = Arc::new(AtomicBool::new(false));
        let waiter = Waiter {
            document: incoming.clone(),
            written: Arc::clone(&written),
        };
        self.all().entry(key.clone()).or_default().push(waiter);
        Place {
            key,
            written,
            among: self,
        }
    }

    fn all(&self) -> MutexGuard<'_, ByDocument<Vec<Waiter<D>>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<D: Document> Place<'_, D> {
    /// True when another has written what was brought here, and the store has said so.
    pub(super) fn is_written(&self) -> bool {
        self.written.load(Ordering::Acquire)
    }

    /// All who wait for the document. If they are not told that theirs is written, each writes it himself: one whose
    /// content the store refuses must not spoil it for the others.
    pub(super) fn all(&self) -> Vec<Waiter<D>> {
        self.among.all().remove(&self.key).unwrap_or_default()
    }
}

impl<D: Document> Drop for Place<'_, D> {
    fn drop(&mut self) {
        let mut all = self.among.all();
        if let Some(waiters) = all.get_mut(&self.key) {
            waiters.retain(|waiter| !Arc::ptr_eq(&waiter.written, &self.written));
            if waiters.is_empty() {
                all.remove(&self.key);
            }
        }
    }
}

impl<D: Document> Waiter<D> {
    /// What he brings, over this.
    pub(super) fn over(&self, document: D) -> D {
        self.document.over(&document).unwrap_or(document)
    }

    /// It is written.
    pub(super) fn written(self) {
        self.written.store(true, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::{
        domain::{customer::Customer, testing::text, timestamp::Timestamp},
        read::document::{Generation, customer::CustomerDocument},
    };

    fn customer(version: i64) -> CustomerDocument {
        let customer = Customer {
            id: Uuid::nil(),
            version,
            name: text("Ada"),
            email: text("ada@example.org"),
        };
        CustomerDocument::new(Generation::FIRST, customer, Timestamp::UNIX_EPOCH)
    }

    #[test]
    fn one_writes_for_all_who_wait_and_they_know_it() {
        let waiting = Waiting::default();
        let [first, second] = [2, 3].map(|version| waiting.join(&customer(version)));
        let all = first.all();
        let document = all
            .iter()
            .fold(customer(2), |document, waiter| waiter.over(document));
        assert_eq!(document, customer(3));
        all.into_iter().for_each(Waiter::written);
        assert!(first.is_written() && second.is_written());
    }

    #[test]
    fn what_could_not_be_written_is_left_to_each_and_spoils_nobodys() {
        let waiting = Waiting::default();
        let [first, second] = [2, 3].map(|version| waiting.join(&customer(version)));
        drop(first.all());
        assert!(!second.is_written());
        let third = waiting.join(&customer(4));
        // Only who has come since; and what he brings himself, everybody has.
        assert_eq!(second.all().len(), 1);
        drop((first, second, third));
        let fourth = waiting.join(&customer(5));
        drop(fourth);
        assert!(waiting.all().is_empty(), "nothing is left behind");
    }
}
