//! Dead-letters messages that another process has received: the Functions host, which gives a custom handler the lock token and
//! no way to settle. Microsoft calls this cross-receiver settlement.
//! Never counts on it: where it fails, the bus delivers on until it gives the message up by itself.
//!
//! Sources: docs/adr/0015-dead-letter-at-the-first-delivery.md.

use std::collections::BTreeMap;

use tokio::sync::{mpsc, oneshot};
use uuid::Uuid;

use crate::{error_chain::chain, panics};

use super::{
    address::{NamespaceAddress, TopicAddress},
    connection::NamespaceConnection,
    error::{BusError, unavailable},
    management::ManagementClient,
    subscription::SubscriptionName,
};

/// Most messages that are settled by one request, and most that wait for it.
const MOST: usize = 100;
/// Longest description, in characters; Microsoft's own clients refuse more than 4 096 bytes.
const LONGEST: usize = 1_000;

/// Dead-letters the messages of one subscription, by their lock tokens.
#[derive(Clone)]
pub struct MessageSettlement {
    waiting: mpsc::Sender<SettlementRequest>,
}

struct SettlementRequest {
    lock: Uuid,
    why: DeadLetterReason,
    told: oneshot::Sender<Result<(), BusError>>,
}

/// A word, and a sentence.
type DeadLetterReason = (&'static str, String);

impl MessageSettlement {
    /// For the messages of this subscription; connects when first used. It ends when the last of its clones is dropped.
    #[must_use]
    pub fn start(topic: &TopicAddress, subscription: &SubscriptionName) -> Self {
        let (waiting, doomed) = mpsc::channel(MOST);
        let worker = SettlementWorker {
            address: topic.address.clone(),
            entity: format!("{}/Subscriptions/{subscription}", topic.name),
            node: None,
        };
        tokio::spawn(worker.run(doomed));
        Self { waiting }
    }

    /// Moves the message under this lock to the dead letters, and answers when it is there. The
    /// holder of the lock has lost it then.
    ///
    /// # Errors
    /// [`BusError::LockLost`] when the lock has run out; otherwise the bus is away or refuses, and the message may be there
    /// or not.
    pub async fn dead_letter(
        &self,
        lock: Uuid,
        reason: &'static str,
        description: &str,
    ) -> Result<(), BusError> {
        let gone = || unavailable("the process stops");
        let (told, outcome) = oneshot::channel();
        let why = (reason, description.chars().take(LONGEST).collect());
        let doomed = SettlementRequest { lock, why, told };
        self.waiting.send(doomed).await.map_err(|_| gone())?;
        outcome.await.unwrap_or_else(|_| Err(gone()))
    }
}

struct SettlementWorker {
    address: NamespaceAddress,
    entity: String,
    node: Option<ManagementNode>,
}

impl SettlementWorker {
    async fn run(mut self, mut doomed: mpsc::Receiver<SettlementRequest>) {
        let mut batch = Vec::new();
        while doomed.recv_many(&mut batch, MOST).await > 0 {
            // A flood is of one kind mostly, and then one request settles all that wait.
            let mut alike: BTreeMap<DeadLetterReason, Vec<_>> = BTreeMap::new();
            for SettlementRequest { lock, why, told } in batch.drain(..) {
                alike.entry(why).or_default().push((lock, told));
            }
            for (why, messages) in alike {
                // A panic takes these messages with it: their callers hear that nobody has settled them.
                if let Err(panic) = panics::caught(self.settle(&why, messages)).await {
                    tracing::error!(panic, "settlement_panicked");
                    self.node = None;
                }
            }
        }
    }

    async fn settle(
        &mut self,
        why: &DeadLetterReason,
        messages: Vec<(Uuid, oneshot::Sender<Result<(), BusError>>)>,
    ) {
        let locks: Vec<Uuid> = messages.iter().map(|(lock, _)| *lock).collect();
        let all = self.dead_letter(&locks, why).await;
        for (lock, told) in messages {
            let outcome = match &all {
                // One of them was lost: which, is found out one by one.
                Err(BusError::LockLost) if locks.len() > 1 => self.dead_letter(&[lock], why).await,
                all => all.clone(),
            };
            // The caller may have stopped waiting.
            let _ = told.send(outcome);
        }
    }

    /// A connection that was open before and turns out to be dead is replaced once.
    async fn dead_letter(&mut self, locks: &[Uuid], why: &DeadLetterReason) -> Result<(), BusError> {
        if let Some(mut open) = self.node.take() {
            let outcome = open.dead_letter(&self.entity, locks, why).await;
            if let Err(BusError::Unavailable(why)) = &outcome {
                tracing::debug!(error = %chain(why), "settlement_connection_lost");
            } else {
                self.node = Some(open);
                return outcome;
            }
        }
        let mut fresh = ManagementNode::open(&self.address, &self.entity).await?;
        let outcome = fresh.dead_letter(&self.entity, locks, why).await;
        if !matches!(outcome, Err(BusError::Unavailable(_))) {
            self.node = Some(fresh);
        }
        outcome
    }
}

/// The management node of the subscription, over a connection of its own.
struct ManagementNode {
    // Dropped before its connection.
    management: ManagementClient,
    connection: NamespaceConnection,
}

impl ManagementNode {
    async fn open(address: &NamespaceAddress, entity: &str) -> Result<Self, BusError> {
        let mut connection = NamespaceConnection::open(address).await?;
        connection.authorize(entity).await?;
        let management = ManagementClient::attach(&mut connection, entity).await?;
        Ok(Self {
            management,
            connection,
        })
    }

    async fn dead_letter(
        &mut self,
        entity: &str,
        locks: &[Uuid],
        (reason, description): &DeadLetterReason,
    ) -> Result<(), BusError> {
        self.connection.authorize(entity).await?;
        tokio::select! {
            biased;
            outcome = self.management.dead_letter(locks, reason, description) => outcome,
            // Once the connection has ended no answer comes, and waiting for one would use up all patience.
            gone = self.connection.ended() => Err(gone),
        }
    }
}
