//! The state that all connections of one bus share.
//! Never waits: it is locked for one step of the broker at a time.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, watch};
use uuid::Uuid;

use super::broker::Broker;
use super::entities::Entities;
use super::faults::Faults;

/// The state that all connections share.
#[derive(Debug)]
pub(crate) struct SharedState {
    broker: Mutex<Broker>,
    changed: watch::Sender<()>,
    dated: Notify,
    pub(crate) faults: Faults,
}

/// A bus without entities, which leads nowhere.
impl Default for SharedState {
    fn default() -> Self {
        Self::new(&Entities::default())
    }
}

impl SharedState {
    pub(super) fn new(entities: &Entities) -> Self {
        Self {
            broker: Mutex::new(Broker::new(entities, Box::new(Uuid::new_v4))),
            changed: watch::Sender::new(()),
            dated: Notify::new(),
            faults: Faults::default(),
        }
    }

    pub(crate) fn broker(&self) -> MutexGuard<'_, Broker> {
        self.broker.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells every connection that there may be something to deliver.
    pub(crate) fn wake(&self) {
        self.changed.send_replace(());
    }

    /// Tells the expiry task that something may run out sooner than it knows: a lock, or a message's time to live.
    pub(crate) fn dated(&self) {
        self.dated.notify_one();
    }

    /// Returns when something has been dated since.
    pub(super) async fn next_dated(&self) {
        self.dated.notified().await;
    }

    pub(crate) fn watch(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }
}
