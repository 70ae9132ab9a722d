//! Write-combining: while one write of a document is under way, others of the same document wait, and are written together.
//! Never marks a write as done before the store has confirmed it.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use super::document::Document;

/// The writes that wait, by partition key and id of their document.
type Queues<D> = HashMap<(String, String), Vec<QueuedWrite<D>>>;

/// Writes that wait for their documents' turns. The first to get a turn writes for all that wait.
#[derive(Debug)]
pub(super) struct WriteQueue<D>(Mutex<Queues<D>>);

/// A document to be written, and whether another writer has written it.
#[derive(Debug)]
pub(super) struct QueuedWrite<D> {
    document: D,
    written: Arc<AtomicBool>,
}

/// A place in the queue; given up when dropped.
#[derive(Debug)]
pub(super) struct Ticket<'a, D: Document> {
    key: (String, String),
    written: Arc<AtomicBool>,
    queue: &'a WriteQueue<D>,
}

impl<D> Default for WriteQueue<D> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<D: Document> WriteQueue<D> {
    /// Queues a write of this document.
    pub(super) fn join(&self, incoming: &D) -> Ticket<'_, D> {
        let key = (incoming.pk().to_owned(), incoming.id());
        let written = Arc::new(AtomicBool::new(false));
        let write = QueuedWrite {
            document: incoming.clone(),
            written: Arc::clone(&written),
        };
        self.all().entry(key.clone()).or_default().push(write);
        Ticket {
            key,
            written,
            queue: self,
        }
    }

    fn all(&self) -> MutexGuard<'_, Queues<D>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<D: Document> Ticket<'_, D> {
    /// True when another writer has written the document, and the store has confirmed it.
    pub(super) fn is_written(&self) -> bool {
        self.written.load(Ordering::Acquire)
    }

    /// Takes all writes of the document out of the queue. A write that is not marked as written is written by its own caller:
    /// one document that the store refuses must not spoil the others.
    pub(super) fn take_all(&self) -> Vec<QueuedWrite<D>> {
        self.queue.all().remove(&self.key).unwrap_or_default()
    }
}

impl<D: Document> Drop for Ticket<'_, D> {
    fn drop(&mut self) {
        let mut all = self.queue.all();
        if let Some(writes) = all.get_mut(&self.key) {
            writes.retain(|write| !Arc::ptr_eq(&write.written, &self.written));
            if writes.is_empty() {
                all.remove(&self.key);
            }
        }
    }
}

impl<D: Document> QueuedWrite<D> {
    /// Puts the queued document over this one.
    pub(super) fn apply_to(&self, document: D) -> D {
        self.document.replacing(&document).unwrap_or(document)
    }

    /// Tells its caller that it is written.
    pub(super) fn mark_written(self) {
        self.written.store(true, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        domain::{testing::ada, timestamp::Timestamp},
        read::document::{Generation, customer::CustomerDocument},
    };

    fn customer(version: i64) -> CustomerDocument {
        CustomerDocument::new(Generation::FIRST, ada(version), Timestamp::UNIX_EPOCH)
    }

    #[test]
    fn one_caller_writes_for_all_that_wait_and_they_know_it() {
        let waiting = WriteQueue::default();
        let [first, second] = [2, 3].map(|version| waiting.join(&customer(version)));
        let all = first.take_all();
        let document = all
            .iter()
            .fold(customer(2), |document, waiter| waiter.apply_to(document));
        assert_eq!(document, customer(3));
        all.into_iter().for_each(QueuedWrite::mark_written);
        assert!(first.is_written() && second.is_written());
    }

    #[test]
    fn a_write_that_failed_is_left_to_each_caller() {
        let waiting = WriteQueue::default();
        let [first, second] = [2, 3].map(|version| waiting.join(&customer(version)));
        drop(first.take_all());
        assert!(!second.is_written());
        let third = waiting.join(&customer(4));
        // Only the write that came since: every caller has its own.
        assert_eq!(second.take_all().len(), 1);
        drop((first, second, third));
        let fourth = waiting.join(&customer(5));
        drop(fourth);
        assert!(waiting.all().is_empty(), "nothing is left behind");
    }
}
