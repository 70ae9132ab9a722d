//! The switches as the connections obey them.
//! Never turned from here: see `switches`.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};

use tokio::sync::watch;

/// The state of the switches, for the connections that obey them.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    refusing: AtomicBool,
    drops: watch::Sender<()>,
    token_expiries: watch::Sender<()>,
    pub(crate) busy: FaultCounter,
    pub(crate) cut_before_storing: FaultCounter,
    pub(crate) cut_after_storing: FaultCounter,
    pub(crate) cut_before_settling: FaultCounter,
    pub(crate) cut_after_settling: FaultCounter,
    pub(crate) refuse_tokens: FaultCounter,
}

impl Faults {
    pub(super) fn refuse(&self, refused: bool) {
        self.refusing.store(refused, SeqCst);
    }

    pub(super) fn drop_connections(&self) {
        self.drops.send_replace(());
    }

    pub(super) fn expire_tokens(&self) {
        self.token_expiries.send_replace(());
    }

    pub(crate) fn is_refusing(&self) -> bool {
        self.refusing.load(SeqCst)
    }

    /// Changes when connections of now are to be dropped.
    pub(crate) fn drops(&self) -> watch::Receiver<()> {
        self.drops.subscribe()
    }

    /// Changes when tokens of now are to run out.
    pub(crate) fn token_expiries(&self) -> watch::Receiver<()> {
        self.token_expiries.subscribe()
    }
}

/// The number of times that a fault is still to happen, and that it has happened.
#[derive(Debug, Default)]
pub(crate) struct FaultCounter {
    left: AtomicU64,
    met: AtomicU64,
}

impl FaultCounter {
    pub(super) fn turn(&self, next: u64) {
        self.left.store(next, SeqCst);
    }

    pub(super) fn met(&self) -> u64 {
        self.met.load(SeqCst)
    }

    /// True when it is to happen now, which uses up one time.
    pub(crate) fn take(&self) -> bool {
        let one_less = |left: u64| left.checked_sub(1);
        let due = self.left.fetch_update(SeqCst, SeqCst, one_less).is_ok();
        self.met.fetch_add(u64::from(due), SeqCst);
        due
    }
}
