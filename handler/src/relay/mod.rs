//! From outbox to bus: drains after each commit, again and again while anything is left, and on the timer as the guarantee.
//! Never makes a caller wait, and never gives up on a row: one that the bus refuses for its content is parked with the reason.

mod outbox;

use std::{sync::Arc, time::Duration};

use tokio::{sync::Notify, time::Instant};

pub use outbox::{DrainOutcome, Outbox, OutboxEntry, OutboxStore, ParkedEntry};

use crate::{
    bus::{
        BatchSender, Envelope, OutgoingMessage, RefusedMessage, SendError, SendReport, TopicSender,
        send_in_batches,
    },
    error_chain::chain,
    panics,
    postgres::PostgresError,
};

/// Pauses after a failure: doubled each time, from the first to the longest.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// No batch is begun later than this. With four waits of 5 s at the worst for that one, the drain ends before the database
/// takes the lock away, which is after 30 s.
const SENDING: Duration = Duration::from_secs(8);

/// The pause before another look where another process is sending: what was committed just now may be left to us.
const OTHERS: Duration = Duration::from_millis(250);

/// The end of a drain that nothing has interrupted.
enum DrainEnd {
    /// The outbox is empty, or it is late.
    Done,
    /// Another process is at it.
    Contended,
}

/// The reason why a drain ended early; what is left stays in the outbox.
#[derive(Debug, thiserror::Error)]
pub enum RelayError {
    /// The outbox could not be read, or what became of its rows not be written down.
    #[error(transparent)]
    Outbox(#[from] PostgresError),
    /// The bus did not take messages.
    #[error(transparent)]
    Bus(#[from] SendError),
}

/// Moves events from the outbox to the bus.
pub struct Relay<S = Outbox, T = TopicSender> {
    outbox: Arc<S>,
    bus: Arc<T>,
    committed: Arc<Notify>,
}

impl<S: OutboxStore, T: BatchSender> Relay<S, T> {
    /// `committed` is notified when rows may have come into the outbox.
    #[must_use]
    pub fn new(outbox: Arc<S>, bus: Arc<T>, committed: Arc<Notify>) -> Self {
        Self {
            outbox,
            bus,
            committed,
        }
    }

    /// The inline relay: drains what an earlier process left, and then after each commit for as long as this one lives.
    /// While the bus or the database is away it tries again after 1 to 30 s, and says so once.
    pub async fn run(&self) {
        loop {
            let mut pause = FIRST_PAUSE;
            loop {
                match panics::caught(self.drain(None)).await {
                    Ok(Ok(DrainEnd::Done)) => break,
                    // What was committed just now may be beyond what the other process has read.
                    Ok(Ok(DrainEnd::Contended)) => {
                        tokio::time::sleep(OTHERS).await;
                        continue;
                    }
                    // Once for an outage, not once for each try.
                    Ok(Err(error)) if pause == FIRST_PAUSE => {
                        tracing::warn!(error = %chain(&error), "relay_interrupted");
                    }
                    Ok(Err(error)) => tracing::debug!(error = %chain(&error), "relay_interrupted"),
                    Err(panic) => tracing::error!(panic, "relay_panicked"),
                }
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
            // A commit between the last look and this line has left its permit, so it is not missed.
            self.committed.notified().await;
        }
    }

    /// The guarantee: drains until then. What is left is for the inline relay.
    ///
    /// # Errors
    /// See [`RelayError`].
    pub async fn sweep(&self, until: Instant) -> Result<(), RelayError> {
        self.drain(Some(until)).await?;
        // It may have ended because it was late, or found the inline relay of another process at it.
        self.committed.notify_one();
        Ok(())
    }

    /// Sends what is in the outbox until it is empty, another process is at it, or it is late.
    async fn drain(&self, until: Option<Instant>) -> Result<DrainEnd, RelayError> {
        // Looks once more after each commit: a commit that found the lock taken may have left its rows to us.
        while until.is_none_or(|until| Instant::now() < until) {
            let bus = Arc::clone(&self.bus);
            let report = match self.outbox.drain(move |entries| send(bus, entries)).await? {
                DrainOutcome::Empty => break,
                DrainOutcome::Contended => return Ok(DrainEnd::Contended),
                DrainOutcome::Drained(report) => report,
            };
            // Only now: before the commit the row was not parked yet.
            for RefusedMessage { key, reason } in &report.refused {
                tracing::error!(position = key, %reason, "outbox_row_parked");
            }
            if let Some(error) = report.stopped {
                return Err(error.into());
            }
        }
        Ok(DrainEnd::Done)
    }
}

/// Sends entries in their order, each known by its position.
async fn send(topic: Arc<impl BatchSender>, entries: Vec<OutboxEntry>) -> SendReport {
    let mut unfit = Vec::new();
    let mut ready = Vec::with_capacity(entries.len());
    for OutboxEntry { position: key, event } in entries {
        match Envelope::of(&event) {
            Ok(envelope) => ready.push(OutgoingMessage { key, envelope }),
            Err(error) => unfit.push(RefusedMessage {
                key,
                reason: chain(&error).to_string(),
            }),
        }
    }
    let mut report = send_in_batches(&*topic, &ready, Instant::now() + SENDING).await;
    report.refused.extend(unfit);
    report
}
