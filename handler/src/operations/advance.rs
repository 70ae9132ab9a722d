//! One turn of work on one operation, whatever its kind.
//! Never for long: whoever has it gives it back after its turn, and others come first then.

use std::num::NonZeroU32;

use tokio::time::Instant;
use uuid::Uuid;

use super::{
    Operations, Tell,
    dead_letters::{self, DeadLetters},
    operation::{Operation, Request, State},
    rebuild,
    replay::{self, MOST_PROJECTED, MOST_SENT, Replay},
    retire,
    runner::{Left, work},
    table::Claim,
    verify,
};
use crate::{
    log::{EventSelection, LogEntry},
    postgres::PostgresError,
};

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
    ) -> Result<Option<bool>, PostgresError> {
        let Some(claim) = self.table.claim(&self.kinds(), only).await? else {
            return Ok(None);
        };
        let left = Box::pin(self.advance(&claim, until, tell)).await?;
        Ok(Some(left == Left::Waiting))
    }

    async fn advance(&self, claim: &Claim, until: Instant, tell: Tell<'_>) -> Result<Left, PostgresError> {
        let table = &self.table;
        match &claim.operation.request {
            Request::Replay(replay) => {
                let which = (&replay.events, replay.rate);
                Box::pin(self.replay(claim, which, Some(replay), until, tell)).await
            }
            Request::Projection(projection) => {
                let which = (&projection.events, projection.rate);
                Box::pin(self.replay(claim, which, None, until, tell)).await
            }
            Request::Rebuild(anew) => {
                let piece = async |cursor: &mut rebuild::Cursor, tell: Tell<'_>| {
                    anew.piece(self.model()?, cursor, tell).await
                };
                Box::pin(work(table, claim, until, tell, piece)).await
            }
            Request::Retire(removal) => {
                let piece = async |cursor: &mut retire::Cursor, tell: Tell<'_>| {
                    removal.piece(self.model()?, cursor, tell).await
                };
                Box::pin(work(table, claim, until, tell, piece)).await
            }
            Request::Resubmit(resubmission) => {
                let piece = async |cursor: &mut dead_letters::Cursor, tell: Tell<'_>| {
                    let letters = DeadLetters(self.subscription(&resubmission.subscription)?);
                    resubmission.piece(&letters, cursor, tell).await
                };
                Box::pin(work(table, claim, until, tell, piece)).await
            }
            Request::Delete(deletion) => {
                let piece = async |cursor: &mut dead_letters::Cursor, tell: Tell<'_>| {
                    let letters = DeadLetters(self.subscription(&deletion.subscription)?);
                    deletion.piece(&letters, cursor, tell).await
                };
                Box::pin(work(table, claim, until, tell, piece)).await
            }
            Request::Verify(comparison) => {
                let piece = async |cursor: &mut Option<verify::Cursor>, tell: Tell<'_>| {
                    comparison.piece(self.model()?, cursor, tell).await
                };
                Box::pin(work(table, claim, until, tell, piece)).await
            }
        }
    }

    /// Plans a replay, or does some of it: over the bus, or where no subscription is named into the documents.
    async fn replay(
        &self,
        claim: &Claim,
        (events, rate): (&EventSelection, NonZeroU32),
        over: Option<&Replay>,
        until: Instant,
        tell: Tell<'_>,
    ) -> Result<Left, PostgresError> {
        let log = &self.log;
        let mut sender = None;
        let piece = async |cursor: &mut replay::Cursor, tell: Tell<'_>| {
            if claim.operation.state == State::Planning {
                return cursor.plan(log, events, rate, tell).await;
            }
            if let (
                Some(Replay {
                    subscription, force, ..
                }),
                None,
            ) = (over, &sender)
            {
                // Asked each turn: its rules may be others by now.
                let subscription = self.subscription(subscription)?;
                subscription.admits_replays(*force).await?;
                sender = Some(replay::Sender::new(subscription, number(&claim.operation)));
            }
            let deliver = async |cursor: &mut replay::Cursor, page: Vec<LogEntry>, upto: i64| match &sender {
                Some(sender) => sender.send(cursor, page, upto).await,
                None => cursor.project(&self.model()?.projector, page, upto).await,
            };
            let most = if over.is_some() { MOST_SENT } else { MOST_PROJECTED };
            cursor.deliver(log, (events, rate), most, tell, deliver).await
        };
        Box::pin(work(&self.table, claim, until, tell, piece)).await
    }
}

/// What makes the MessageIds of a replay its own: when it was asked for, as Unix time in microseconds.
fn number(operation: &Operation) -> i64 {
    let microseconds = operation.requested_at.unix_timestamp_nanos() / 1_000;
    i64::try_from(microseconds).unwrap_or(i64::MAX)
}
