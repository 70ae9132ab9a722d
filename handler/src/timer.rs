//! What the timer does: forgets what time has made superfluous, sees that the outbox goes out, and brings sales up to date.
//! Never works for long: a call must end long before functionTimeout, which would kill the process.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use crate::{
    postgres::Fault,
    read::Tables,
    relay::{Interrupted, Relay},
    write::outbox::Outbox,
};

/// How long one call may spend on the outbox. Sales have a statement_timeout of their own.
const SWEEP: Duration = Duration::from_secs(20);

/// The regular work of a process that has a database.
pub struct Timer {
    /// Shared with the relay.
    pub outbox: Arc<Outbox>,
    /// `None` when this process does not send.
    pub relay: Option<Arc<Relay>>,
    /// `None` when the read model is not in PostgreSQL.
    pub tables: Option<Arc<Tables>>,
}

impl Timer {
    /// One call. Each part is tried, whatever became of the others.
    ///
    /// # Errors
    /// The first failure; the next call goes on.
    pub async fn tick(&self) -> Result<(), Interrupted> {
        let until = Instant::now() + SWEEP;
        let forgotten = self.forget(until).await;
        let sent = match &self.relay {
            Some(relay) => relay.sweep(until).await,
            None => Ok(()),
        };
        let shown = match &self.tables {
            Some(tables) => tables.refresh_sales().await,
            None => Ok(()),
        };
        forgotten.map_err(|fault| Interrupted(fault.to_string()))?;
        sent?;
        shown.map_err(|error| Interrupted(format!("sales: {error}")))
    }

    /// Idempotency keys after a day; and, where nobody sends and nobody projects, what waits to be sent.
    async fn forget(&self, until: Instant) -> Result<(), Fault> {
        let expired = drained(until, || self.outbox.expire_keys()).await?;
        if expired > 0 {
            tracing::info!(expired, "idempotency_keys_expired");
        }
        if self.relay.is_none() && self.tables.is_some() {
            let rows = drained(until, || self.outbox.forget_untold()).await?;
            if rows > 0 {
                tracing::info!(rows, "outbox_rows_forgotten");
            }
        }
        Ok(())
    }
}

/// Takes step after step until one finds nothing more, or it is late; how many rows that were.
async fn drained<F>(until: Instant, step: impl Fn() -> F) -> Result<u64, Fault>
where
    F: Future<Output = Result<u64, Fault>>,
{
    let mut rows = 0;
    while Instant::now() < until {
        match step().await? {
            0 => break,
            more => rows += more,
        }
    }
    Ok(rows)
}
