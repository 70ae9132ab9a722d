//! Goes through the dead letters under locks, has the selected ones worked on in batches, and takes out what is done.
//! Never takes a message out before its work is done: a kill at any point leaves it where it is.

use std::{
    collections::{BTreeSet, HashMap},
    fmt,
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::{Error, Letter, Selection, Told};
use crate::{
    bus::{BusError, Completion, MessageLock, MessageQueue, ReceivedBatch},
    error_chain::{cause, chain},
};

/// Messages per page of looking, and per batch of working: at most 256 KiB each.
const PAGE: i32 = 50;
const BATCH: usize = 50;
/// How long the next message is waited for. What does not come is locked by somebody else.
const WAIT: Duration = Duration::from_secs(5);
/// Locks on messages that are passed over are renewed half-way through their life, within these bounds: the clock of the
/// bus may differ from ours.
const RENEW_EARLIEST: Duration = Duration::from_secs(1);
const RENEW_LATEST: Duration = Duration::from_secs(20);
/// The queue gives its messages in their order only. To come to a selected one, those before it must be held under locks.
const MOST_PASSED_OVER: usize = 10_000;

/// What became of a letter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// It is on the topic again, under this MessageId, and no dead letter any more.
    Resubmitted(String),
    /// It is gone.
    Deleted,
    /// It is still a dead letter, and this is why.
    Kept(String),
}

impl Fate {
    /// Whether the letter may be taken out.
    fn is_done(&self) -> bool {
        !matches!(self, Self::Kept(_))
    }
}

/// As it reads in a sentence: `resubmitted as …`.
impl fmt::Display for Fate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Resubmitted(message_id) => write!(f, "resubmitted as {message_id}"),
            Self::Deleted => f.write_str("deleted"),
            Self::Kept(why) => write!(f, "kept: {why}"),
        }
    }
}

/// What the work on a batch came to: a fate for each of its first letters, and why there are no more, if so.
pub(super) struct Worked {
    pub(super) fates: Vec<Fate>,
    pub(super) stopped: Option<Error>,
}

/// How far a sweep has come.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// Letters that were selected when it began.
    pub selected: usize,
    /// Of these, done and taken out.
    pub done: usize,
    /// Of these, tried and still there.
    pub kept: usize,
}

/// Looks through the queue page by page, without locking or counting anything; ends when `look` has seen enough.
pub(super) async fn look_through(
    queue: &mut MessageQueue,
    look: impl FnMut(Letter) -> Result<bool, Error>,
) -> Result<(), Error> {
    look_on(queue, 0, look).await
}

/// The same from this sequence number on.
async fn look_on(
    queue: &mut MessageQueue,
    mut from: i64,
    mut look: impl FnMut(Letter) -> Result<bool, Error>,
) -> Result<(), Error> {
    loop {
        let page = queue.peek(from, PAGE).await?;
        let Some(last) = page.last() else {
            return Ok(());
        };
        let next = last.sequence() + 1;
        if next <= from {
            let why = "the bus shows the same messages again";
            return Err(BusError::Unavailable(cause(why)).into());
        }
        from = next;
        for received in page {
            if !look(Letter::read(received))? {
                return Ok(());
            }
        }
    }
}

/// How far a sweep is: with this it can be gone on with later.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Swept {
    /// The first look goes on from this sequence number; it is over when `last` is there.
    looked: i64,
    /// Sequence number of the last selected letter.
    last: Option<i64>,
    /// The last one that the first look has found so far.
    found: i64,
    pub(super) tally: Tally,
    /// Sequence numbers of those that were tried, and are still there.
    kept: BTreeSet<i64>,
}

/// Has the selected letters worked on in the order of the queue, and tells of each; for so long. Only what was there when it
/// began is meant: a letter that is resubmitted and comes back is not resubmitted again for ever. True when it is over.
pub(super) async fn sweep(
    mut queue: MessageQueue,
    (selection, until): (&Selection, Option<Instant>),
    swept: &mut Swept,
    work: impl AsyncFnMut(&[Letter]) -> Worked,
    told: &mut Told<'_>,
) -> Result<bool, Error> {
    let last = match swept.last {
        Some(last) => last,
        None => match first_look(&mut queue, (selection, until), swept, told).await? {
            Some(last) => last,
            None => return Ok(false),
        },
    };
    let mut sweep = Sweep {
        swept,
        last,
        until,
        passed_over: HashMap::new(),
        unread: Vec::new(),
        renew_at: None,
    };
    let outcome = sweep.run(&mut queue, selection, work, told).await;
    let held = sweep.passed_over.into_values().chain(sweep.unread).collect();
    let released = queue.release(held).await;
    let over = outcome?;
    if let Err(error) = released {
        // They come back by themselves when their locks run out.
        tracing::warn!(error = %chain(&error), "dead_letters_not_released");
    }
    Ok(over)
}

/// Counts the selected letters, as far as it comes until then; the last one, once all are counted. One that can be looked at and
/// not be received is kept: which lock is the one on it could not be told.
async fn first_look(
    queue: &mut MessageQueue,
    (selection, until): (&Selection, Option<Instant>),
    swept: &mut Swept,
    told: &mut Told<'_>,
) -> Result<Option<i64>, Error> {
    let limit = selection.limit.unwrap_or(usize::MAX);
    let from = swept.looked;
    let mut is_late = false;
    look_on(queue, from, |letter| {
        let sequence = letter.received.sequence();
        if swept.tally.selected < limit && selection.matches(&letter) {
            swept.tally.selected += 1;
            swept.found = sequence;
            if let Some(fault) = letter.received.fault() {
                swept.tally.kept += 1;
                swept.kept.insert(sequence);
                told(&letter, &Fate::Kept(fault), swept.tally).map_err(Error::Output)?;
            }
        }
        swept.looked = sequence + 1;
        is_late = until.is_some_and(|until| Instant::now() >= until);
        Ok(swept.tally.selected < limit && !is_late)
    })
    .await?;
    if is_late && swept.tally.selected < limit {
        return Ok(None);
    }
    Ok(Some(*swept.last.insert(swept.found)))
}

struct Sweep<'a> {
    swept: &'a mut Swept,
    /// Sequence number of the last selected letter.
    last: i64,
    /// When to stop for now.
    until: Option<Instant>,
    /// What is held but not taken out: not selected, or kept. By sequence number, so that what comes again is known again.
    passed_over: HashMap<i64, MessageLock>,
    /// What is held and cannot be read.
    unread: Vec<MessageLock>,
    renew_at: Option<Instant>,
}

impl Sweep<'_> {
    async fn run(
        &mut self,
        queue: &mut MessageQueue,
        selection: &Selection,
        mut work: impl AsyncFnMut(&[Letter]) -> Worked,
        told: &mut Told<'_>,
    ) -> Result<bool, Error> {
        let mut worked_on = false;
        while self.swept.tally.done + self.swept.tally.kept < self.swept.tally.selected {
            // The way to the first one counts for nothing, or one behind many others would never be come to.
            if worked_on && self.until.is_some_and(|until| Instant::now() >= until) {
                return Ok(false);
            }
            self.renew(queue).await?;
            let Some((letters, locks)) = self.next(queue, selection).await? else {
                return Ok(true);
            };
            if letters.is_empty() {
                continue;
            }
            worked_on = true;
            let worked = work(&letters).await;
            let settled = self.settle(queue, &letters, locks, worked.fates, told).await;
            worked.stopped.map_or(Ok(()), Err)?;
            settled?;
        }
        Ok(true)
    }

    /// The selected letters of the next batch, under their locks; none when nothing new comes any more.
    async fn next(
        &mut self,
        queue: &mut MessageQueue,
        selection: &Selection,
    ) -> Result<Option<(Vec<Letter>, Vec<MessageLock>)>, Error> {
        let open = self.swept.tally.selected - self.swept.tally.done - self.swept.tally.kept;
        let (mut letters, mut locks) = (Vec::new(), Vec::new());
        let ReceivedBatch { locked, unread } = queue.receive(BATCH, WAIT).await?;
        let mut new = !unread.is_empty();
        if locked.is_empty() && !new {
            // A bus that is away is silent, too.
            queue.peek(self.last, 1).await?;
        }
        if new {
            self.renew_before(None);
            self.unread.extend(unread);
        }
        for locked in locked {
            let sequence = locked.received.sequence();
            let known = self.passed_over.contains_key(&sequence);
            new |= !known;
            self.renew_before(locked.received.locked_until());
            let letter = Letter::read(locked.received);
            let tried = known || self.swept.kept.contains(&sequence);
            let wanted = !tried && sequence <= self.last && letters.len() < open;
            if wanted && selection.matches(&letter) {
                letters.push(letter);
                locks.push(locked.lock);
            } else {
                self.passed_over.insert(sequence, locked.lock);
            }
        }
        if self.passed_over.len() + self.unread.len() > MOST_PASSED_OVER {
            self.hold(&letters, locks);
            return Err(Error::TooManyBefore(MOST_PASSED_OVER));
        }
        Ok(new.then_some((letters, locks)))
    }

    /// Takes out what is done, holds the rest, and tells of each that has a fate.
    async fn settle(
        &mut self,
        queue: &mut MessageQueue,
        letters: &[Letter],
        locks: Vec<MessageLock>,
        mut fates: Vec<Fate>,
        told: &mut Told<'_>,
    ) -> Result<(), Error> {
        let done: Vec<MessageLock> = (locks.iter().zip(&fates))
            .filter(|(_, fate)| fate.is_done())
            .map(|(lock, _)| lock.clone())
            .collect();
        let completed = if done.is_empty() {
            Ok(Vec::new())
        } else {
            queue.complete(&done).await
        };
        // What is out now is no longer held; a lock that was lost is kept in mind all the same.
        self.hold(letters, locks);
        let mut completed = completed?.into_iter();
        for (letter, fate) in letters.iter().zip(&mut fates) {
            if fate.is_done() {
                if completed.next() == Some(Completion::Done) {
                    self.passed_over.remove(&letter.received.sequence());
                } else {
                    *fate = Fate::Kept(format!("its lock ran out when it was already {fate}"));
                }
            }
            if fate.is_done() {
                self.swept.tally.done += 1;
            } else {
                self.swept.tally.kept += 1;
                self.swept.kept.insert(letter.received.sequence());
            }
            told(letter, fate, self.swept.tally).map_err(Error::Output)?;
        }
        Ok(())
    }

    fn hold(&mut self, letters: &[Letter], locks: Vec<MessageLock>) {
        let sequences = letters.iter().map(|letter| letter.received.sequence());
        self.passed_over.extend(sequences.zip(locks));
    }

    fn renew_before(&mut self, locked_until: Option<OffsetDateTime>) {
        let life = locked_until.and_then(|until| (until - OffsetDateTime::now_utc()).try_into().ok());
        let half = life.map_or(RENEW_EARLIEST, |life: Duration| life / 2);
        let at = Instant::now() + half.clamp(RENEW_EARLIEST, RENEW_LATEST);
        self.renew_at = Some(self.renew_at.map_or(at, |earlier| earlier.min(at)));
    }

    async fn renew(&mut self, queue: &mut MessageQueue) -> Result<(), Error> {
        let held = self.passed_over.values().chain(&self.unread);
        let locks: Vec<MessageLock> = held.cloned().collect();
        if locks.is_empty() || self.renew_at.is_none_or(|at| Instant::now() < at) {
            return Ok(());
        }
        self.renew_at = Some(Instant::now() + RENEW_LATEST);
        match queue.renew(&locks).await {
            // What has gone back comes again, and is known by its number.
            Err(BusError::LockLost) => Ok(()),
            other => other.map_err(Error::from),
        }
    }
}
