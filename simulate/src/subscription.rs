//! The subscription as the Functions host sees it: messages under locks, delivered again when a lock runs out, and given up
//! after 50 deliveries. Never promises an order, nor that a message is delivered once.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::{
    sync::Notify,
    time::{Instant, timeout_at},
};

use crate::{
    fault_plan::{FaultPlan, lock},
    trouble::Trouble,
};

/// The body of a message that cannot be read.
pub(crate) const RUBBISH: &[u8] = b"rubbish";
/// `maxDeliveryCount` of the subscription.
const MOST_DELIVERIES: u32 = 50;
/// The longest that the host renews a lock.
const RENEWED: Duration = Duration::from_secs(5 * 60);
/// The length of a lock that is not renewed.
const LOCKED_MS: u64 = 60_000;

#[derive(Clone)]
struct QueuedMessage {
    number: u64,
    body: Arc<[u8]>,
    deliveries: u32,
}

/// The subscription `read-model`.
pub(crate) struct SimulatedSubscription {
    plan: Arc<FaultPlan>,
    arrived: Notify,
    inner: Mutex<SubscriptionState>,
}

#[derive(Default)]
struct SubscriptionState {
    ready: Vec<QueuedMessage>,
    /// By the number of the delivery.
    locked: BTreeMap<u64, (QueuedMessage, Instant)>,
    dead: Vec<Arc<[u8]>>,
    messages: u64,
    deliveries: u64,
}

/// A message under a lock. Dropped without a word, its lock runs out.
pub(crate) struct Delivery {
    subscription: Arc<SimulatedSubscription>,
    pub(crate) number: u64,
    pub(crate) message: u64,
    pub(crate) body: Arc<[u8]>,
}

impl SimulatedSubscription {
    pub(crate) fn new(plan: &Arc<FaultPlan>) -> Self {
        Self {
            plan: Arc::clone(plan),
            arrived: Notify::new(),
            inner: Mutex::default(),
        }
    }

    /// Another message.
    pub(crate) fn put(&self, body: &Arc<[u8]>) {
        let mut inner = lock(&self.inner);
        inner.messages += 1;
        let number = inner.messages;
        inner.ready.push(QueuedMessage {
            number,
            body: Arc::clone(body),
            deliveries: 0,
        });
        drop(inner);
        self.arrived.notify_waiters();
    }

    /// The next message, under a lock.
    pub(crate) async fn receive(self: &Arc<Self>) -> Delivery {
        loop {
            // Asked for first, so that nothing that arrives in between is missed.
            let arrived = self.arrived.notified();
            if let Some(delivery) = self.try_receive() {
                return delivery;
            }
            match self.next_unlocked() {
                Some(over) => drop(timeout_at(over, arrived).await),
                None => arrived.await,
            }
        }
    }

    fn try_receive(self: &Arc<Self>) -> Option<Delivery> {
        self.unlock();
        let waiting = lock(&self.inner).ready.len();
        if waiting == 0 {
            return None;
        }
        let place = if waiting > 1 && self.plan.strikes(Trouble::Overtaken) {
            self.plan.pick(waiting.min(40))
        } else {
            0
        };
        let lost = self.plan.strikes(Trouble::LockLost);
        let lasts = if lost { self.plan.ms(1..=3_000) } else { RENEWED };
        let mut inner = lock(&self.inner);
        let mut message = inner.ready.remove(place);
        message.deliveries += 1;
        inner.deliveries += 1;
        let number = inner.deliveries;
        inner
            .locked
            .insert(number, (message.clone(), Instant::now() + lasts));
        drop(inner);
        Some(Delivery {
            subscription: Arc::clone(self),
            number,
            message: message.number,
            body: message.body,
        })
    }

    /// The time at which the next lock runs out.
    fn next_unlocked(&self) -> Option<Instant> {
        let inner = lock(&self.inner);
        inner.locked.values().map(|(_, until)| *until).min()
    }

    /// Messages whose locks have run out are there again.
    fn unlock(&self) {
        let now = Instant::now();
        let over: Vec<u64> = {
            let inner = lock(&self.inner);
            let over = inner.locked.iter().filter(|(_, (_, until))| *until <= now);
            over.map(|(number, _)| *number).collect()
        };
        for number in over {
            self.back(number);
        }
    }

    /// A delivery has failed.
    fn back(&self, number: u64) {
        let mut inner = lock(&self.inner);
        let Some((message, _)) = inner.locked.remove(&number) else {
            return;
        };
        if message.deliveries < MOST_DELIVERIES {
            inner.ready.push(message);
        } else {
            self.plan.say(format_args!(
                "message {} goes to the dead letters",
                message.number
            ));
            inner.dead.push(message.body);
        }
        drop(inner);
        self.arrived.notify_waiters();
    }

    /// Messages that are not done with.
    pub(crate) fn waiting(&self) -> usize {
        let inner = lock(&self.inner);
        inner.ready.len() + inner.locked.len()
    }

    /// The number of deliveries of all messages.
    pub(crate) fn deliveries(&self) -> u64 {
        lock(&self.inner).deliveries
    }

    /// Messages that were given up.
    pub(crate) fn dead(&self) -> Vec<Arc<[u8]>> {
        lock(&self.inner).dead.clone()
    }
}

impl Delivery {
    /// It is done; false when the lock was lost meanwhile, and another receiver has it.
    pub(crate) fn complete(self) -> bool {
        let mut inner = lock(&self.subscription.inner);
        let now = Instant::now();
        let ours = inner
            .locked
            .get(&self.number)
            .is_some_and(|(_, until)| now < *until);
        if ours {
            inner.locked.remove(&self.number);
        }
        ours
    }

    /// It is to be delivered again at once.
    pub(crate) fn abandon(self) {
        self.subscription.back(self.number);
    }
}

impl Drop for Delivery {
    fn drop(&mut self) {
        let over = Instant::now() + self.subscription.plan.ms(0..=LOCKED_MS);
        let mut inner = lock(&self.subscription.inner);
        if let Some((_, until)) = inner.locked.get_mut(&self.number) {
            *until = over.min(*until);
        }
        drop(inner);
        self.subscription.arrived.notify_waiters();
    }
}
