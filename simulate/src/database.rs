//! The database as the relay and the jobs see it: a log whose events become visible in another order than their positions, an
//! outbox, and the one lock of the whole deployment. Never forgets a row that a committed transaction has not deleted.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use handler::{
    bus::{RefusedMessage, SendReport},
    domain::{
        event::{RecordedEvent, StockLevel},
        value::Sku,
    },
    error_chain::cause,
    postgres::PostgresError,
    relay::{DrainOutcome, OutboxEntry, OutboxStore},
};
use serde::Deserialize;
use tokio::time::Instant;

use crate::{
    fault_plan::{FaultPlan, lock},
    trouble::Trouble,
};

/// `idle_in_transaction_session_timeout` of a drain.
const IDLE: Duration = Duration::from_secs(30);

/// PostgreSQL.
pub(crate) struct SimulatedDatabase {
    plan: Arc<FaultPlan>,
    /// Most rows of one drain: few, so that a run has many drains.
    most: usize,
    inner: Mutex<DatabaseState>,
}

/// The tables.
#[derive(Default)]
pub(crate) struct DatabaseState {
    pub(crate) log: BTreeMap<i64, RecordedEvent>,
    pub(crate) stock: BTreeMap<Sku, StockLevel>,
    /// By position; parked ones with the reason.
    outbox: BTreeMap<i64, Option<String>>,
    /// The session that has the lock, and the time at which the database takes it away.
    held: Option<(u64, Instant)>,
    sessions: u64,
}

/// A transaction that has the lock; rolled back when dropped, at once or when the database has missed its client for long.
struct DatabaseSession<'a> {
    database: &'a SimulatedDatabase,
    number: u64,
    ended: bool,
}

/// One process's way to the outbox.
pub(crate) struct SimulatedOutbox {
    database: Arc<SimulatedDatabase>,
    /// One connection: its user waits here.
    turn: tokio::sync::Mutex<()>,
}

impl SimulatedDatabase {
    pub(crate) fn new(plan: &Arc<FaultPlan>) -> Self {
        Self {
            plan: Arc::clone(plan),
            most: [1, 3, 10, 500][plan.pick(4)],
            inner: Mutex::default(),
        }
    }

    /// An event becomes visible, with its row of the outbox.
    pub(crate) fn commit(&self, position: i64, event: RecordedEvent) {
        self.plan.say(format_args!(
            "committed at {position}: {} of {} v{}",
            event.kind, event.subject, event.version
        ));
        let mut inner = lock(&self.inner);
        inner.outbox.insert(position, None);
        let moved = Vec::<StockLevel>::deserialize(&event.stock).unwrap_or_default();
        inner
            .stock
            .extend(moved.into_iter().map(|level| (level.sku.clone(), level)));
        inner.log.insert(position, event);
    }

    /// A statement that is a transaction of its own.
    pub(crate) async fn statement<T>(
        &self,
        work: impl FnOnce(&mut DatabaseState) -> T,
    ) -> Result<T, PostgresError> {
        let plan = &self.plan;
        if plan.strikes(Trouble::DatabaseAway) {
            plan.wait(1..=3_000).await;
            return Err(away());
        }
        plan.wait(1..=5).await;
        if plan.strikes(Trouble::CommitLost) {
            return Err(lost());
        }
        let done = work(&mut lock(&self.inner));
        if plan.strikes(Trouble::CommitUnheard) {
            plan.wait(1..=2_000).await;
            return Err(lost());
        }
        plan.wait(1..=5).await;
        Ok(done)
    }

    /// An operator has all parked rows sent after all.
    pub(crate) fn unpark(&self) {
        for parked in lock(&self.inner).outbox.values_mut() {
            *parked = None;
        }
    }

    /// Rows that wait.
    pub(crate) fn waiting(&self) -> usize {
        lock(&self.inner).outbox.len()
    }

    /// Takes the lock, unless another session has it.
    fn begin(&self) -> Option<DatabaseSession<'_>> {
        let mut inner = lock(&self.inner);
        if inner.held.is_some_and(|(_, until)| Instant::now() < until) {
            return None;
        }
        inner.sessions += 1;
        let number = inner.sessions;
        inner.held = Some((number, Instant::now() + IDLE));
        Some(DatabaseSession {
            database: self,
            number,
            ended: false,
        })
    }

    fn read(&self) -> Vec<OutboxEntry> {
        let inner = lock(&self.inner);
        let waiting = inner.outbox.iter().filter(|(_, parked)| parked.is_none());
        let rows = waiting.take(self.most).filter_map(|(position, _)| {
            let event = inner.log.get(position)?.clone();
            Some(OutboxEntry {
                position: *position,
                event,
            })
        });
        rows.collect()
    }

    fn commit_drain(&self, report: &SendReport) {
        let mut inner = lock(&self.inner);
        for position in &report.sent {
            inner.outbox.remove(position);
        }
        for RefusedMessage { key, reason } in &report.refused {
            inner.outbox.insert(*key, Some(reason.clone()));
        }
    }
}

impl DatabaseState {
    /// The last position that can be seen.
    pub(crate) fn last(&self) -> i64 {
        self.log.keys().next_back().copied().unwrap_or_default()
    }
}

impl DatabaseSession<'_> {
    /// A statement: false when the database has ended this session meanwhile.
    fn lives(&self) -> bool {
        let mut inner = lock(&self.database.inner);
        match &mut inner.held {
            Some((number, until)) if *number == self.number && Instant::now() < *until => {
                *until = Instant::now() + IDLE;
                true
            }
            _ => false,
        }
    }

    /// Commit or rollback: the lock is free.
    fn end(mut self) {
        self.ended = true;
    }
}

impl Drop for DatabaseSession<'_> {
    fn drop(&mut self) {
        if !self.ended && self.database.plan.strikes(Trouble::LockLingers) {
            return;
        }
        let held = lock(&self.database.inner).held;
        if held.is_some_and(|(number, _)| number == self.number) {
            lock(&self.database.inner).held = None;
        }
    }
}

impl SimulatedOutbox {
    pub(crate) fn new(database: &Arc<SimulatedDatabase>) -> Self {
        Self {
            database: Arc::clone(database),
            turn: tokio::sync::Mutex::default(),
        }
    }
}

fn away() -> PostgresError {
    PostgresError::Unreachable(cause("simulated"))
}

fn lost() -> PostgresError {
    PostgresError::Lost(cause("simulated"))
}

impl OutboxStore for SimulatedOutbox {
    async fn drain<F>(
        &self,
        send: impl FnOnce(Vec<OutboxEntry>) -> F + Send,
    ) -> Result<DrainOutcome, PostgresError>
    where
        F: Future<Output = SendReport> + Send,
    {
        let _turn = self.turn.lock().await;
        let plan = &self.database.plan;
        if plan.strikes(Trouble::DatabaseAway) {
            plan.wait(1..=3_000).await;
            return Err(away());
        }
        plan.wait(1..=5).await;
        let Some(session) = self.database.begin() else {
            plan.wait(1..=5).await;
            return Ok(DrainOutcome::Contended);
        };
        plan.wait(1..=5).await;
        let rows = self.database.read();
        if rows.is_empty() {
            plan.wait(1..=5).await;
            session.end();
            return Ok(DrainOutcome::Empty);
        }
        plan.say(format_args!(
            "drain {} of {} rows from {}",
            session.number,
            rows.len(),
            rows[0].position
        ));
        let report = send(rows).await;
        plan.wait(1..=5).await;
        if !session.lives() || plan.strikes(Trouble::CommitLost) {
            plan.say(format_args!("drain {} rolled back", session.number));
            return Err(lost());
        }
        self.database.commit_drain(&report);
        plan.say(format_args!(
            "drain {} committed: {} sent, {} parked, stopped: {:?}",
            session.number,
            report.sent.len(),
            report.refused.len(),
            report.stopped
        ));
        session.end();
        if plan.strikes(Trouble::CommitUnheard) {
            plan.wait(1..=2_000).await;
            return Err(lost());
        }
        plan.wait(1..=5).await;
        Ok(DrainOutcome::Drained(report))
    }
}
