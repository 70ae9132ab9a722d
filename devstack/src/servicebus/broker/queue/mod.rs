//! One queue: what is ready, what is locked and until when.
//! Never reads a clock, and never lets a message be neither ready nor locked.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use bytes::Bytes;
use uuid::Uuid;

use super::super::amqp::Value;
use super::super::entities::QueueSettings;
use super::super::message::{DeliveryStamp, Message};

/// Room for so many locks is kept whether it is used or not.
const SPARE: usize = 1_024;

/// The token holds no lock: it ran out, was settled, or never was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LockLost;

/// A receiver's end of a lock.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Outcome {
    Complete,
    /// Back to the queue, uncounted.
    Release,
    /// Back to the queue as a failed delivery, with changed application properties.
    Abandon(Vec<(Value, Value)>),
    /// To the dead-letter queue, with the application properties that tell why.
    DeadLetter(Vec<(Value, Value)>),
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

/// A message with what the queue knows of it.
#[derive(Debug)]
struct Entry {
    message: Message,
    sequence: i64,
    enqueued_at: i64,
    expires_at: i64,
    failures: u32,
}

/// An entry on its way to the dead-letter queue.
#[derive(Debug)]
pub(super) struct DeadEntry(Entry);

#[derive(Debug)]
pub(super) struct Queue {
    settings: QueueSettings,
    /// A dead-letter queue counts deliveries but drops nothing, whatever the count or age.
    dead: bool,
    last_sequence: i64,
    ready: BTreeMap<i64, Entry>,
    locked: HashMap<Uuid, (i64, Entry)>,
    deadlines: BTreeSet<(i64, Uuid)>,
    /// The times at which ready messages expire, by their sequence numbers; those that never do are not in it.
    expiries: BTreeSet<(i64, i64)>,
}

impl Queue {
    pub(super) fn new(settings: QueueSettings, dead: bool) -> Self {
        Self {
            settings,
            dead,
            last_sequence: 0,
            ready: BTreeMap::new(),
            locked: HashMap::new(),
            deadlines: BTreeSet::new(),
            expiries: BTreeSet::new(),
        }
    }

    /// Stores a message, which lives for what its sender says or the entity allows, whatever is less.
    pub(super) fn enqueue(&mut self, now: i64, mut message: Message) {
        self.last_sequence += 1;
        let ttl = message
            .ttl_ms()
            .map_or(self.settings.ttl_ms, |ttl| ttl.min(self.settings.ttl_ms));
        if ttl < i64::MAX {
            message.live(now, ttl);
        }
        let entry = Entry {
            message,
            sequence: self.last_sequence,
            enqueued_at: now,
            expires_at: now.saturating_add(ttl),
            failures: 0,
        };
        self.put(entry);
    }

    pub(super) fn receive_dead(&mut self, fallen: DeadEntry) {
        self.put(fallen.0);
    }

    fn put(&mut self, entry: Entry) {
        if !self.dead && entry.expires_at < i64::MAX {
            self.expiries.insert((entry.expires_at, entry.sequence));
        }
        self.ready.insert(entry.sequence, entry);
    }

    /// The next message's bytes, and the messages found to be past their time to live.
    pub(super) fn take(&mut self, now: i64, token: Uuid, settled: bool) -> (Option<Bytes>, Vec<DeadEntry>) {
        // What is past its time is never handed out, however late the clock's turn is.
        let fallen = self.outlive(now).1;
        let Some((_, entry)) = self.ready.pop_first() else {
            return (None, fallen);
        };
        self.expiries.remove(&(entry.expires_at, entry.sequence));
        let until = now + self.settings.lock_ms;
        let payload = Self::render(&entry, (!settled).then_some(until), false);
        if !settled {
            self.deadlines.insert((until, token));
            self.locked.insert(token, (until, entry));
        }
        (Some(payload), fallen)
    }

    /// Takes away the ready messages that are past their time: whether there were any, and those that become dead letters.
    fn outlive(&mut self, now: i64) -> (bool, Vec<DeadEntry>) {
        let (mut any, mut fallen) = (false, Vec::new());
        while let Some(&(at, sequence)) = self.expiries.first()
            && at <= now
        {
            any = true;
            self.expiries.pop_first();
            let Some(mut entry) = self.ready.remove(&sequence) else {
                continue;
            };
            if self.settings.dead_letter_expired {
                let why = reason("TTLExpiredException", "The message expired.");
                entry.message.merge(&why);
                fallen.push(DeadEntry(entry));
            }
        }
        (any, fallen)
    }

    fn render(entry: &Entry, locked_until: Option<i64>, peeked: bool) -> Bytes {
        entry.message.render(&DeliveryStamp {
            delivery_count: entry.failures,
            sequence: entry.sequence,
            enqueued_at: entry.enqueued_at,
            locked_until,
            peeked,
        })
    }

    fn unlock(&mut self, now: i64, token: Uuid) -> Result<Entry, LockLost> {
        // A lock that ran out is lost even before `expire` has seen it.
        if self.locked.get(&token).is_none_or(|(until, _)| *until <= now) {
            return Err(LockLost);
        }
        let (until, entry) = self.locked.remove(&token).ok_or(LockLost)?;
        self.deadlines.remove(&(until, token));
        self.give_back();
        Ok(entry)
    }

    pub(super) fn settle(
        &mut self,
        now: i64,
        token: Uuid,
        outcome: &Outcome,
    ) -> Result<Vec<DeadEntry>, LockLost> {
        let mut entry = self.unlock(now, token)?;
        match outcome {
            Outcome::Complete => {}
            Outcome::Release => self.put(entry),
            Outcome::Abandon(changes) => {
                entry.message.merge(changes);
                return Ok(self.failed(entry).into_iter().collect());
            }
            Outcome::DeadLetter(changes) => {
                entry.message.merge(changes);
                return Ok(vec![DeadEntry(entry)]);
            }
        }
        Ok(Vec::new())
    }

    /// Gives back the room of locks that there were once.
    fn give_back(&mut self) {
        if self.locked.capacity() > SPARE && self.locked.len() < self.locked.capacity() / 8 {
            self.locked.shrink_to(self.locked.len() * 2);
        }
    }

    /// Counts a failed delivery: back to the queue, or out of it after the last one allowed.
    fn failed(&mut self, mut entry: Entry) -> Option<DeadEntry> {
        entry.failures = entry.failures.saturating_add(1);
        if self.dead || entry.failures < self.settings.max_deliveries {
            self.put(entry);
            return None;
        }
        let text = format!(
            "Message could not be consumed after {} delivery attempts.",
            entry.failures
        );
        entry.message.merge(&reason("MaxDeliveryCountExceeded", &text));
        Some(DeadEntry(entry))
    }

    pub(super) fn renew(&mut self, now: i64, token: Uuid) -> Result<i64, LockLost> {
        let (until, _) = self
            .locked
            .get_mut(&token)
            .filter(|(until, _)| *until > now)
            .ok_or(LockLost)?;
        self.deadlines.remove(&(*until, token));
        *until = now + self.settings.lock_ms;
        self.deadlines.insert((*until, token));
        Ok(*until)
    }

    /// Ready and locked messages by sequence number, without touching them: as many as `room` bytes hold when each
    /// costs `extra` more than itself, but always one.
    pub(super) fn peek(&self, from: i64, count: usize, room: usize, extra: usize) -> Vec<Bytes> {
        let locked = self
            .locked
            .values()
            .map(|(_, entry)| entry)
            .filter(|entry| entry.sequence >= from);
        let ready = self.ready.range(from..).map(|(_, entry)| entry).take(count);
        let mut entries: Vec<_> = ready.chain(locked).collect();
        entries.sort_by_key(|entry| entry.sequence);
        let mut left = room;
        let mut messages = Vec::new();
        for entry in entries.into_iter().take(count) {
            let message = Self::render(entry, None, true);
            let rest = left.checked_sub(message.len() + extra);
            if rest.is_none() && !messages.is_empty() {
                break;
            }
            messages.push(message);
            left = rest.unwrap_or(0);
        }
        messages
    }

    /// The number of messages, locked ones too.
    pub(super) fn len(&self) -> usize {
        self.ready.len() + self.locked.len()
    }

    /// Lets what has run out by `now` run out: locks, and messages that are not locked.
    pub(super) fn expire(&mut self, now: i64) -> (bool, Vec<DeadEntry>) {
        let (mut any, mut fallen) = self.expire_locks(now);
        let (outlived, more) = self.outlive(now);
        any |= outlived;
        fallen.extend(more);
        (any, fallen)
    }

    /// Lets the locks that have run out by `now` run out, each a failed delivery.
    pub(super) fn expire_locks(&mut self, now: i64) -> (bool, Vec<DeadEntry>) {
        let mut fallen = Vec::new();
        let mut any = false;
        while let Some(&(until, token)) = self.deadlines.first()
            && until <= now
        {
            any = true;
            self.deadlines.pop_first();
            if let Some((_, entry)) = self.locked.remove(&token) {
                fallen.extend(self.failed(entry));
            }
        }
        self.give_back();
        (any, fallen)
    }

    pub(super) fn next_expiry(&self) -> Option<i64> {
        let lock = self.deadlines.first().map(|(until, _)| *until);
        let life = self.expiries.first().map(|(at, _)| *at);
        lock.into_iter().chain(life).min()
    }
}
