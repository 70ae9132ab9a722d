//! Brings an event into every document that shows it, whatever is there already and however long the store is away.
//! Never holds a message longer than its lock is renewed, and never lets one document wait for another, unless the store is
//! away for all of them.

use std::{sync::Arc, time::Duration};

use futures_util::future::join_all;
use time::OffsetDateTime;
use tokio::{
    sync::Mutex,
    time::{Instant, timeout_at},
};

use super::{
    apply::{DocumentWriter, SameVersionRule, WriteOutcome},
    change::{DocumentChange, changes},
    connection::CosmosConnection,
    document::Generation,
    generation::PointerCache,
    incoming::IncomingEvent,
    jitter::Jitter,
    lag::ProjectionLag,
    store::{Collection, DocumentStore, StoreError},
};
use crate::error_chain::chain;

/// Longest wait of one invocation for the store; the host renews the lock for 5 minutes.
pub const PATIENCE: Duration = Duration::from_secs(4 * 60);
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// The event is not in all of its documents.
#[derive(Debug, thiserror::Error)]
pub enum ProjectError {
    /// The store was away for too long: let the bus deliver again.
    #[error(transparent)]
    Away(StoreError),
    /// The store will never take it.
    #[error(transparent)]
    Refused(StoreError),
}

/// The work of one invocation.
struct ProjectionTask {
    /// Until it is known into which generations it goes.
    event: Option<IncomingEvent>,
    /// The one that a rebuild fills; else those that the pointer names.
    into: Option<Generation>,
    rule: SameVersionRule,
    /// The one that was live before: what it does not take is said, and holds up no message.
    previous: Option<Generation>,
    left: Vec<(Generation, DocumentChange)>,
    /// Something was new to the documents.
    is_new: bool,
}

/// Writes documents.
pub struct Projector<S = DocumentStore> {
    generations: Arc<PointerCache<S>>,
    documents: DocumentWriter<S>,
    jitter: Jitter,
    lag: ProjectionLag,
    /// Held by the one invocation that tries while the store is away; the others wait here instead of trying too.
    trying: Mutex<()>,
}

impl Projector {
    /// A projector into this account.
    #[must_use]
    pub fn new(connection: &Arc<CosmosConnection>, generations: &Arc<PointerCache>) -> Self {
        Self::with_parts(generations, DocumentWriter::new(connection), Jitter::default())
    }
}

impl<S: Collection> Projector<S> {
    /// A projector into these documents.
    #[must_use]
    pub fn with_parts(
        generations: &Arc<PointerCache<S>>,
        documents: DocumentWriter<S>,
        jitter: Jitter,
    ) -> Self {
        Self {
            generations: Arc::clone(generations),
            documents,
            jitter,
            lag: ProjectionLag::default(),
            trying: Mutex::new(()),
        }
    }

    /// Makes every document that shows this event show at least this event.
    ///
    /// # Errors
    /// See [`ProjectError`]; what was written by then stays, and the next delivery does the rest.
    pub async fn project(&self, incoming: IncomingEvent) -> Result<(), ProjectError> {
        self.project_within(None, SameVersionRule::Keep, incoming, PATIENCE)
            .await
    }

    /// The same, and documents that show this version and say something else are written again.
    ///
    /// # Errors
    /// See [`ProjectError`].
    pub async fn repair(&self, incoming: IncomingEvent, patience: Duration) -> Result<(), ProjectError> {
        self.project_within(None, SameVersionRule::Repair, incoming, patience)
            .await
    }

    /// The same for one generation, whichever the pointer names, and with a patience of one's own: what a rebuild does with
    /// every event of the log.
    ///
    /// # Errors
    /// See [`ProjectError`].
    pub async fn project_into(
        &self,
        into: Generation,
        incoming: IncomingEvent,
        patience: Duration,
    ) -> Result<(), ProjectError> {
        self.project_within(Some(into), SameVersionRule::Keep, incoming, patience)
            .await
    }

    async fn project_within(
        &self,
        into: Option<Generation>,
        rule: SameVersionRule,
        incoming: IncomingEvent,
        patience: Duration,
    ) -> Result<(), ProjectError> {
        let until = Instant::now() + patience;
        let waiting = timeout_at(until, self.trying.lock()).await;
        let late = |_| ProjectError::Away(StoreError::away("others are waiting for it"));
        drop(waiting.map_err(late)?);
        let happened = incoming.at;
        let mut work = ProjectionTask {
            event: Some(incoming),
            into,
            rule,
            previous: None,
            left: Vec::new(),
            is_new: false,
        };
        if let Err(error) = self.attempt(&mut work).await {
            self.keep_trying(&mut work, error, until).await?;
        }
        // What was there already came by an earlier delivery, and was seen then.
        if work.is_new && into.is_none() {
            self.lag.record(OffsetDateTime::now_utc() - happened.utc());
        }
        Ok(())
    }

    /// Tries again and again: one caller at a time while the store is away, and a busy document holds up only its own event.
    async fn keep_trying(
        &self,
        work: &mut ProjectionTask,
        mut last: StoreError,
        until: Instant,
    ) -> Result<(), ProjectError> {
        let mut is_logged = false;
        let mut pause = FIRST_PAUSE;
        loop {
            if !last.is_transient() {
                return Err(ProjectError::Refused(last));
            }
            let away = matches!(last, StoreError::Away { .. });
            if away && !is_logged {
                tracing::warn!(error = %chain(&last), "read_store_away");
                is_logged = true;
            }
            // As long as it asks for, and at least between half and all of our own pause, so that processes do not come back in step.
            let asked = last.retry_after().unwrap_or_default();
            let wait = asked.max(self.jitter.spread(pause));
            if Instant::now() + wait > until {
                return match work.gives_up_previous(&last) {
                    Some(()) => Ok(()),
                    None => Err(ProjectError::Away(last)),
                };
            }
            tokio::time::sleep(wait).await;
            // For one try only: what is away for one document may be there for others.
            let turn = if away {
                let waiting = timeout_at(until, self.trying.lock()).await;
                Some(waiting.map_err(|_| ProjectError::Away(last))?)
            } else {
                None
            };
            let tried = self.attempt(work).await;
            drop(turn);
            match tried {
                Ok(()) => return Ok(()),
                Err(error) => last = error,
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// Tries what is left, all at once: each change has a document of its own. What is done is taken out.
    ///
    /// # Errors
    /// The worst of them, with the longest wait that any asks for.
    async fn attempt(&self, work: &mut ProjectionTask) -> Result<(), StoreError> {
        if let Some(event) = &work.event {
            let generations = match work.into {
                Some(generation) => vec![generation],
                None => {
                    let pointer = self.generations.current().await?;
                    work.previous = pointer.previous;
                    pointer.written()
                }
            };
            let asked = generations.into_iter().flat_map(|generation| {
                let changes = changes(generation, event.clone());
                changes.into_iter().map(move |change| (generation, change))
            });
            work.left = asked.collect();
            work.event = None;
        } else if work.into.is_none() {
            // What was taken out meanwhile is being removed: nothing may come back into it.
            let pointer = self.generations.current().await?;
            work.previous = pointer.previous;
            let written = pointer.written();
            work.left.retain(|(generation, _)| written.contains(generation));
        }
        let asked = work.left.iter();
        let done = join_all(asked.map(|(_, change)| self.documents.apply(change, work.rule))).await;
        let mut still = Vec::new();
        let mut worst = Ok(());
        for (change, outcome) in work.left.drain(..).zip(done) {
            match outcome {
                Ok(outcome) => work.is_new |= outcome == WriteOutcome::Written,
                Err(error) if work.previous == Some(change.0) && !error.is_transient() => {
                    left_behind(change.0, &error);
                }
                Err(error) => {
                    still.push(change);
                    worst = Err(match worst {
                        Ok(()) => error,
                        Err(other) => error.or_worse(other),
                    });
                }
            }
        }
        work.left = still;
        worst
    }
}

impl ProjectionTask {
    /// Leaves undone what only the generation before has not taken, after all patience; `None` when there is something else.
    fn gives_up_previous(&mut self, error: &StoreError) -> Option<()> {
        let previous = self.previous?;
        let is_all = self.event.is_none() && self.left.iter().all(|(of, _)| *of == previous);
        is_all.then(|| left_behind(previous, error))
    }
}

/// Going back to it would not show this event: `handler verify --generation` finds it, and a direct replay mends it.
fn left_behind(generation: Generation, error: &StoreError) {
    tracing::error!(%generation, why = %chain(error), "previous_generation_left_behind");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        domain::{event::EventType, testing::ada, timestamp::Timestamp},
        read::{CosmosAccount, CosmosCredential},
    };

    fn registered() -> IncomingEvent {
        IncomingEvent {
            event_id: uuid::Uuid::nil(),
            event_type: EventType::CustomerRegistered,
            at: Timestamp::UNIX_EPOCH,
            version: 1,
            data: serde_json::Value::Null,
            state: ada(1).into(),
            stock: Vec::new(),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn each_delivery_waits_four_minutes_for_an_outage_to_end() {
        // Nobody listens there.
        let account = CosmosAccount {
            endpoint: "http://127.0.0.1:1/".parse().unwrap(),
            credential: CosmosCredential::Key("a2V5".to_owned()),
            database: "orders".to_owned(),
        };
        let connection = Arc::new(CosmosConnection::new(account));
        let projector = Projector::new(&connection, &Arc::new(PointerCache::new(&connection)));
        let started = Instant::now();
        let invocations = (0..16).map(|_| projector.project(registered()));
        for outcome in join_all(invocations).await {
            assert!(matches!(outcome, Err(ProjectError::Away(_))), "{outcome:?}");
        }
        let waited = started.elapsed();
        assert!(waited > PATIENCE - 2 * LONGEST_PAUSE, "{waited:?}");
        // Less than the 5 minutes for which the host renews the lock, with the last try in it.
        assert!(waited < Duration::from_secs(5 * 60 - 15), "{waited:?}");
        // What the subscription allows of them: maxDeliveryCount in devstack/ and bicep/.
        assert!(50 * waited > Duration::from_secs(3 * 60 * 60));
    }
}
