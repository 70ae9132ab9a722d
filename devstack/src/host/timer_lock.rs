//! The lock of one timer: a lease in the storage account, so that of several hosts one runs it.
//! It never ends the host itself: it says why the host has to end.

use std::time::Duration;

use tokio::time::{Instant, sleep};
use uuid::Uuid;

use super::{
    log::Logger,
    storage::{LeaseError, Storage},
    times::HostTimes,
};

/// The lock of one timer function.
pub(crate) struct TimerLock {
    storage: Storage,
    /// The blob.
    name: String,
    owner: Uuid,
    times: HostTimes,
    logger: Logger,
}

impl TimerLock {
    pub(crate) fn new(storage: Storage, name: &str, times: HostTimes, logger: Logger) -> Self {
        Self {
            storage,
            name: name.to_owned(),
            owner: Uuid::new_v4(),
            times,
            logger,
        }
    }

    /// Waits until the lock is this host's, however long another host or an outage has it.
    pub(crate) async fn acquire(&self) {
        let mut said = None;
        loop {
            let acquired = self
                .storage
                .acquire(&self.name, self.owner, self.times.lease)
                .await;
            let (problem, pause) = match acquired {
                Ok(()) => {
                    self.logger
                        .info(format!("Singleton lock acquired ({})", self.name));
                    return;
                }
                Err(LeaseError::Taken) => ("another host has it".to_owned(), self.times.recovery),
                Err(LeaseError::Away(problem)) => (
                    format!("the storage account is away: {problem}"),
                    self.times.storage,
                ),
            };
            // A long wait is one line.
            if said.as_ref() != Some(&problem) {
                let line = format!("Singleton lock not acquired ({}): {problem}", self.name);
                self.logger.warning(line);
                said = Some(problem);
            }
            sleep(pause).await;
        }
    }

    /// Keeps the lock; returns only when that is over, with the reason.
    pub(crate) async fn keep(&self) -> String {
        loop {
            sleep(self.times.renewal).await;
            if let Err(problem) = self.renew().await {
                return format!(
                    "Singleton lock renewal failed for blob '{}': {problem}",
                    self.name
                );
            }
        }
    }

    /// Renews it once; an account that is away is asked again for a while.
    async fn renew(&self) -> Result<(), String> {
        let until = Instant::now() + self.times.storage;
        loop {
            let renewed = self.storage.renew(&self.name, self.owner, self.times.lease).await;
            match renewed {
                Ok(()) => return Ok(()),
                Err(LeaseError::Taken) => return Err("another host has it".to_owned()),
                Err(LeaseError::Away(problem)) if Instant::now() >= until => return Err(problem),
                Err(LeaseError::Away(_)) => {
                    sleep((self.times.storage / 8).max(Duration::from_millis(1))).await
                }
            }
        }
    }

    /// Gives the lock to the next host.
    pub(crate) async fn release(&self) {
        // An account that is away gives it up by itself, when the lease runs out.
        if self.storage.release(&self.name, self.owner).await.is_ok() {
            self.logger
                .info(format!("Singleton lock released ({})", self.name));
        }
    }
}
