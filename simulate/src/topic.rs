//! The topic as the relay sees it: batches of encoded messages, taken as a whole or not at all, with duplicate detection.
//! Never loses what it has taken, and never takes a part of a batch.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use handler::{
    bus::{BatchSender, Envelope, ReceivedMessage, SendError},
    error_chain::cause,
};
use tokio::time::{Instant, timeout};

use crate::{
    fault_plan::{FaultPlan, far, lock},
    subscription::SimulatedSubscription,
    trouble::Trouble,
};

/// The longest that a sender waits: for a link and an answer, and for another link and another answer.
const PATIENCE_MS: u64 = 20_000;

/// A message that was taken.
#[derive(Debug, Clone)]
pub(crate) struct Taken {
    pub(crate) message_id: String,
    pub(crate) body: Arc<[u8]>,
}

/// The topic, with the subscription of the read model behind it.
pub(crate) struct SimulatedTopic {
    plan: Arc<FaultPlan>,
    pub(crate) subscription: Arc<SimulatedSubscription>,
    batch_bytes: u64,
    /// The time for which the topic remembers the ids of its messages.
    window: Duration,
    /// The event that the bus does not take at first.
    refused: Option<String>,
    inner: Mutex<TopicState>,
}

#[derive(Default)]
struct TopicState {
    taken: Vec<Taken>,
    /// The time at which each message was last taken.
    known: BTreeMap<String, Instant>,
    /// From now on it takes everything.
    takes_all: bool,
}

/// One process's link to the topic.
pub(crate) struct Bus {
    topic: Arc<SimulatedTopic>,
    link: tokio::sync::Mutex<()>,
}

impl SimulatedTopic {
    pub(crate) fn new(plan: &Arc<FaultPlan>, refused: Option<String>) -> Self {
        Self {
            plan: Arc::clone(plan),
            subscription: Arc::new(SimulatedSubscription::new(plan)),
            batch_bytes: [2_000, 6_000, 250_000][plan.pick(3)],
            window: Duration::from_secs([0, 20, 600][plan.pick(3)]),
            refused,
            inner: Mutex::default(),
        }
    }

    /// From now on the bus takes everything.
    pub(crate) fn take_all(&self) {
        lock(&self.inner).takes_all = true;
    }

    /// The event that the bus did not take at first.
    pub(crate) fn refused(&self) -> Option<&str> {
        self.refused.as_deref()
    }

    /// All that was ever taken, in the topic's order.
    pub(crate) fn taken(&self) -> Vec<Taken> {
        lock(&self.inner).taken.clone()
    }

    fn refuses(&self, batch: &[Taken]) -> bool {
        let refused = batch
            .iter()
            .any(|message| Some(&message.message_id) == self.refused.as_ref());
        refused && !lock(&self.inner).takes_all
    }

    fn take(&self, batch: Vec<Taken>) {
        for message in batch {
            let now = Instant::now();
            let before = lock(&self.inner).known.insert(message.message_id.clone(), now);
            let again = before.is_some_and(|at| now.duration_since(at) < self.window);
            self.plan.say(format_args!(
                "topic has {}{}",
                message.message_id,
                if again { ", a duplicate" } else { "" }
            ));
            if again {
                continue;
            }
            self.subscription.put(&message.body);
            if self.plan.strikes(Trouble::DeliveredTwice) {
                self.subscription.put(&message.body);
            }
            lock(&self.inner).taken.push(message);
        }
    }
}

impl Bus {
    pub(crate) fn new(topic: &Arc<SimulatedTopic>) -> Self {
        Self {
            topic: Arc::clone(topic),
            link: tokio::sync::Mutex::default(),
        }
    }
}

fn away(why: &str) -> SendError {
    SendError::Unavailable(cause(why))
}

/// Reads a message as any receiver would.
fn decoded(envelope: &Envelope) -> Result<Taken, SendError> {
    let message = ReceivedMessage::decode(envelope.encoded());
    if let Some(fault) = message.fault() {
        return Err(SendError::Refused(cause(fault)));
    }
    Ok(Taken {
        message_id: message.message_id(),
        body: message.body().as_ref().into(),
    })
}

impl BatchSender for Bus {
    async fn batch_bytes(&self) -> Result<u64, SendError> {
        let _link = self.link.lock().await;
        let plan = &self.topic.plan;
        if plan.strikes(Trouble::BusAway) {
            plan.wait(1..=5_000).await;
            return Err(away("no link"));
        }
        plan.wait(0..=5).await;
        Ok(self.topic.batch_bytes)
    }

    async fn send(&self, batch: &[Envelope]) -> Result<(), SendError> {
        let _link = self.link.lock().await;
        let topic = Arc::clone(&self.topic);
        let plan = &self.topic.plan;
        if plan.strikes(Trouble::Stalled) {
            plan.wait(1..=90_000).await;
        }
        let batch = batch.iter().map(decoded).collect::<Result<Vec<_>, _>>()?;
        plan.say(format_args!("  sends {} messages", batch.len()));
        if plan.strikes(Trouble::BusBusy) {
            plan.wait(1..=50).await;
            return Err(away("server-busy"));
        }
        if plan.strikes(Trouble::SendLost) {
            plan.wait(1..=PATIENCE_MS).await;
            return Err(away("cut before"));
        }
        if topic.refuses(&batch) {
            plan.wait(1..=10).await;
            return Err(SendError::Refused(cause("simulated")));
        }
        if plan.strikes(Trouble::SendLate) {
            let patience = plan.ms(1..=PATIENCE_MS);
            let arriving = far(patience + plan.ms(1..=20_000), move || topic.take(batch));
            let _ = timeout(patience, arriving).await;
            return Err(away("no answer"));
        }
        far(plan.ms(0..=5), move || topic.take(batch)).await;
        if plan.strikes(Trouble::SendUnheard) {
            plan.wait(1..=PATIENCE_MS).await;
            return Err(away("cut after"));
        }
        plan.wait(0..=5).await;
        Ok(())
    }
}
