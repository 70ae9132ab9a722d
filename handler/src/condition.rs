//! How a store is, as those who use it and those who look at it have found it, and one log line whenever that changes.
//! Never asks a store anything, and never decides what a caller is told.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use schemars::JsonSchema;
use serde::Serialize;
use tokio::time::Instant;

/// How long what a user of the store has met counts when nobody meets it again: a look cannot see everything.
const REMEMBERED: Duration = Duration::from_secs(5);

/// What is the matter with a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(rename = "StoreReason")]
pub enum Reason {
    /// It does not answer, or not in time.
    Unreachable,
    /// It takes no writes: a read-only phase, or a standby.
    ReadOnly,
    /// It has no room: disk, memory, connections or request units.
    Full,
    /// A right is missing that this process needs.
    Rights,
    /// It does not let this process in.
    Credentials,
    /// The database, topic or container is not there.
    Missing,
    /// Its schema is older than this process, or nobody keeps its tables.
    Schema,
    /// It answers with an error of another kind.
    Failing,
}

impl Reason {
    /// As it is written.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unreachable => "unreachable",
            Self::ReadOnly => "read-only",
            Self::Full => "full",
            Self::Rights => "rights",
            Self::Credentials => "credentials",
            Self::Missing => "missing",
            Self::Schema => "schema",
            Self::Failing => "failing",
        }
    }

    /// True when it does not end before a person has done something.
    #[must_use]
    pub const fn needs_a_person(self) -> bool {
        !matches!(self, Self::Unreachable | Self::Failing)
    }
}

/// What is the matter, and what was seen of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    /// Its kind.
    pub reason: Reason,
    /// In the store's words; for operators and the log only.
    pub why: String,
}

impl Trouble {
    /// This trouble.
    #[must_use]
    pub fn new(reason: Reason, why: impl Into<String>) -> Self {
        Self {
            reason,
            why: why.into(),
        }
    }
}

/// How one store is.
#[derive(Debug)]
pub struct Condition {
    store: &'static str,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// What the last look has found.
    looked: Option<Trouble>,
    /// What a user has met, and when.
    met: Option<(Instant, Trouble)>,
    /// What the log knows.
    told: Option<Trouble>,
}

impl Condition {
    /// Of a store that nobody has met yet; the log calls it by this name.
    #[must_use]
    pub fn new(store: &'static str) -> Self {
        Self {
            store,
            state: Mutex::default(),
        }
    }

    /// A user of the store has met this.
    pub fn met(&self, trouble: Trouble) {
        let mut state = self.state();
        state.met = Some((Instant::now(), trouble));
        self.tell(&mut state);
    }

    /// A user has done what others may have failed at.
    pub fn works(&self) {
        let mut state = self.state();
        if state.met.take().is_some() {
            // It is truer than a look that was earlier.
            state.looked = None;
            self.tell(&mut state);
        }
    }

    /// A look has found this, or nothing; how the store is with all that is known.
    pub fn looked(&self, found: Option<Trouble>) -> Option<Trouble> {
        let mut state = self.state();
        state.looked = found;
        self.tell(&mut state)
    }

    /// One line for each change; what there is now.
    fn tell(&self, state: &mut State) -> Option<Trouble> {
        state.met.take_if(|(at, _)| at.elapsed() > REMEMBERED);
        let met = state.met.as_ref().map(|(_, trouble)| trouble);
        let now = state.looked.as_ref().or(met).cloned();
        let (store, told) = (self.store, state.told.as_ref());
        match &now {
            None if told.is_some() => tracing::info!(store, "store_recovered"),
            None => {}
            Some(Trouble { reason, why }) if told.map(|told| told.reason) != Some(*reason) => {
                tracing::warn!(store, reason = reason.name(), why, "store_degraded");
                if *reason == Reason::Rights {
                    tracing::error!(store, right = why, "missing_right");
                }
            }
            Some(Trouble {
                reason: Reason::Rights,
                why,
            }) if told.is_some_and(|told| told.why != *why) => {
                tracing::error!(store, right = why, "missing_right");
            }
            Some(_) => {}
        }
        state.told.clone_from(&now);
        now
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn full() -> Trouble {
        Trouble::new(Reason::Full, "no space left on device")
    }

    #[tokio::test(start_paused = true)]
    async fn a_condition_holds_until_a_success_or_until_it_is_old() {
        let condition = Condition::new("writeModel");
        assert_eq!(condition.looked(None), None);
        condition.met(full());
        assert_eq!(condition.looked(None), Some(full()));
        condition.works();
        assert_eq!(condition.looked(None), None);
        condition.met(full());
        tokio::time::sleep(REMEMBERED / 2).await;
        assert_eq!(condition.looked(None), Some(full()));
        tokio::time::sleep(REMEMBERED).await;
        assert_eq!(condition.looked(None), None);
    }

    #[tokio::test(start_paused = true)]
    async fn what_a_look_has_found_counts_until_the_next_one() {
        let condition = Condition::new("writeModel");
        let standby = Trouble::new(Reason::ReadOnly, "standby");
        assert_eq!(condition.looked(Some(standby.clone())), Some(standby));
        assert_eq!(condition.looked(None), None);
    }
}
