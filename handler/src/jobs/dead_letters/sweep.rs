//! Goes through the dead letters under locks, has the selected ones worked on in batches, and takes out what is done.
//! Never takes a message out before its work is done: a kill at any point leaves it where it is.

use std::{
    collections::{BTreeSet, HashMap},
    fmt,
    ops::ControlFlow,
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::{
    super::engine::{JobError, StepContext, storable},
    dead_letter::DeadLetter,
    queue::look_through,
    selection::DeadLetterSelection,
};
use crate::{
    bus::{BusError, Completion, MessageLock, MessageQueue, ReceivedBatch},
    domain::timestamp::Timestamp,
    error_chain::chain,
};

/// Messages per batch of working: at most 256 KiB each.
const BATCH: usize = 50;
/// Longest wait for the next message. One that does not come is locked by somebody else.
const WAIT: Duration = Duration::from_secs(5);
/// Locks on messages that are passed over are renewed half-way through their life, within these bounds: the clock of the
/// bus may differ from ours.
const RENEW_EARLIEST: Duration = Duration::from_secs(1);
const RENEW_LATEST: Duration = Duration::from_secs(20);
/// The queue gives its messages in their order only. To come to a selected one, those before it must be held under locks.
const MOST_PASSED_OVER: usize = 10_000;
/// Most letters that are named one by one, of those that are done and of those that are kept.
const MOST_NAMED: usize = 100;

/// The end of the work on a letter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::jobs) enum Disposition {
    /// It is on the topic again, under this MessageId, and no dead letter any more.
    Resubmitted(String),
    /// It is gone.
    Deleted,
    /// It is still a dead letter, and this is why.
    Kept(String),
}

impl Disposition {
    /// True when the letter may be taken out.
    fn is_done(&self) -> bool {
        !matches!(self, Self::Kept(_))
    }
}

/// As it reads in a sentence: `resubmitted as …`.
impl fmt::Display for Disposition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Resubmitted(message_id) => write!(f, "resubmitted as {message_id}"),
            Self::Deleted => f.write_str("deleted"),
            Self::Kept(why) => write!(f, "kept: {why}"),
        }
    }
}

/// The outcome of a batch: a disposition for each of its first letters, and why there are no more, if so.
pub(in crate::jobs) struct BatchOutcome {
    pub(in crate::jobs) dispositions: Vec<Disposition>,
    pub(in crate::jobs) stopped: Option<JobError>,
}

/// The work on selected letters before they are taken out.
pub(in crate::jobs) trait LetterWork: Send {
    /// Works on a batch.
    fn work(&mut self, letters: &[DeadLetter]) -> impl Future<Output = BatchOutcome> + Send;
}

/// The numbers of a sweep's letters.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::jobs) struct LetterCounts {
    /// Letters that were selected when it began.
    pub(in crate::jobs) selected: usize,
    /// Of these, done and taken out.
    pub(in crate::jobs) done: usize,
    /// Of these, tried and still there.
    pub(in crate::jobs) kept: usize,
}

/// A letter that was dealt with, or why it was not.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::jobs) struct NamedLetter {
    message_id: String,
    #[serde(default)]
    sequence: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    resubmitted_as: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    why: Option<String>,
}

impl NamedLetter {
    fn new(letter: &DeadLetter, disposition: &Disposition) -> Self {
        let (resubmitted_as, why) = match disposition {
            Disposition::Resubmitted(message_id) => (Some(storable(message_id)), None),
            Disposition::Deleted => (None, None),
            Disposition::Kept(why) => (None, Some(storable(why))),
        };
        Self {
            message_id: storable(&letter.received.message_id()),
            sequence: letter.received.sequence(),
            resubmitted_as,
            why,
        }
    }
}

/// The first letters that were dealt with, and the first that were not.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(in crate::jobs) struct NamedLetters {
    pub(in crate::jobs) done: Vec<NamedLetter>,
    pub(in crate::jobs) kept: Vec<NamedLetter>,
}

/// The progress of a sweep: with this it can be gone on with later.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(in crate::jobs) struct SweepCursor {
    /// The first look goes on from this sequence number; it is over when `last` is there.
    looked: i64,
    /// Sequence number of the last selected letter.
    last: Option<i64>,
    /// The last one that the first look has found so far.
    found: i64,
    #[serde(rename = "tally")]
    pub(in crate::jobs) counts: LetterCounts,
    /// Sequence numbers of those that were tried, and are still there.
    kept: BTreeSet<i64>,
}

/// Takes the outcome of each letter.
pub(in crate::jobs) struct Outcomes<'a> {
    pub(in crate::jobs) named: &'a mut NamedLetters,
    pub(in crate::jobs) context: &'a StepContext<'a>,
}

impl Outcomes<'_> {
    fn note(&mut self, letter: &DeadLetter, disposition: &Disposition, counts: LetterCounts) {
        let named = if disposition.is_done() {
            &mut self.named.done
        } else {
            &mut self.named.kept
        };
        if named.len() < MOST_NAMED {
            named.push(NamedLetter::new(letter, disposition));
        }
        self.progress("dead letters dealt with", counts.done, counts.selected);
    }

    fn progress(&self, doing: &str, done: usize, of: usize) {
        let [done, of] = [done, of].map(|count| i64::try_from(count).unwrap_or(i64::MAX));
        self.context.progress(doing, done, of);
    }
}

impl SweepCursor {
    /// Counts the selected letters, as far as it comes until then; true when all are counted. One of which a section cannot be read
    /// is kept.
    pub(in crate::jobs) async fn count(
        &mut self,
        queue: &mut MessageQueue,
        selection: &DeadLetterSelection,
        until: Instant,
        outcomes: &mut Outcomes<'_>,
    ) -> Result<bool, JobError> {
        if self.last.is_some() {
            return Ok(true);
        }
        let limit = selection.limit.unwrap_or(usize::MAX);
        let from = self.looked;
        let mut is_late = false;
        let look = |letter: DeadLetter| {
            let sequence = letter.received.sequence();
            if self.counts.selected < limit && selection.matches(&letter) {
                self.counts.selected += 1;
                self.found = sequence;
                if let Some(fault) = letter.received.fault() {
                    self.counts.kept += 1;
                    self.kept.insert(sequence);
                    outcomes.note(&letter, &Disposition::Kept(fault), self.counts);
                }
            }
            self.looked = sequence + 1;
            is_late = Instant::now() >= until;
            if self.counts.selected < limit && !is_late {
                ControlFlow::Continue(())
            } else {
                ControlFlow::Break(())
            }
        };
        look_through(queue, from, look).await?;
        outcomes.progress("dead letters selected", self.counts.selected, 0);
        if is_late && self.counts.selected < limit {
            return Ok(false);
        }
        self.last = Some(self.found);
        Ok(true)
    }

    /// Has the selected letters worked on in the order of the queue; for so long. Only what was counted is meant: a letter that is
    /// resubmitted and comes back is not resubmitted again for ever. True when it is over.
    pub(in crate::jobs) async fn sweep(
        &mut self,
        mut queue: MessageQueue,
        selection: &DeadLetterSelection,
        until: Instant,
        work: &mut impl LetterWork,
        outcomes: &mut Outcomes<'_>,
    ) -> Result<bool, JobError> {
        if !self.count(&mut queue, selection, until, outcomes).await? {
            return Ok(false);
        }
        let mut sweep = Sweep {
            last: self.last.unwrap_or(self.found),
            cursor: self,
            until,
            passed_over: HashMap::new(),
            unread: Vec::new(),
            renew_at: None,
        };
        let outcome = sweep.run(&mut queue, selection, work, outcomes).await;
        let held = sweep.passed_over.into_values().chain(sweep.unread).collect();
        let released = queue.release(held).await;
        let over = outcome?;
        if let Err(error) = released {
            // They come back by themselves when their locks run out.
            tracing::warn!(error = %chain(&error), "dead_letters_not_released");
        }
        Ok(over)
    }
}

struct Sweep<'a> {
    cursor: &'a mut SweepCursor,
    /// Sequence number of the last selected letter.
    last: i64,
    /// The time to stop for now.
    until: Instant,
    /// Locks on letters that are held and not taken out: not selected, or kept. By sequence number, so that one that comes again is
    /// known again.
    passed_over: HashMap<i64, MessageLock>,
    /// Locks on letters that cannot be read.
    unread: Vec<MessageLock>,
    renew_at: Option<Instant>,
}

impl Sweep<'_> {
    async fn run(
        &mut self,
        queue: &mut MessageQueue,
        selection: &DeadLetterSelection,
        work: &mut impl LetterWork,
        outcomes: &mut Outcomes<'_>,
    ) -> Result<bool, JobError> {
        let mut worked_on = false;
        while self.cursor.counts.done + self.cursor.counts.kept < self.cursor.counts.selected {
            // The way to the first one counts for nothing, or one behind many others would never be come to.
            if worked_on && Instant::now() >= self.until {
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
            let outcome = work.work(&letters).await;
            let settled = self
                .settle(queue, &letters, locks, outcome.dispositions, outcomes)
                .await;
            outcome.stopped.map_or(Ok(()), Err)?;
            settled?;
        }
        Ok(true)
    }

    /// The selected letters of the next batch, under their locks; none when nothing new comes any more.
    async fn next(
        &mut self,
        queue: &mut MessageQueue,
        selection: &DeadLetterSelection,
    ) -> Result<Option<(Vec<DeadLetter>, Vec<MessageLock>)>, JobError> {
        let open = self.cursor.counts.selected - self.cursor.counts.done - self.cursor.counts.kept;
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
            let letter = DeadLetter::read(locked.received);
            let tried = known || self.cursor.kept.contains(&sequence);
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
            return Err(JobError::refused(format!(
                "{MOST_PASSED_OVER} other dead letters lie before the next selected one, and no more can be held; deal with these first"
            )));
        }
        Ok(new.then_some((letters, locks)))
    }

    /// Takes out what is done, holds the rest, and notes each that has a disposition.
    async fn settle(
        &mut self,
        queue: &mut MessageQueue,
        letters: &[DeadLetter],
        locks: Vec<MessageLock>,
        mut dispositions: Vec<Disposition>,
        outcomes: &mut Outcomes<'_>,
    ) -> Result<(), JobError> {
        let done: Vec<MessageLock> = (locks.iter().zip(&dispositions))
            .filter(|(_, disposition)| disposition.is_done())
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
        for (letter, disposition) in letters.iter().zip(&mut dispositions) {
            if disposition.is_done() {
                if completed.next() == Some(Completion::Done) {
                    self.passed_over.remove(&letter.received.sequence());
                } else {
                    *disposition =
                        Disposition::Kept(format!("its lock ran out when it was already {disposition}"));
                }
            }
            if disposition.is_done() {
                self.cursor.counts.done += 1;
            } else {
                self.cursor.counts.kept += 1;
                self.cursor.kept.insert(letter.received.sequence());
            }
            outcomes.note(letter, disposition, self.cursor.counts);
        }
        Ok(())
    }

    fn hold(&mut self, letters: &[DeadLetter], locks: Vec<MessageLock>) {
        let sequences = letters.iter().map(|letter| letter.received.sequence());
        self.passed_over.extend(sequences.zip(locks));
    }

    fn renew_before(&mut self, locked_until: Option<Timestamp>) {
        let life = locked_until.and_then(|until| (until.utc() - OffsetDateTime::now_utc()).try_into().ok());
        let half = life.map_or(RENEW_EARLIEST, |life: Duration| life / 2);
        let at = Instant::now() + half.clamp(RENEW_EARLIEST, RENEW_LATEST);
        self.renew_at = Some(self.renew_at.map_or(at, |earlier| earlier.min(at)));
    }

    async fn renew(&mut self, queue: &mut MessageQueue) -> Result<(), JobError> {
        let held = self.passed_over.values().chain(&self.unread);
        let locks: Vec<MessageLock> = held.cloned().collect();
        if locks.is_empty() || self.renew_at.is_none_or(|at| Instant::now() < at) {
            return Ok(());
        }
        self.renew_at = Some(Instant::now() + RENEW_LATEST);
        match queue.renew(&locks).await {
            // What has gone back comes again, and is known by its number.
            Err(BusError::LockLost) => Ok(()),
            other => other.map_err(JobError::from),
        }
    }
}
