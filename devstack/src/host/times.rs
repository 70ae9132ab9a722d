//! How long the host waits for what.
//! It never has a clock: each part waits by itself.

use std::time::Duration;

/// The times of the real host by default; tests shorten them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HostTimes {
    /// For HTTP requests under way, once the host is to end.
    pub drain: Duration,
    /// For triggers under way, after that.
    pub listeners: Duration,
    /// The life of a timer's lease; a storage account takes 15 to 60 s.
    pub lease: Duration,
    /// From one renewal of a lease to the next.
    pub renewal: Duration,
    /// For a storage account that does not answer: then the lease is given up, or asked for again.
    pub storage: Duration,
    /// For the storage account when the host starts; without it the host starts as well.
    pub storage_at_start: Duration,
    /// From one look at a lease that another host has to the next.
    pub recovery: Duration,
}

impl Default for HostTimes {
    fn default() -> Self {
        Self {
            drain: Duration::from_secs(30),
            listeners: Duration::from_secs(10),
            lease: Duration::from_secs(60),
            renewal: Duration::from_secs(30),
            storage: Duration::from_secs(12),
            storage_at_start: Duration::from_secs(28),
            recovery: Duration::from_secs(60),
        }
    }
}

impl HostTimes {
    /// The same waits, so many times shorter; but for the lease, whose least life is the storage account's.
    pub(super) fn faster(self, speed: u32) -> Self {
        Self {
            drain: self.drain / speed,
            listeners: self.listeners / speed,
            lease: self.lease,
            renewal: self.renewal / speed,
            storage: self.storage / speed,
            storage_at_start: self.storage_at_start / speed,
            recovery: self.recovery / speed,
        }
    }
}
