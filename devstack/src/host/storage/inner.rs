//! Storage within this process, for stacks that need no Azurite: leases that run out, and can be taken away.
//! It never keeps anything but leases.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use uuid::Uuid;

use super::lease::LeaseError;

/// The account; clones are the same one, so that several hosts can share it.
#[derive(Clone, Debug, Default)]
pub struct InnerStorage(Arc<Mutex<InnerState>>);

#[derive(Debug, Default)]
struct InnerState {
    away: bool,
    /// The holder of each lease, and its end.
    leases: BTreeMap<String, (Uuid, Instant)>,
}

impl InnerStorage {
    /// Lets no call through from now on.
    pub fn take_away(&self) {
        self.set(true);
    }

    /// Lets calls through again; leases that have not run out meanwhile are still held.
    pub fn give_back(&self) {
        self.set(false);
    }

    fn set(&self, away: bool) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).away = away;
    }

    pub(super) fn answers(&self) -> bool {
        !self.0.lock().unwrap_or_else(PoisonError::into_inner).away
    }

    /// Takes the lease, or keeps it: for so long from now.
    pub(super) fn hold(&self, name: &str, owner: Uuid, life: Duration) -> Result<(), LeaseError> {
        self.change(|leases| {
            let now = Instant::now();
            let held = leases.get(name).filter(|(_, end)| *end > now);
            if held.is_some_and(|(holder, _)| *holder != owner) {
                return Err(LeaseError::Taken);
            }
            leases.insert(name.to_owned(), (owner, now + life));
            Ok(())
        })
    }

    pub(super) fn release(&self, name: &str, owner: Uuid) -> Result<(), LeaseError> {
        self.change(|leases| {
            if leases.get(name).is_some_and(|(holder, _)| *holder == owner) {
                leases.remove(name);
            }
            Ok(())
        })
    }

    fn change(
        &self,
        change: impl FnOnce(&mut BTreeMap<String, (Uuid, Instant)>) -> Result<(), LeaseError>,
    ) -> Result<(), LeaseError> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if state.away {
            return Err(LeaseError::Away("it was taken away".to_owned()));
        }
        change(&mut state.leases)
    }
}
