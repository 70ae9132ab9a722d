//! Takes commands in, and has them run in batches: whatever waits when a connection is free goes together.
//! Never waits for more to come: a command that is alone goes alone.

use std::sync::Arc;

use tokio::{
    sync::{Mutex, Notify, mpsc, oneshot},
    time::Instant,
};

use super::{
    batch::{Batcher, Job},
    cache::Cache,
    command::{Accepted, Command, Context, Unmet},
    decide::DecideError,
    pool::CommandPool,
};
use crate::{
    domain::rejection::Rejection,
    error_chain::{Cause, cause},
    postgres::PostgresError,
};

/// Most commands of one batch.
const BATCH: usize = 32;
/// Most commands that wait; beyond that callers are asked to come back.
const WAITING: usize = 1_024;

/// The reason why a command was not accepted. Several commands of one batch may share a cause.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// A rule of the shop; nothing was written.
    #[error(transparent)]
    Rejected(#[from] Rejection),
    /// A precondition does not hold; nothing was written. With the version that the aggregate is at, if there is one.
    #[error("{} does not hold", .0.name())]
    Unmet(Unmet, Option<i64>),
    /// The Idempotency-Key was used for another request; nothing was written.
    #[error("the Idempotency-Key was used for another request")]
    KeyReused,
    /// Others changed the same rows again and again; nothing was written.
    #[error("too many others are changing the same rows")]
    Contended,
    /// The database is away, or somebody holds a row; come back later.
    #[error(transparent)]
    Unavailable(Cause),
    /// A defect of ours.
    #[error(transparent)]
    Internal(Cause),
}

/// The only thing that changes the write model while serving.
#[derive(Debug)]
pub struct Writer {
    queue: mpsc::Sender<Job>,
    batcher: Arc<Batcher>,
}

impl Writer {
    /// Starts `workers` tasks that run batches over this pool, for as long as the writer lives; `committed` is notified
    /// when a batch may have left rows in the outbox.
    #[must_use]
    pub fn start(pool: CommandPool, workers: usize, committed: Arc<Notify>) -> Self {
        let (queue, waiting) = mpsc::channel(WAITING);
        let batcher = Arc::new(Batcher {
            pool,
            cache: Cache::default(),
            committed,
        });
        let waiting = Arc::new(Mutex::new(waiting));
        for _ in 0..workers {
            tokio::spawn(work(Arc::clone(&batcher), Arc::clone(&waiting)));
        }
        Self { queue, batcher }
    }

    /// The connections that commands share.
    pub(super) fn pool(&self) -> &CommandPool {
        &self.batcher.pool
    }

    /// Runs the command to its end; when it answers `Ok`, state, event and outbox row are committed.
    ///
    /// # Errors
    /// See [`Error`]; after `Unavailable` the command may still have happened if the connection broke while it ran.
    pub async fn execute(&self, command: Command, context: Context) -> Result<Accepted, Error> {
        let (job, answered) = job(command, context);
        let busy = |_| Error::Unavailable(cause("too many commands are waiting"));
        self.queue.try_send(job).map_err(busy)?;
        answered.await.unwrap_or_else(|_| Err(lost()))
    }

    /// Runs these commands as one batch, and answers in their order. What [`Self::execute`] does with commands that
    /// wait at the same time, without the waiting: for tools and tests.
    pub async fn execute_together(&self, commands: Vec<(Command, Context)>) -> Vec<Result<Accepted, Error>> {
        let jobs = commands
            .into_iter()
            .map(|(command, context)| job(command, context));
        let (jobs, answers): (Vec<_>, Vec<_>) = jobs.unzip();
        self.batcher.run(jobs).await;
        let told = answers
            .into_iter()
            .map(|mut answered| answered.try_recv().unwrap_or_else(|_| Err(lost())));
        told.collect()
    }
}

fn job(command: Command, context: Context) -> (Job, oneshot::Receiver<Result<Accepted, Error>>) {
    let (answer, answered) = oneshot::channel();
    let since = Instant::now();
    (
        Job {
            since,
            command,
            context,
            answer,
        },
        answered,
    )
}

fn lost() -> Error {
    Error::Internal(cause("the batch of this command came to no end"))
}

/// Runs batch after batch until the writer is gone.
async fn work(batcher: Arc<Batcher>, waiting: Arc<Mutex<mpsc::Receiver<Job>>>) {
    loop {
        let mut jobs = Vec::new();
        if waiting.lock().await.recv_many(&mut jobs, BATCH).await == 0 {
            return;
        }
        let batcher = Arc::clone(&batcher);
        // In a task of its own: what panics takes its batch with it, and nothing else.
        if tokio::spawn(async move { batcher.run(jobs).await })
            .await
            .is_err()
        {
            tracing::error!("batch_panicked");
        }
    }
}

impl From<PostgresError> for Error {
    fn from(fault: PostgresError) -> Self {
        if fault.is_transient() {
            Self::Unavailable(cause(fault))
        } else {
            Self::Internal(cause(fault))
        }
    }
}

impl From<DecideError> for Error {
    fn from(error: DecideError) -> Self {
        match error {
            DecideError::Rejected(rejection) => Self::Rejected(rejection),
            DecideError::Unmet(unmet, version) => Self::Unmet(unmet, version),
            other => Self::Internal(cause(other)),
        }
    }
}
