//! Runs a batch of commands: S1 where something is not known, decide one after the other, one S2; answers after the commit.
//! Never sends a write twice without having looked for its event first, and never answers a rejection that rests on
//! what was only remembered.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use tokio::{
    sync::{Notify, oneshot},
    time::Instant,
};

use super::{
    cache::Cache,
    change::ChangeSet,
    command::{Accepted, Command, Context},
    pool::{CommandConnection, CommandPool},
    snapshot::{Reads, Snapshot},
    working::{Step, Working},
    writer::Error,
};
use crate::{
    domain::event::StockLevel,
    error_chain::{Cause, cause, chain},
    postgres::PostgresError,
};

/// How often a command is tried before its caller is told that others were faster.
const ROUNDS: usize = 5;
/// Rounds that a batch is tried together: with what is remembered, and once more from S1.
const TOGETHER: usize = 2;
/// A command that has waited longer is not begun any more.
const PATIENCE: Duration = Duration::from_secs(5);

/// A command that waits for its answer.
#[derive(Debug)]
pub(super) struct Job {
    /// Since when it waits.
    pub(super) since: Instant,
    pub(super) command: Command,
    pub(super) context: Context,
    pub(super) answer: oneshot::Sender<Result<Accepted, Error>>,
}

/// What every batch of this process shares.
#[derive(Debug)]
pub(super) struct Batcher {
    pub(super) pool: CommandPool,
    pub(super) cache: Cache,
    pub(super) committed: Arc<Notify>,
}

/// Why a round came to nothing.
enum Lost {
    /// Somebody else was faster, or what was remembered is no longer so.
    Race,
    /// The same may work on another connection.
    Again(Error),
    /// Somebody holds a row that one of the commands needs.
    Held(Error),
    /// It went wrong for one of the commands at least, and may not for the others.
    Odd(Error),
    /// Nothing more can be done for these commands.
    Over(Error),
}

/// How a round looks at the world.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Look {
    /// What is remembered will do.
    Remembered,
    /// Everything from S1.
    Fresh,
    /// Everything from S1, for one command.
    Alone,
}

impl Job {
    /// Tells the caller; one who has gone away does not hear it.
    fn answer(self, answer: Result<Accepted, Error>) {
        let _gone = self.answer.send(answer);
    }
}

impl Batcher {
    /// Runs the jobs as if one after the other, and answers each.
    pub(super) async fn run(&self, jobs: Vec<Job>) {
        let mut waiting = VecDeque::from(jobs);
        while !waiting.is_empty() {
            match self.together(waiting.make_contiguous()).await {
                // Those that were cut off stay for the next turn.
                Some(answers) => {
                    for answer in answers {
                        if let Some(job) = waiting.pop_front() {
                            job.answer(answer);
                        }
                    }
                }
                None => {
                    for job in waiting.drain(..) {
                        let answer = self.alone(&job).await;
                        job.answer(answer);
                    }
                }
            }
        }
    }

    /// The answers of the jobs up to where the batch was cut; `None` when each must be tried alone.
    async fn together(&self, jobs: &[Job]) -> Option<Vec<Result<Accepted, Error>>> {
        if jobs.iter().any(|job| job.since.elapsed() > PATIENCE) {
            return None;
        }
        let mut again = None;
        for look in [Look::Remembered, Look::Fresh] {
            match self.round(jobs, look).await {
                Ok(answers) => return Some(answers),
                Err(Lost::Race) => again = None,
                Err(Lost::Again(error)) => again = Some(vec![Err(error); jobs.len()]),
                // What one of them causes must not be everybody's.
                Err(Lost::Held(error) | Lost::Odd(error)) => {
                    tracing::warn!(commands = jobs.len(), error = %chain(&error), "batch_tried_one_by_one");
                    return None;
                }
                Err(Lost::Over(error)) => return Some(vec![Err(error); jobs.len()]),
            }
        }
        again
    }

    /// Runs one job by itself, as often as may be.
    async fn alone(&self, job: &Job) -> Result<Accepted, Error> {
        if job.since.elapsed() > PATIENCE {
            return Err(waited_too_long());
        }
        let mut lost = Error::Contended;
        for _ in TOGETHER..ROUNDS {
            match self.round(std::slice::from_ref(job), Look::Alone).await {
                Ok(mut answers) => return answers.pop().unwrap_or(Err(lost)),
                Err(Lost::Race) => {}
                Err(Lost::Held(error) | Lost::Again(error)) => lost = error,
                Err(Lost::Odd(error) | Lost::Over(error)) => return Err(error),
            }
        }
        Err(lost)
    }

    /// One try: the answers of the jobs up to where the batch was cut, at least one.
    async fn round(&self, jobs: &[Job], look: Look) -> Result<Vec<Result<Accepted, Error>>, Lost> {
        let mut lease = self.pool.acquire().await?;
        let (read, remembered) = self.look(&mut lease, jobs, look).await?;
        let mut working = Working::new(read, look == Look::Alone || jobs.len() > 1);
        let mut answers = Vec::with_capacity(jobs.len());
        for job in jobs {
            match working.step(&job.command, &job.context) {
                Step::Accepted(accepted) | Step::Replayed(accepted) => answers.push(Ok(accepted)),
                Step::Refused(_) if remembered => return Err(Lost::Race),
                Step::Refused(error) => answers.push(Err(error)),
                Step::Cut => break,
            }
        }
        let changes = working.finish();
        if !changes.events.is_empty() {
            self.write(lease, &changes, &mut answers).await?;
        }
        Ok(answers)
    }

    /// What the jobs look at; true when some of it was only remembered.
    async fn look(
        &self,
        lease: &mut CommandConnection<'_>,
        jobs: &[Job],
        look: Look,
    ) -> Result<(Snapshot, bool), Lost> {
        let mut remembered = Snapshot::default();
        let mut reads = Reads::default();
        let mut some = false;
        for Job { command, context, .. } in jobs {
            if look == Look::Remembered && self.cache.provide(command, &mut remembered) {
                some = true;
            } else {
                reads.add(command, context);
            }
        }
        if reads.is_empty() {
            return Ok((remembered, some));
        }
        // Reading can be done again on another connection.
        let mut read = lease.read(&reads).await.map_err(|fault| match fault {
            PostgresError::Lost(_) => Lost::Again(fault.into()),
            other => other.into(),
        })?;
        self.cache.read(&read);
        for (id, customer) in remembered.customers {
            read.customers.entry(id).or_insert(customer);
        }
        for (sku, stocked) in remembered.products {
            read.products.entry(sku).or_insert(stocked);
        }
        Ok((read, some))
    }

    /// S2; then the accepted answers know the stock they left, and the cache what was written.
    async fn write(
        &self,
        mut lease: CommandConnection<'_>,
        changes: &ChangeSet,
        answers: &mut [Result<Accepted, Error>],
    ) -> Result<(), Lost> {
        // Whatever ends this, a panic too: the statement may commit, and the relay must look.
        let _wake = Wake(&self.committed);
        match lease.write(changes).await {
            Ok(levels) => {
                self.pool.report_success();
                let customers = changes.new_customers.iter();
                let products = changes.new_products.iter();
                self.cache.wrote(
                    customers.chain(changes.moved_customers.iter().map(|moved| &moved.now)),
                    products.chain(changes.moved_products.iter().map(|moved| &moved.now)),
                    &levels,
                );
                tell_levels(changes, &levels, answers);
                Ok(())
            }
            Err(lost @ PostgresError::Lost(_)) => {
                drop(lease);
                // Who knows which server we talk to next.
                self.cache.forget();
                self.look_for(changes, answers, cause(lost)).await
            }
            Err(fault) => Err(fault.into()),
        }
    }

    /// After a lost answer: the events are there, or nobody can say what happened to these commands.
    async fn look_for(
        &self,
        changes: &ChangeSet,
        answers: &mut [Result<Accepted, Error>],
        lost: Cause,
    ) -> Result<(), Lost> {
        let ids: Vec<_> = changes.events.iter().map(|event| event.event_id).collect();
        let finding = async { self.pool.acquire().await?.stock_of(&ids).await };
        // Whatever the fault is, they may have happened: nothing is sent again, and nobody is told that it is broken.
        let unknown = |fault: PostgresError| Lost::Over(Error::Unavailable(cause(fault)));
        let mut found = finding.await.map_err(unknown)?;
        for answer in answers.iter_mut() {
            match answer {
                Ok(accepted) if accepted.replayed => {}
                Ok(accepted) if found.contains_key(&accepted.event_id) => {
                    accepted.stock = found.remove(&accepted.event_id).unwrap_or_default();
                }
                // What was refused was refused beside what is not known to have happened.
                _ => *answer = Err(Error::Unavailable(Arc::clone(&lost))),
            }
        }
        Ok(())
    }
}

/// Gives each accepted answer the levels right after its own event.
fn tell_levels(changes: &ChangeSet, now: &[StockLevel], answers: &mut [Result<Accepted, Error>]) {
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

fn waited_too_long() -> Error {
    Error::Unavailable(cause("the command has waited too long"))
}

/// Wakes the relay when it is dropped.
struct Wake<'a>(&'a Notify);

impl Drop for Wake<'_> {
    fn drop(&mut self) {
        self.0.notify_one();
    }
}

impl From<PostgresError> for Lost {
    fn from(fault: PostgresError) -> Self {
        match fault.code() {
            // A guard failed, a deadlock was broken, or somebody made the same row first. The next S1 will say what is so.
            Some("OM001" | "40P01" | "40001" | "23505") => Self::Race,
            // Cancelled by statement_timeout, or the lock not available.
            Some("57014" | "55P03") => Self::Held(fault.into()),
            // What was prepared earlier is gone or outdated, and its connection with it.
            _ if fault.is_outdated() => Self::Again(fault.into()),
            _ if fault.is_of_one_statement() => Self::Odd(fault.into()),
            _ => Self::Over(fault.into()),
        }
    }
}
