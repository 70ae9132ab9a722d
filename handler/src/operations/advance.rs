//! One turn of work on one operation, whatever its kind.
//! Never for long: whoever has it gives it back after its turn, and others come first then.

use tokio::time::Instant;
use uuid::Uuid;

use super::{
    Failed, Operations, Tell,
    operation::{Operation, Request, State},
    rebuild,
    replay::{self, Projection, Replay},
    retire,
    runner::{Came, Left, work},
    table::Claim,
    verify,
};
use crate::{postgres::Fault, write::outbox::Pending};

impl Operations {
    /// Works on one that waits, or on this very one, until then. `None` when there is none, or somebody else is at it; true
    /// when something is in its way, which the row names.
    ///
    /// # Errors
    /// When the table cannot be reached.
    pub async fn step(
        &self,
        only: Option<Uuid>,
        until: Instant,
        tell: Tell<'_>,
    ) -> Result<Option<bool>, Fault> {
        let Some(claim) = self.table.claim(&self.kinds(), only).await? else {
            return Ok(None);
        };
        let left = self.advance(&claim, until, tell).await?;
        Ok(Some(left == Left::Waiting))
    }

    async fn advance(&self, claim: &Claim, until: Instant, tell: Tell<'_>) -> Result<Left, Fault> {
        let table = &self.table;
        match &claim.operation.request {
            Request::Replay(replay) => self.replay(claim, replay, until, tell).await,
            Request::Projection(projection) => self.project(claim, projection, until, tell).await,
            Request::Rebuild(anew) => {
                let piece = async |cursor: &mut rebuild::Cursor, tell: Tell<'_>| {
                    anew.piece(self.model()?, cursor, tell).await
                };
                work(table, claim, until, tell, piece).await
            }
            Request::Retire(removal) => {
                let piece = async |cursor: &mut retire::Cursor, tell: Tell<'_>| {
                    removal.piece(self.model()?, cursor, tell).await
                };
                work(table, claim, until, tell, piece).await
            }
            Request::Verify(comparison) => {
                let piece = async |cursor: &mut Option<verify::Cursor>, tell: Tell<'_>| {
                    comparison.piece(self.model()?, cursor, tell).await
                };
                work(table, claim, until, tell, piece).await
            }
        }
    }

    async fn replay(
        &self,
        claim: &Claim,
        replay: &Replay,
        until: Instant,
        tell: Tell<'_>,
    ) -> Result<Left, Fault> {
        let (log, events, rate) = (&self.log, &replay.events, replay.rate);
        let mut sender = None;
        let piece = async |cursor: &mut replay::Cursor, tell: Tell<'_>| {
            if claim.operation.state == State::Planning {
                return cursor.plan(log, events, rate, tell).await;
            }
            let sender = match &mut sender {
                Some(sender) => sender,
                none => {
                    // Asked each turn: its rules may be others by now.
                    let subscription = self.subscription(&replay.subscription)?;
                    subscription.admits_replays(replay.force).await?;
                    none.insert(replay::Sender::new(subscription, number(&claim.operation)))
                }
            };
            let send = async |cursor: &mut replay::Cursor, page: Vec<Pending>, upto: i64| {
                sender.send(cursor, page, upto).await
            };
            cursor.deliver(log, events, rate, tell, send).await
        };
        work(&self.table, claim, until, tell, piece).await
    }

    async fn project(
        &self,
        claim: &Claim,
        projection: &Projection,
        until: Instant,
        tell: Tell<'_>,
    ) -> Result<Left, Fault> {
        let (log, events, rate) = (&self.log, &projection.events, projection.rate);
        let piece = async |cursor: &mut replay::Cursor, tell: Tell<'_>| -> Result<Came, Failed> {
            if claim.operation.state == State::Planning {
                return cursor.plan(log, events, rate, tell).await;
            }
            let projector = &self.model()?.projector;
            let project = async |cursor: &mut replay::Cursor, page: Vec<Pending>, upto: i64| {
                cursor.project(projector, page, upto).await
            };
            cursor.deliver(log, events, rate, tell, project).await
        };
        work(&self.table, claim, until, tell, piece).await
    }
}

/// What makes the MessageIds of a replay its own: when it was asked for, as Unix time in microseconds.
fn number(operation: &Operation) -> i64 {
    let microseconds = operation.requested_at.unix_timestamp_nanos() / 1_000;
    i64::try_from(microseconds).unwrap_or(i64::MAX)
}
