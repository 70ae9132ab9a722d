//! A kind of job with its type taken away: what the queue goes by when it has only a row's `kind`.
//! Never looks into a request: the job's own type reads it.

use futures_util::future::BoxFuture;
use tokio::time::Instant;

use super::{
    error::JobError,
    job::{Job, ProgressSink},
    ledger::ClaimedJob,
    table::JobTable,
    worker::{TurnEnd, work},
};
use crate::postgres::PostgresError;

/// A turn of work on a claimed row.
struct Turn<'a, R: ?Sized> {
    table: &'a JobTable,
    claim: &'a ClaimedJob,
    resources: &'a R,
    until: Instant,
    sink: ProgressSink<'a>,
}

/// One kind of job.
pub struct JobKind<R: ?Sized + 'static> {
    pub(super) name: &'static str,
    pub(super) needs: fn(&R) -> Result<(), JobError>,
    pub(super) cleans_up: bool,
    clean_up: for<'a> fn(&'a R) -> BoxFuture<'a, Result<(), JobError>>,
    work: for<'a> fn(Turn<'a, R>) -> BoxFuture<'a, Result<TurnEnd, PostgresError>>,
}

fn clean_up<R: Sync + ?Sized, J: Job<R>>(resources: &R) -> BoxFuture<'_, Result<(), JobError>> {
    Box::pin(J::clean_up(resources))
}

fn turn<R: Sync + ?Sized, J: Job<R>>(turn: Turn<'_, R>) -> BoxFuture<'_, Result<TurnEnd, PostgresError>> {
    Box::pin(work::<R, J>(
        turn.table,
        turn.claim,
        turn.resources,
        turn.until,
        turn.sink,
    ))
}

impl<R: Sync + ?Sized + 'static> JobKind<R> {
    /// The kind that this type is.
    #[must_use]
    pub const fn of<J: Job<R>>() -> Self {
        Self {
            name: J::KIND,
            needs: J::needs,
            cleans_up: J::CLEANS_UP,
            clean_up: clean_up::<R, J>,
            work: turn::<R, J>,
        }
    }

    pub(super) async fn clean_up(&self, resources: &R) -> Result<(), JobError> {
        (self.clean_up)(resources).await
    }

    pub(super) async fn work(
        &self,
        table: &JobTable,
        claim: &ClaimedJob,
        resources: &R,
        until: Instant,
        sink: ProgressSink<'_>,
    ) -> Result<TurnEnd, PostgresError> {
        (self.work)(Turn {
            table,
            claim,
            resources,
            until,
            sink,
        })
        .await
    }
}
