//! The broker: which entities exist and what happens to their messages.
//! Never reads a clock and never knows of a connection: time and ids are passed in.

mod queue;

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use uuid::Uuid;

use super::amqp::{AmqpError, Value};
use super::entities::Entities;
use super::message;
use queue::{Fallen, Queue};
pub(crate) use queue::{LockLost, Outcome};

/// A queue, subscription or dead-letter queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct QueueId(usize);

/// What an address stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    /// Every message goes to each of these.
    Topic(Vec<QueueId>),
    /// Only a real queue can be sent to; a subscription or dead-letter queue cannot.
    Queue { id: QueueId, open: bool },
}

/// One message on its way to a receiver.
#[derive(Debug, Clone)]
pub(crate) struct Delivery {
    pub(crate) token: Uuid,
    pub(crate) payload: Bytes,
}

/// All entities of the namespace.
pub(crate) struct Broker {
    places: HashMap<String, Place>,
    queues: Vec<Queue>,
    ids: Box<dyn FnMut() -> Uuid + Send>,
}

impl fmt::Debug for Broker {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Broker")
            .field("places", &self.places)
            .finish_non_exhaustive()
    }
}

impl Broker {
    pub(crate) fn new(entities: &Entities, ids: Box<dyn FnMut() -> Uuid + Send>) -> Self {
        let mut broker = Self {
            places: HashMap::new(),
            queues: Vec::new(),
            ids,
        };
        for (name, settings) in &entities.queues {
            broker.add(name, *settings, true);
        }
        for (name, subscriptions) in &entities.topics {
            let ids = subscriptions
                .iter()
                .map(|(path, settings)| broker.add(path, *settings, false))
                .collect();
            broker.places.insert(name.to_ascii_lowercase(), Place::Topic(ids));
        }
        broker
    }

    /// Adds a queue at an even index and its dead-letter queue behind it.
    fn add(&mut self, path: &str, settings: super::entities::Settings, open: bool) -> QueueId {
        let id = QueueId(self.queues.len());
        let dead = QueueId(id.0 + 1);
        self.queues.push(Queue::new(Arc::from(path), settings, false));
        self.queues.push(Queue::new(Arc::from(path), settings, true));
        let path = path.to_ascii_lowercase();
        self.places.insert(
            format!("{path}/$deadletterqueue"),
            Place::Queue {
                id: dead,
                open: false,
            },
        );
        self.places.insert(path, Place::Queue { id, open });
        id
    }

    /// What a path in lower case stands for.
    pub(crate) fn resolve(&self, path: &str) -> Option<Place> {
        self.places.get(path).cloned()
    }

    /// Stores every message of a delivery, or none.
    pub(crate) fn send(
        &mut self,
        now: i64,
        place: &Place,
        format: u32,
        payload: &Bytes,
    ) -> Result<(), AmqpError> {
        let messages = message::read(format, payload, &mut self.ids)?;
        let targets = match place {
            Place::Topic(ids) => ids.as_slice(),
            Place::Queue { id, .. } => std::slice::from_ref(id),
        };
        for message in messages {
            for target in targets {
                self.queues[target.0].enqueue(now, message.clone());
            }
        }
        Ok(())
    }

    /// Takes the next message under a lock, or for good.
    pub(crate) fn take(&mut self, now: i64, id: QueueId, settled: bool) -> Option<Delivery> {
        let token = (self.ids)();
        let (delivery, fallen) = self.queues[id.0].take(now, token, settled);
        self.bury(id, fallen);
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
        self.bury(id, fallen);
        Ok(())
    }

    pub(crate) fn renew(&mut self, now: i64, id: QueueId, token: Uuid) -> Result<i64, LockLost> {
        self.queues[id.0].renew(now, token)
    }

    pub(crate) fn peek(&self, id: QueueId, from: i64, count: usize) -> Vec<Bytes> {
        self.queues[id.0].peek(from, count)
    }

    /// Returns messages whose lock ran out; tells whether there were any.
    pub(crate) fn expire(&mut self, now: i64) -> bool {
        let mut any = false;
        for index in 0..self.queues.len() {
            let (changed, fallen) = self.queues[index].expire(now);
            any |= changed;
            self.bury(QueueId(index), fallen);
        }
        any
    }

    /// When the next lock runs out.
    pub(crate) fn next_expiry(&self) -> Option<i64> {
        self.queues.iter().filter_map(Queue::next_expiry).min()
    }

    fn bury(&mut self, id: QueueId, fallen: Vec<Fallen>) {
        for entry in fallen {
            self.queues[id.0 | 1].receive_dead(entry);
        }
    }
}

/// A dead letter's reason and description as the changes to its application properties.
pub(crate) fn reason(reason: &str, description: &str) -> Vec<(Value, Value)> {
    vec![
        (Value::string("DeadLetterReason"), Value::string(reason)),
        (
            Value::string("DeadLetterErrorDescription"),
            Value::string(description),
        ),
    ]
}
