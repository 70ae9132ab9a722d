//! From outbox to bus: drains after each commit, again and again while anything is left, and on the timer as the guarantee.
//! Never makes a caller wait, and never gives up on a row: one that the bus refuses for its content is parked with the reason.

use std::{sync::Arc, time::Duration};

use tokio::{sync::Notify, time::Instant};

use crate::{
    bus::{Bus, Envelope, SendError, Topic, fitting},
    write::outbox::{Drained, Outbox, Pending, Rows, Verdict},
};

/// Pauses after a failure: doubled each time, from the first to the longest.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// No batch is begun later than this. With four waits of 5 s at the worst for that one, the drain ends before the database
/// takes the lock away, which is after 30 s.
const SENDING: Duration = Duration::from_secs(8);

/// How long another process is left alone before we look whether it has left us something.
const OTHERS: Duration = Duration::from_millis(250);

/// What a drain has left to be done.
enum Left {
    Nothing,
    /// Another process is at it.
    Others,
}

/// Why a drain ended early; what is left stays in the outbox.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Interrupted(pub String);

/// Moves events from the outbox to the bus.
pub struct Relay<R = Outbox, T = Bus> {
    outbox: Arc<R>,
    bus: Arc<T>,
    committed: Arc<Notify>,
}

impl<R: Rows, T: Topic> Relay<R, T> {
    /// `committed` is notified when rows may have come into the outbox.
    #[must_use]
    pub fn new(outbox: Arc<R>, bus: Arc<T>, committed: Arc<Notify>) -> Self {
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
                match self.drain(None).await {
                    Ok(Left::Nothing) => break,
                    // What was committed just now may be beyond what the other process has read.
                    Ok(Left::Others) => tokio::time::sleep(OTHERS).await,
                    Err(error) => {
                        if pause == FIRST_PAUSE {
                            tracing::warn!(%error, "relay_interrupted");
                        } else {
                            tracing::debug!(%error, "relay_interrupted");
                        }
                        tokio::time::sleep(pause).await;
                        pause = (pause * 2).min(LONGEST_PAUSE);
                    }
                }
            }
            self.committed.notified().await;
        }
    }

    /// The guarantee: drains until then. What is left is for the inline relay.
    ///
    /// # Errors
    /// When the database or the bus is away.
    pub async fn sweep(&self, until: Instant) -> Result<(), Interrupted> {
        self.drain(Some(until)).await?;
        self.committed.notify_one();
        Ok(())
    }

    /// Sends what is in the outbox until it is empty, another process is at it, or it is late.
    async fn drain(&self, until: Option<Instant>) -> Result<Left, Interrupted> {
        // Looks once more after each commit: a commit that found the lock taken may have left its rows to us.
        while until.is_none_or(|until| Instant::now() < until) {
            let bus = Arc::clone(&self.bus);
            let drained = self.outbox.drain(move |rows| offer(bus, rows)).await;
            let verdict = match drained.map_err(|fault| Interrupted(fault.to_string()))? {
                Drained::Empty => break,
                Drained::Busy => return Ok(Left::Others),
                Drained::Rows(verdict) => verdict,
            };
            for (position, reason) in &verdict.parked {
                tracing::error!(position, %reason, "outbox_row_parked");
            }
            if let Some(why) = verdict.stopped {
                return Err(Interrupted(why));
            }
        }
        Ok(Left::Nothing)
    }
}

/// Sends the rows in order.
async fn offer(topic: Arc<impl Topic>, rows: Vec<Pending>) -> Verdict {
    let mut unfit = Vec::new();
    let mut ready = Vec::with_capacity(rows.len());
    for row in rows {
        match Envelope::of(&row.event) {
            Ok(envelope) => ready.push((row.position, envelope)),
            Err(error) => unfit.push((row.position, error.to_string())),
        }
    }
    let mut verdict = send(&*topic, &ready, Instant::now() + SENDING).await;
    verdict.parked.extend(unfit);
    verdict
}

/// Sends messages in order, one batch at a time, each as large as the bus takes it, and begins none later than `until`. What
/// became of each is told by its position; those not named may be sent again.
pub async fn send(topic: &impl Topic, ready: &[(i64, Envelope)], until: Instant) -> Verdict {
    let mut verdict = Verdict::default();
    let limit = match topic.batch_bytes().await {
        Ok(limit) => limit,
        Err(error) => {
            verdict.stopped = Some(error.to_string());
            return verdict;
        }
    };
    let mut rest = ready;
    while !rest.is_empty() && verdict.stopped.is_none() && Instant::now() < until {
        let (batch, later) = rest.split_at(fitting(rest.iter().map(|(_, envelope)| envelope), limit));
        send_batch(topic, batch, until, &mut verdict).await;
        rest = later;
    }
    verdict
}

/// Sends one batch; when the bus refuses its content, halves it until the culprit is alone.
async fn send_batch(topic: &impl Topic, batch: &[(i64, Envelope)], until: Instant, verdict: &mut Verdict) {
    let mut parts = vec![batch];
    while let Some(part) = parts.pop() {
        if Instant::now() >= until {
            verdict.stopped = Some("the bus is too slow".to_owned());
            return;
        }
        let envelopes: Vec<Envelope> = part.iter().map(|(_, envelope)| envelope.clone()).collect();
        match (topic.send(&envelopes).await, part) {
            (Ok(()), part) => verdict.sent.extend(part.iter().map(|(position, _)| *position)),
            (Err(SendError::Refused(why)), [(position, _)]) => verdict.parked.push((*position, why)),
            (Err(SendError::Refused(_)), part) => {
                let (first, second) = part.split_at(part.len() / 2);
                parts.extend([second, first]);
            }
            (Err(SendError::Unavailable(why) | SendError::Busy(why)), _) => {
                verdict.stopped = Some(why);
                return;
            }
        }
    }
}
