//! The broker: which entities exist and what happens to their messages.
//! Never reads a clock and never knows of a connection: time and ids are passed in.

mod queue;
#[cfg(test)]
mod tests;
mod window;

use std::collections::HashMap;
use std::fmt;

use bytes::Bytes;
use uuid::Uuid;

use super::amqp::AmqpError;
use super::entities::{Entities, QueueSettings};
use super::message;
use super::rule::Rule;
use queue::{DeadEntry, Queue};
pub(crate) use queue::{LockLost, Outcome, reason};
use window::DuplicateWindow;

/// A queue, subscription or dead-letter queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct QueueId(usize);

/// A topic or queue, as something to send to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct InletId(usize);

/// Totals since the start of the bus.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Messages taken from senders, duplicates too; for a topic each counts once.
    pub accepted: u64,
    /// Those of them that were dropped as duplicates.
    pub duplicates: u64,
    /// Messages given to receivers, each time they were.
    pub deliveries: u64,
    /// Outcomes of receivers that had their effect.
    pub settlements: u64,
    /// Messages that have become dead letters.
    pub dead_letters: u64,
}

/// The entity that an address stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Entity {
    Topic(InletId),
    /// Only a real queue can be sent to; a subscription or dead-letter queue has no inlet.
    Queue {
        id: QueueId,
        inlet: Option<InletId>,
    },
}

/// The way in for messages that are sent to a topic or queue.
struct Inlet {
    window: Option<DuplicateWindow>,
    /// A topic's subscriptions, or the queue itself.
    queues: Vec<QueueId>,
}

/// One message on its way to a receiver.
#[derive(Debug, Clone)]
pub(crate) struct Delivery {
    pub(crate) token: Uuid,
    pub(crate) payload: Bytes,
}

/// All entities of the namespace.
pub(crate) struct Broker {
    entities: HashMap<String, Entity>,
    inlets: Vec<Inlet>,
    queues: Vec<Queue>,
    /// The rules of subscriptions; whatever else has queues takes everything.
    rules: HashMap<QueueId, Vec<Rule>>,
    counts: Counts,
    ids: Box<dyn FnMut() -> Uuid + Send>,
}

impl fmt::Debug for Broker {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Broker")
            .field("entities", &self.entities)
            .finish_non_exhaustive()
    }
}

impl Broker {
    pub(crate) fn new(entities: &Entities, ids: Box<dyn FnMut() -> Uuid + Send>) -> Self {
        let mut broker = Self {
            entities: HashMap::new(),
            inlets: Vec::new(),
            queues: Vec::new(),
            rules: HashMap::new(),
            counts: Counts::default(),
            ids,
        };
        for queue in &entities.queues {
            let inlet = InletId(broker.inlets.len());
            let id = broker.add(&queue.name, queue.settings, Some(inlet));
            broker.open(queue.duplicate_window_ms, vec![id]);
        }
        for topic in &entities.topics {
            let mut subscriptions = Vec::new();
            for subscription in &topic.subscriptions {
                let id = broker.add(&subscription.path, subscription.settings, None);
                broker.rules.insert(id, subscription.rules.clone());
                subscriptions.push(id);
            }
            let inlet = broker.open(topic.duplicate_window_ms, subscriptions);
            let name = topic.name.to_ascii_lowercase();
            broker.entities.insert(name, Entity::Topic(inlet));
        }
        broker
    }

    /// Adds a queue, its dead-letter queue behind it, and behind that the dead letters of forwarding: always empty, as
    /// nothing is forwarded.
    fn add(&mut self, path: &str, settings: QueueSettings, inlet: Option<InletId>) -> QueueId {
        let id = QueueId(self.queues.len());
        let dead = QueueId(id.0 + 1);
        let transfer = QueueId(id.0 + 2);
        for dead in [false, true, true] {
            self.queues.push(Queue::new(settings, dead));
        }
        let path = path.to_ascii_lowercase();
        for (letters, id) in [
            ("$deadletterqueue", dead),
            ("$transfer/$deadletterqueue", transfer),
        ] {
            let place = Entity::Queue { id, inlet: None };
            self.entities.insert(format!("{path}/{letters}"), place);
        }
        self.entities.insert(path, Entity::Queue { id, inlet });
        id
    }

    fn open(&mut self, window_ms: Option<i64>, queues: Vec<QueueId>) -> InletId {
        let window = window_ms.map(DuplicateWindow::new);
        self.inlets.push(Inlet { window, queues });
        InletId(self.inlets.len() - 1)
    }

    /// The entity at a path in lower case.
    pub(crate) fn resolve(&self, path: &str) -> Option<Entity> {
        self.entities.get(path).cloned()
    }

    /// Stores every message of a delivery, or none; a duplicate counts as stored.
    pub(crate) fn send(
        &mut self,
        now: i64,
        inlet: InletId,
        format: u32,
        payload: &Bytes,
    ) -> Result<(), AmqpError> {
        let messages = message::read(now, format, payload, &mut self.ids)?;
        let inlet = &mut self.inlets[inlet.0];
        for message in messages {
            self.counts.accepted += 1;
            let facts = message.facts();
            let id = facts.message_id();
            if let (Some(window), Some(id)) = (&mut inlet.window, id)
                && !window.admit(now, &id)
            {
                self.counts.duplicates += 1;
                continue;
            }
            for target in &inlet.queues {
                let rules = self.rules.get(target);
                if rules.is_none_or(|rules| rules.iter().any(|rule| rule.selects(&facts))) {
                    self.queues[target.0].enqueue(now, message.clone());
                }
            }
        }
        Ok(())
    }

    /// The rules of a subscription; nothing for whatever else has queues.
    pub(crate) fn rules(&self, id: QueueId) -> Option<&[Rule]> {
        self.rules.get(&id).map(Vec::as_slice)
    }

    /// The number of messages in a queue, a subscription or its dead letters; nothing where there is no such thing.
    pub(crate) fn held(&self, path: &str) -> Option<usize> {
        match self.resolve(&path.to_ascii_lowercase())? {
            Entity::Queue { id, .. } => Some(self.queues[id.0].len()),
            Entity::Topic(_) => None,
        }
    }

    pub(crate) fn counts(&self) -> Counts {
        self.counts
    }

    /// Takes the next message under a lock, or for good.
    pub(crate) fn take(&mut self, now: i64, id: QueueId, settled: bool) -> Option<Delivery> {
        let token = (self.ids)();
        let (delivery, fallen) = self.queues[id.0].take(now, token, settled);
        self.bury(id, fallen);
        self.counts.deliveries += u64::from(delivery.is_some());
        delivery.map(|payload| Delivery { token, payload })
    }

    /// Ends a lock with an outcome.
    pub(crate) fn settle(
        &mut self,
        now: i64,
        id: QueueId,
        token: Uuid,
        outcome: &Outcome,
    ) -> Result<(), LockLost> {
        let fallen = self.queues[id.0].settle(now, token, outcome)?;
        self.counts.settlements += 1;
        self.bury(id, fallen);
        Ok(())
    }

    pub(crate) fn renew(&mut self, now: i64, id: QueueId, token: Uuid) -> Result<i64, LockLost> {
        self.queues[id.0].renew(now, token)
    }

    /// Messages from a sequence number on, no more than fit into `room` bytes with `extra` for each, but always one.
    pub(crate) fn peek(&self, id: QueueId, from: i64, count: usize, room: usize, extra: usize) -> Vec<Bytes> {
        self.queues[id.0].peek(from, count, room, extra)
    }

    /// Returns messages whose lock ran out and takes away those past their time; tells whether there were any.
    pub(crate) fn expire(&mut self, now: i64) -> bool {
        self.each(|queue| queue.expire(now))
    }

    /// Lets every lock there is run out now, each a failed delivery.
    pub(crate) fn expire_locks(&mut self) {
        self.each(|queue| queue.expire_locks(i64::MAX));
    }

    fn each(&mut self, mut change: impl FnMut(&mut Queue) -> (bool, Vec<DeadEntry>)) -> bool {
        let mut any = false;
        for index in 0..self.queues.len() {
            let (changed, fallen) = change(&mut self.queues[index]);
            any |= changed;
            self.bury(QueueId(index), fallen);
        }
        any
    }

    /// The time at which the next lock runs out, or the next message is past its own.
    pub(crate) fn next_expiry(&self) -> Option<i64> {
        self.queues.iter().filter_map(Queue::next_expiry).min()
    }

    /// Lets every window of duplicate detection run out now: whatever comes next is new.
    pub(crate) fn forget_ids(&mut self) {
        let windows = self.inlets.iter_mut().filter_map(|inlet| inlet.window.as_mut());
        windows.for_each(DuplicateWindow::forget);
    }

    fn bury(&mut self, id: QueueId, fallen: Vec<DeadEntry>) {
        for entry in fallen {
            self.counts.dead_letters += 1;
            // Only the queue itself has messages that fall: the two behind it keep what they have.
            self.queues[id.0 + 1].receive_dead(entry);
        }
    }
}
