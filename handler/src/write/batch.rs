//! Runs a batch of commands: S1 for what is not in the cache, decide one after the other, one S2; answers after the commit.
//! Never sends a write twice without having looked for its event first, and never answers with a rejection that rests on
//! the cache.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use tokio::{
    sync::{Notify, oneshot},
    time::Instant,
};

use super::{
    batch_state::{BatchState, CommandOutcome},
    cache::{AggregateCache, CacheLookup},
    change::ChangeSet,
    context::CommandContext,
    outcome::{CommandResult, WriteError},
    pool::{CommandConnection, CommandPool},
    snapshot::{ReadSet, Snapshot},
    statement::{Template, UnknownName},
};
use crate::{
    domain::{command::Command, event::StockLevel},
    error_chain::{Cause, cause, chain},
    postgres::PostgresError,
};

/// Most rounds of a command; after them its caller is told that others were faster.
const ROUNDS: usize = 5;
/// Rounds of a batch as a whole: from the cache, and once more from S1.
const TOGETHER: usize = 2;
/// A command that has waited longer is not begun any more.
const PATIENCE: Duration = Duration::from_secs(5);

/// A command that waits for its answer.
#[derive(Debug)]
pub(super) struct QueuedCommand {
    queued_at: Instant,
    command: Command,
    context: CommandContext,
    answer: oneshot::Sender<CommandResult>,
}

/// Runs batches; all batches of a process share its pool and its cache.
#[derive(Debug)]
pub(super) struct BatchRunner {
    pub(super) pool: CommandPool,
    pub(super) cache: AggregateCache,
    pub(super) committed: Arc<Notify>,
}

/// A round that wrote nothing, by what can be done next.
enum RoundError {
    /// Another transaction was faster, or the cache was out of date: the next round reads again.
    LostRace,
    /// The same may work on another connection.
    Retriable(WriteError),
    /// Another transaction holds a row that one of the commands needs.
    RowHeld(WriteError),
    /// One of the commands at least cannot be written; the others may be.
    OneFailed(WriteError),
    /// None of the commands can be helped.
    AllFailed(WriteError),
}

/// Source of the state that a round decides on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ReadMode {
    /// The cache, and S1 for what it lacks.
    Cached,
    /// S1.
    Fresh,
    /// S1, for one command.
    Alone,
}

impl QueuedCommand {
    /// The command, and where its answer will come.
    pub(super) fn new(command: Command, context: CommandContext) -> (Self, oneshot::Receiver<CommandResult>) {
        let (answer, answered) = oneshot::channel();
        let queued = Self {
            queued_at: Instant::now(),
            command,
            context,
            answer,
        };
        (queued, answered)
    }

    /// Answers the caller, who may have gone away.
    fn answer(self, answer: CommandResult) {
        let _gone = self.answer.send(answer);
    }
}

impl BatchRunner {
    /// Runs the commands as if one after the other, and answers each.
    pub(super) async fn run(&self, queued: Vec<QueuedCommand>) {
        let mut waiting = VecDeque::from(queued);
        while !waiting.is_empty() {
            match self.run_together(waiting.make_contiguous()).await {
                // Those that were deferred stay for the next turn.
                Some(answers) => {
                    for answer in answers {
                        if let Some(command) = waiting.pop_front() {
                            command.answer(answer);
                        }
                    }
                }
                None => {
                    for command in waiting.drain(..) {
                        let answer = self.run_alone(&command).await;
                        command.answer(answer);
                    }
                }
            }
        }
    }

    /// Answers of the commands before the first that was deferred; `None` when each must be tried alone.
    async fn run_together(&self, queued: &[QueuedCommand]) -> Option<Vec<CommandResult>> {
        if queued
            .iter()
            .any(|command| command.queued_at.elapsed() > PATIENCE)
        {
            return None;
        }
        let mut again = None;
        for mode in [ReadMode::Cached, ReadMode::Fresh] {
            match self.round(queued, mode).await {
                Ok(answers) => return Some(answers),
                Err(RoundError::LostRace) => again = None,
                Err(RoundError::Retriable(error)) => again = Some(vec![Err(error); queued.len()]),
                // One command's error must not become the others'.
                Err(RoundError::RowHeld(error) | RoundError::OneFailed(error)) => {
                    tracing::warn!(commands = queued.len(), error = %chain(&error), "batch_tried_one_by_one");
                    return None;
                }
                Err(RoundError::AllFailed(error)) => return Some(vec![Err(error); queued.len()]),
            }
        }
        again
    }

    /// Runs one command by itself, in as many rounds as are left to it.
    async fn run_alone(&self, command: &QueuedCommand) -> CommandResult {
        if command.queued_at.elapsed() > PATIENCE {
            return Err(waited_too_long());
        }
        let mut lost = WriteError::Contended;
        for _ in TOGETHER..ROUNDS {
            match self.round(std::slice::from_ref(command), ReadMode::Alone).await {
                Ok(mut answers) => return answers.pop().unwrap_or(Err(lost)),
                Err(RoundError::LostRace) => {}
                Err(RoundError::RowHeld(error) | RoundError::Retriable(error)) => lost = error,
                Err(RoundError::OneFailed(error) | RoundError::AllFailed(error)) => return Err(error),
            }
        }
        Err(lost)
    }

    /// Runs one round: answers of the commands before the first that was deferred, at least one.
    async fn round(
        &self,
        queued: &[QueuedCommand],
        mode: ReadMode,
    ) -> Result<Vec<CommandResult>, RoundError> {
        let mut lease = self.pool.acquire().await?;
        let read = self.read(&mut lease, queued, mode).await?;
        let is_cached = read.is_cached;
        let mut batch = BatchState::new(read, mode == ReadMode::Alone || queued.len() > 1);
        let mut answers = Vec::with_capacity(queued.len());
        for QueuedCommand { command, context, .. } in queued {
            match batch.step(command, context) {
                CommandOutcome::Accepted(accepted) | CommandOutcome::Replayed(accepted) => {
                    answers.push(Ok(accepted))
                }
                CommandOutcome::Refused(_) if is_cached => return Err(RoundError::LostRace),
                CommandOutcome::Refused(error) => answers.push(Err(error)),
                CommandOutcome::Deferred => break,
            }
        }
        let changes = batch.finish();
        if !changes.events.is_empty() {
            self.write(lease, &changes, &mut answers).await?;
        }
        Ok(answers)
    }

    /// The state that the commands need.
    async fn read(
        &self,
        lease: &mut CommandConnection<'_>,
        queued: &[QueuedCommand],
        mode: ReadMode,
    ) -> Result<Snapshot, RoundError> {
        let mut cached = Snapshot::default();
        let mut reads = ReadSet::default();
        for QueuedCommand { command, context, .. } in queued {
            if mode == ReadMode::Cached && self.cache.provide(command, &mut cached) == CacheLookup::Hit {
                cached.is_cached = true;
            } else {
                reads.add(command, context);
            }
        }
        if reads.is_empty() {
            return Ok(cached);
        }
        // Reading can be done again on another connection.
        let mut read = lease.read(&reads).await.map_err(|error| match error {
            PostgresError::Lost(_) => RoundError::Retriable(error.into()),
            other => other.into(),
        })?;
        self.cache.keep_read(&read);
        read.is_cached = cached.is_cached;
        for (id, customer) in cached.customers {
            read.customers.entry(id).or_insert(customer);
        }
        for (sku, stocked) in cached.products {
            read.products.entry(sku).or_insert(stocked);
        }
        Ok(read)
    }

    /// Runs S2; then adds the stock levels to the accepted answers, and what was written to the cache.
    async fn write(
        &self,
        mut lease: CommandConnection<'_>,
        changes: &ChangeSet,
        answers: &mut [CommandResult],
    ) -> Result<(), RoundError> {
        let template = Template::get()?;
        // Whatever ends this, a panic too: the statement may commit, and the relay must look.
        let _wake = WakeRelay(&self.committed);
        match lease.write(template, changes).await {
            Ok(levels) => {
                self.pool.report_success();
                let customers = changes.new_customers.iter();
                let products = changes.new_products.iter();
                self.cache.keep_written(
                    customers.chain(changes.moved_customers.iter().map(|moved| &moved.now)),
                    products.chain(changes.moved_products.iter().map(|moved| &moved.now)),
                    &levels,
                );
                add_levels(changes, &levels, answers);
                Ok(())
            }
            Err(lost @ PostgresError::Lost(_)) => {
                drop(lease);
                // The next connection may be to another server.
                self.cache.clear();
                self.find_events(changes, answers, cause(lost)).await
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Finds the events after an answer was lost; where they are not there, the outcome stays unknown.
    async fn find_events(
        &self,
        changes: &ChangeSet,
        answers: &mut [CommandResult],
        lost: Cause,
    ) -> Result<(), RoundError> {
        let ids: Vec<_> = changes.events.iter().map(|event| event.event_id).collect();
        let finding = async { self.pool.acquire().await?.stock_of(&ids).await };
        // Whatever the error is, they may have happened: nothing is sent again, and no caller hears of a defect.
        let unknown = |error: PostgresError| RoundError::AllFailed(WriteError::Unavailable(cause(error)));
        let mut found = finding.await.map_err(unknown)?;
        for answer in answers.iter_mut() {
            match answer {
                Ok(accepted) if accepted.replayed => {}
                Ok(accepted) if found.contains_key(&accepted.event_id) => {
                    accepted.stock = found.remove(&accepted.event_id).unwrap_or_default();
                }
                // A rejection may rest on a command of this batch whose outcome is unknown.
                _ => *answer = Err(WriteError::Unavailable(Arc::clone(&lost))),
            }
        }
        Ok(())
    }
}

/// Adds to each accepted answer the stock levels right after its own event.
fn add_levels(changes: &ChangeSet, now: &[StockLevel], answers: &mut [CommandResult]) {
    for level in &changes.levels {
        let Some(now) = now.iter().find(|now| now.sku == level.sku) else {
            continue;
        };
        let mut accepted = answers.iter_mut().flatten();
        if let Some(accepted) = accepted.find(|accepted| accepted.event_id == level.event_id) {
            accepted.stock.push(StockLevel {
                sku: now.sku.clone(),
                available: now.available - level.later,
                seq: now.seq - level.behind,
            });
        }
    }
}

fn waited_too_long() -> WriteError {
    WriteError::Unavailable(cause("the command has waited too long"))
}

/// Wakes the relay when it is dropped.
struct WakeRelay<'a>(&'a Notify);

impl Drop for WakeRelay<'_> {
    fn drop(&mut self) {
        self.0.notify_one();
    }
}

impl From<UnknownName> for RoundError {
    fn from(name: UnknownName) -> Self {
        Self::AllFailed(WriteError::Internal(cause(name)))
    }
}

impl From<PostgresError> for RoundError {
    fn from(error: PostgresError) -> Self {
        match error.code() {
            // A guard failed, a deadlock was broken, or another transaction made the same row first: the next S1 shows it.
            Some("OM001" | "40P01" | "40001" | "23505") => Self::LostRace,
            // Cancelled by statement_timeout, or the lock not available.
            Some("57014" | "55P03") => Self::RowHeld(error.into()),
            // What was prepared earlier is gone or outdated, and its connection with it.
            _ if error.is_outdated() => Self::Retriable(error.into()),
            _ if error.is_of_one_statement() => Self::OneFailed(error.into()),
            _ => Self::AllFailed(error.into()),
        }
    }
}
