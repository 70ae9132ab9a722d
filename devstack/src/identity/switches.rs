//! Faults of the identity endpoint, at the turn of a switch, and what has been asked of it.
//! They never touch a token that was given before.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering::SeqCst};
use std::sync::{Arc, Mutex, PoisonError};

/// Shorter lives than five minutes are never kept by Microsoft's clients.
const LIFE_S: i64 = 310;
/// A client that renews a token four minutes before its end gets a new one.
const RENEWED_BELOW_S: i64 = 270;

/// The switches of one endpoint; clones turn the same ones.
#[derive(Clone, Debug, Default)]
pub struct IdentitySwitches(Arc<SwitchState>);

#[derive(Debug)]
struct SwitchState {
    expired: AtomicBool,
    life_s: AtomicI64,
    renewed_below_s: AtomicI64,
    /// Requests by the identity's name and the audience.
    requests: Mutex<BTreeMap<(String, String), u64>>,
    /// New tokens by the same.
    tokens: Mutex<BTreeMap<(String, String), u64>>,
}

impl Default for SwitchState {
    fn default() -> Self {
        Self {
            expired: AtomicBool::new(false),
            life_s: AtomicI64::new(LIFE_S),
            renewed_below_s: AtomicI64::new(RENEWED_BELOW_S),
            requests: Mutex::default(),
            tokens: Mutex::default(),
        }
    }
}

impl IdentitySwitches {
    /// Gives tokens that have run out, or no longer.
    pub fn expired(&self, expired: bool) {
        self.0.expired.store(expired, SeqCst);
    }

    /// Lets new tokens live so many seconds, and gives the same token again while it has at least so many left.
    pub fn live(&self, life_s: i64, renewed_below_s: i64) {
        self.0.life_s.store(life_s, SeqCst);
        self.0.renewed_below_s.store(renewed_below_s, SeqCst);
    }

    /// The number of requests of this identity for this audience so far.
    pub fn requests(&self, identity: &str, audience: &str) -> u64 {
        read(&self.0.requests, identity, audience)
    }

    /// The number of different tokens that this identity has got for this audience so far.
    pub fn tokens(&self, identity: &str, audience: &str) -> u64 {
        read(&self.0.tokens, identity, audience)
    }

    /// The number of all requests so far, refused ones left out.
    pub fn all_requests(&self) -> u64 {
        let requests = self.0.requests.lock().unwrap_or_else(PoisonError::into_inner);
        requests.values().sum()
    }

    pub(super) fn gives_expired(&self) -> bool {
        self.0.expired.load(SeqCst)
    }

    pub(super) fn lives(&self) -> (i64, i64) {
        (self.0.life_s.load(SeqCst), self.0.renewed_below_s.load(SeqCst))
    }

    pub(super) fn count(&self, identity: &str, audience: &str, is_new: bool) {
        add(&self.0.requests, identity, audience, 1);
        add(&self.0.tokens, identity, audience, u64::from(is_new));
    }
}

type Counts = Mutex<BTreeMap<(String, String), u64>>;

fn add(counts: &Counts, identity: &str, audience: &str, more: u64) {
    let mut counts = counts.lock().unwrap_or_else(PoisonError::into_inner);
    *counts
        .entry((identity.to_owned(), audience.to_owned()))
        .or_default() += more;
}

fn read(counts: &Counts, identity: &str, audience: &str) -> u64 {
    let counts = counts.lock().unwrap_or_else(PoisonError::into_inner);
    let place = (identity.to_owned(), audience.to_owned());
    counts.get(&place).copied().unwrap_or_default()
}
