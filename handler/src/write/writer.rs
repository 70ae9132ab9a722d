//! Takes commands in, and has them run in batches: all that wait when a connection is free go together.
//! Never waits for more to come: a command that is alone goes alone.

use std::sync::Arc;

use tokio::sync::{Mutex, Notify, mpsc};

use super::{
    batch::{BatchRunner, QueuedCommand},
    cache::AggregateCache,
    context::CommandContext,
    outcome::{CommandResult, WriteError},
    pool::CommandPool,
};
use crate::{domain::command::Command, error_chain::cause, panics};

/// Most commands of one batch.
const BATCH: usize = 32;
/// Most commands that wait; beyond that callers are asked to come back.
const WAITING: usize = 1_024;

/// The only thing that changes the write model while serving.
#[derive(Debug)]
pub struct Writer {
    queue: mpsc::Sender<QueuedCommand>,
    runner: Arc<BatchRunner>,
}

impl Writer {
    /// Starts `workers` tasks that run batches over this pool, for as long as the writer lives; `committed` is notified
    /// when a batch may have left rows in the outbox.
    #[must_use]
    pub fn start(pool: CommandPool, workers: usize, committed: Arc<Notify>) -> Self {
        let (queue, waiting) = mpsc::channel(WAITING);
        let runner = Arc::new(BatchRunner {
            pool,
            cache: AggregateCache::default(),
            committed,
        });
        let waiting = Arc::new(Mutex::new(waiting));
        for _ in 0..workers {
            tokio::spawn(work(Arc::clone(&runner), Arc::clone(&waiting)));
        }
        Self { queue, runner }
    }

    /// The connections that commands share.
    pub(super) fn pool(&self) -> &CommandPool {
        &self.runner.pool
    }

    /// Runs the command to its end; when it answers `Ok`, state, event and outbox row are committed.
    ///
    /// # Errors
    /// See [`WriteError`]; after `Unavailable` the command may still have happened if the connection broke while it ran.
    pub async fn execute(&self, command: Command, context: CommandContext) -> CommandResult {
        let (queued, answered) = QueuedCommand::new(command, context);
        let busy = |_| WriteError::Unavailable(cause("too many commands are waiting"));
        self.queue.try_send(queued).map_err(busy)?;
        answered.await.unwrap_or_else(|_| Err(lost()))
    }

    /// Runs these commands as one batch, and answers in their order. What [`Self::execute`] does with commands that
    /// wait at the same time, without the waiting: for tools and tests.
    pub async fn execute_together(&self, commands: Vec<(Command, CommandContext)>) -> Vec<CommandResult> {
        let queued = commands
            .into_iter()
            .map(|(command, context)| QueuedCommand::new(command, context));
        let (queued, answers): (Vec<_>, Vec<_>) = queued.unzip();
        self.runner.run(queued).await;
        let told = answers
            .into_iter()
            .map(|mut answered| answered.try_recv().unwrap_or_else(|_| Err(lost())));
        told.collect()
    }
}

fn lost() -> WriteError {
    WriteError::Internal(cause("the batch of this command came to no end"))
}

/// Runs batch after batch until the writer is gone.
async fn work(runner: Arc<BatchRunner>, waiting: Arc<Mutex<mpsc::Receiver<QueuedCommand>>>) {
    loop {
        let mut queued = Vec::new();
        if waiting.lock().await.recv_many(&mut queued, BATCH).await == 0 {
            return;
        }
        // What panics takes its batch with it, and nothing else.
        if let Err(panic) = panics::caught(runner.run(queued)).await {
            tracing::error!(panic, "batch_panicked");
        }
    }
}
