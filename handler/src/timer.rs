//! What the timers do. One forgets what time has made superfluous, sees that the outbox goes out, and sums up sales; the other
//! works on the jobs that operators have asked for.
//! Never works for long: a call must end long before functionTimeout, which would kill the process.

use std::{sync::Arc, time::Duration};

use tokio::time::Instant;

use crate::{
    error_chain::chain,
    jobs::Jobs,
    postgres::PostgresError,
    read::TableReadModel,
    relay::{Outbox, Relay},
};

/// Longest time of one call for sending, and for each of the other parts: none takes another's time.
const SENDING: Duration = Duration::from_secs(20);
const TIDYING: Duration = Duration::from_secs(5);
/// The same for a job; a step may take 3 s longer.
const WORKING: Duration = Duration::from_secs(15);

/// A part of the timer's work failed; the log says which.
#[derive(Debug)]
pub struct TickError;

/// The regular work on what commands have left behind.
pub struct Timer {
    /// Shared with the relay.
    pub outbox: Arc<Outbox>,
    /// `None` when this process does not send.
    pub relay: Option<Arc<Relay>>,
    /// `None` when the read model is not in PostgreSQL.
    pub tables: Option<Arc<TableReadModel>>,
    /// Nobody in the whole deployment sends: what waits in the outbox for a day is forgotten.
    pub forgets_outbox: bool,
}

impl Timer {
    /// One call. Each part is tried, whatever became of the others, and says itself what went wrong.
    ///
    /// # Errors
    /// When a part has failed; the next call goes on.
    pub async fn tick(&self) -> Result<(), TickError> {
        let forgotten = self.forget(Instant::now() + TIDYING).await;
        let sent = match &self.relay {
            Some(relay) => relay.sweep(Instant::now() + SENDING).await,
            None => Ok(()),
        };
        let summed = match &self.tables {
            Some(tables) => tables
                .sum_up_sales((Instant::now() + TIDYING).into_std())
                .await
                .map(drop),
            None => Ok(()),
        };
        if let Err(error) = &forgotten {
            tracing::warn!(error = %chain(error), "nothing_forgotten");
        }
        if let Err(error) = &sent {
            tracing::warn!(error = %chain(error), "outbox_not_swept");
        }
        if let Err(error) = &summed {
            tracing::warn!(error = %chain(error), "sales_not_summed_up");
        }
        match (forgotten, sent, summed) {
            (Ok(()), Ok(()), Ok(())) => Ok(()),
            _ => Err(TickError),
        }
    }

    /// Idempotency keys after a day; and, where nobody sends, what waits to be sent.
    async fn forget(&self, until: Instant) -> Result<(), PostgresError> {
        let expired = drained(until, || self.outbox.expire_keys()).await?;
        if expired > 0 {
            tracing::info!(expired, "idempotency_keys_expired");
        }
        if self.forgets_outbox {
            let rows = drained(until, || self.outbox.forget_untold()).await?;
            if rows > 0 {
                tracing::info!(rows, "outbox_rows_forgotten");
            }
        }
        Ok(())
    }
}

/// One call of the timer for jobs: a turn for the one that waits longest.
///
/// # Errors
/// When the table of jobs cannot be reached; the next call goes on.
pub async fn run_jobs(jobs: &Jobs) -> Result<(), TickError> {
    let until = Instant::now() + WORKING;
    match jobs.turn(None, until, &|_, _, _| {}).await {
        Ok(_) => Ok(()),
        Err(error) => {
            tracing::warn!(error = %chain(&error), "jobs_not_worked_on");
            Err(TickError)
        }
    }
}

/// Takes step after step until one finds nothing more, or it is late; how many rows that were.
async fn drained<F>(until: Instant, step: impl Fn() -> F) -> Result<u64, PostgresError>
where
    F: Future<Output = Result<u64, PostgresError>>,
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
