//! Condition of a store, as its users and the health probe report it, and one log line for each change.
//! Never asks a store anything, and never decides what a caller is told.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use schemars::JsonSchema;
use serde::Serialize;
use tokio::time::Instant;

/// Time for which a user's report counts when no other user repeats it: a probe cannot see everything.
const REPORT_LIFETIME: Duration = Duration::from_secs(5);

/// A kind of trouble with a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum StoreReason {
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
    /// Its schema is older than this process, or its tables are not kept.
    Schema,
    /// It answers with an error of another kind.
    Failing,
}

impl StoreReason {
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

/// Trouble with a store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreTrouble {
    /// Its kind.
    pub reason: StoreReason,
    /// In the store's words; for operators and the log only.
    pub why: String,
}

impl StoreTrouble {
    /// This trouble.
    #[must_use]
    pub fn new(reason: StoreReason, why: impl Into<String>) -> Self {
        Self {
            reason,
            why: why.into(),
        }
    }
}

/// Condition of one store.
#[derive(Debug)]
pub struct StoreCondition {
    store: &'static str,
    state: Mutex<ConditionState>,
}

#[derive(Debug, Default)]
struct ConditionState {
    /// The last probe's finding.
    probed: Option<StoreTrouble>,
    /// A user's last report, with its time.
    reported: Option<(Instant, StoreTrouble)>,
    /// The trouble that was logged last.
    logged: Option<StoreTrouble>,
}

impl StoreCondition {
    /// Condition of a store that is unused so far; the log calls it by this name.
    #[must_use]
    pub fn new(store: &'static str) -> Self {
        Self {
            store,
            state: Mutex::default(),
        }
    }

    /// Takes a user's report of trouble.
    pub fn report_trouble(&self, trouble: StoreTrouble) {
        let mut state = self.state();
        state.reported = Some((Instant::now(), trouble));
        self.log_change(&mut state);
    }

    /// Takes a user's report of success.
    pub fn report_success(&self) {
        let mut state = self.state();
        if state.reported.take().is_some() {
            // It is newer than the last probe.
            state.probed = None;
            self.log_change(&mut state);
        }
    }

    /// Takes a probe's finding, and returns the trouble after all reports.
    pub fn record_probe(&self, found: Option<StoreTrouble>) -> Option<StoreTrouble> {
        let mut state = self.state();
        state.probed = found;
        self.log_change(&mut state)
    }

    /// Logs a change, and returns the trouble there is now.
    fn log_change(&self, state: &mut ConditionState) -> Option<StoreTrouble> {
        state.reported.take_if(|(at, _)| at.elapsed() > REPORT_LIFETIME);
        let reported = state.reported.as_ref().map(|(_, trouble)| trouble);
        let now = state.probed.as_ref().or(reported).cloned();
        let (store, logged) = (self.store, state.logged.as_ref());
        match &now {
            None if logged.is_some() => tracing::info!(store, "store_recovered"),
            None => {}
            Some(StoreTrouble { reason, why }) if logged.map(|logged| logged.reason) != Some(*reason) => {
                tracing::warn!(store, reason = reason.name(), why, "store_degraded");
                if *reason == StoreReason::Rights {
                    tracing::error!(store, right = why, "missing_right");
                }
            }
            Some(StoreTrouble {
                reason: StoreReason::Rights,
                why,
            }) if logged.is_some_and(|logged| logged.why != *why) => {
                tracing::error!(store, right = why, "missing_right");
            }
            Some(_) => {}
        }
        state.logged.clone_from(&now);
        now
    }

    fn state(&self) -> MutexGuard<'_, ConditionState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn full() -> StoreTrouble {
        StoreTrouble::new(StoreReason::Full, "no space left on device")
    }

    #[tokio::test(start_paused = true)]
    async fn a_condition_holds_until_a_success_or_until_it_is_old() {
        let condition = StoreCondition::new("writeModel");
        assert_eq!(condition.record_probe(None), None);
        condition.report_trouble(full());
        assert_eq!(condition.record_probe(None), Some(full()));
        condition.report_success();
        assert_eq!(condition.record_probe(None), None);
        condition.report_trouble(full());
        tokio::time::sleep(REPORT_LIFETIME / 2).await;
        assert_eq!(condition.record_probe(None), Some(full()));
        tokio::time::sleep(REPORT_LIFETIME).await;
        assert_eq!(condition.record_probe(None), None);
    }

    #[tokio::test(start_paused = true)]
    async fn what_a_look_has_found_counts_until_the_next_one() {
        let condition = StoreCondition::new("writeModel");
        let standby = StoreTrouble::new(StoreReason::ReadOnly, "standby");
        assert_eq!(condition.record_probe(Some(standby.clone())), Some(standby));
        assert_eq!(condition.record_probe(None), None);
    }
}
