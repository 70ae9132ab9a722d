//! The table of jobs in memory: rows under leases, by statements that may not be answered.
//! Never lets two holders of a lease write one row.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use handler::{
    domain::timestamp::Timestamp,
    jobs::{Checkpoint, ClaimedJob, JobProgress, JobRow, JobState, Ledger},
    postgres::PostgresError,
};
use serde_json::Value;
use tokio::time::Instant;
use uuid::Uuid;

use crate::{
    database::SimulatedDatabase,
    fault_plan::{FaultPlan, lock},
    job_plan::JobRequest,
};

/// An operator asks for a job when the one before is seen to be over: longer than a replica lags. Until then the pointer may look as it
/// was, and speak against the job.
const BETWEEN: Duration = Duration::from_secs(5);
/// As long as the table's leases.
const LEASE: Duration = Duration::from_secs(9);

/// The rows, in the order in which they are worked on: one is open at a time.
pub(crate) struct JobTable {
    plan: Arc<FaultPlan>,
    database: Arc<SimulatedDatabase>,
    inner: Mutex<TableState>,
}

#[derive(Default)]
struct TableState {
    rows: BTreeMap<Uuid, TableRow>,
    leases: u128,
    /// When a job was last over.
    ended: Option<Instant>,
}

struct TableRow {
    row: JobRow,
    cursor: Option<Value>,
    panics: i32,
    /// The holder, and how long it may be.
    lease: Option<(Uuid, Instant)>,
    /// When a step may first have been taken.
    begun: Option<Instant>,
}

impl TableRow {
    fn is_held_by(&self, claim: &ClaimedJob) -> bool {
        self.lease.is_some_and(|(lease, _)| lease == claim.lease)
    }
}

impl JobTable {
    pub(crate) fn new(plan: &Arc<FaultPlan>, database: &Arc<SimulatedDatabase>) -> Self {
        Self {
            plan: Arc::clone(plan),
            database: Arc::clone(database),
            inner: Mutex::default(),
        }
    }

    /// Writes a job down, behind all others.
    pub(crate) fn add(&self, JobRequest { kind, request, state }: JobRequest) {
        self.plan.say(format_args!("a {kind} is asked for: {request}"));
        let mut inner = lock(&self.inner);
        let id = Uuid::from_u128(inner.rows.len() as u128);
        let row = JobRow {
            id,
            kind: kind.to_owned(),
            request,
            state,
            requested_by: "an operator".to_owned(),
            requested_at: Timestamp::UNIX_EPOCH,
            started_at: None,
            ended_at: None,
            progress: JobProgress::default(),
            result: None,
            note: None,
        };
        let row = TableRow {
            row,
            cursor: None,
            panics: 0,
            lease: None,
            begun: None,
        };
        inner.rows.insert(id, row);
    }

    /// True when no job is open.
    pub(crate) fn is_done(&self) -> bool {
        let inner = lock(&self.inner);
        let mut rows = inner.rows.values();
        rows.all(|it| !JobState::OPEN.contains(&it.row.state))
    }

    /// All rows, each with the time at which the work on it began.
    pub(crate) fn rows(&self) -> Vec<(JobRow, Option<Instant>)> {
        let inner = lock(&self.inner);
        let rows = inner.rows.values();
        rows.map(|it| (it.row.clone(), it.begun)).collect()
    }

    /// Claims the job whose turn it is, unless somebody is at it.
    pub(crate) async fn claim(&self) -> Result<Option<ClaimedJob>, PostgresError> {
        self.statement(|state| {
            let now = Instant::now();
            if state.ended.is_some_and(|ended| now < ended + BETWEEN) {
                return None;
            }
            let mut open = state.rows.values_mut();
            let next = open.find(|it| JobState::OPEN.contains(&it.row.state))?;
            if next.lease.is_some_and(|(_, until)| now < until) {
                return None;
            }
            state.leases += 1;
            let lease = Uuid::from_u128(state.leases);
            next.lease = Some((lease, now + LEASE));
            next.begun.get_or_insert(now);
            Some(ClaimedJob {
                row: next.row.clone(),
                cursor: next.cursor.clone(),
                panics: next.panics,
                lease,
            })
        })
        .await
    }

    async fn statement<T>(&self, work: impl FnOnce(&mut TableState) -> T) -> Result<T, PostgresError> {
        self.database.statement(|_| work(&mut lock(&self.inner))).await
    }

    /// Changes the row of a claim while it is held.
    async fn change(
        &self,
        claim: &ClaimedJob,
        change: impl FnOnce(&mut TableRow),
    ) -> Result<Option<JobState>, PostgresError> {
        self.statement(|state| {
            let row = state.rows.get_mut(&claim.row.id)?;
            if !row.is_held_by(claim) {
                return None;
            }
            change(row);
            Some(row.row.state)
        })
        .await
    }
}

impl Ledger for JobTable {
    async fn renew(&self, claim: &ClaimedJob) -> Result<Option<JobState>, PostgresError> {
        let until = Instant::now() + LEASE;
        self.change(claim, |it| it.lease = Some((claim.lease, until)))
            .await
    }

    async fn save(
        &self,
        claim: &ClaimedJob,
        at: &Checkpoint,
        progress: &JobProgress,
    ) -> Result<Option<JobState>, PostgresError> {
        let saved = self
            .change(claim, |it| {
                it.lease = Some((claim.lease, Instant::now() + LEASE));
                (it.cursor, it.panics) = (Some(at.cursor.clone()), at.panics);
                it.row.progress = progress.clone();
            })
            .await?;
        let JobProgress { doing, done, of } = progress;
        self.plan.say(format_args!(
            "the {} is {saved:?}: {doing}, {done} of {of}",
            claim.row.kind
        ));
        Ok(saved)
    }

    async fn release(
        &self,
        claim: &ClaimedJob,
        panics: i32,
        note: Option<&str>,
    ) -> Result<(), PostgresError> {
        self.plan
            .say(format_args!("the {} is let go: {note:?}", claim.row.kind));
        self.change(claim, |it| {
            it.lease = None;
            it.panics = panics;
        })
        .await
        .map(drop)
    }

    async fn end(
        &self,
        claim: &ClaimedJob,
        state: JobState,
        result: Option<&Value>,
        note: Option<&str>,
    ) -> Result<(), PostgresError> {
        self.plan.say(format_args!(
            "the {} is {}: {note:?}",
            claim.row.kind,
            state.name()
        ));
        lock(&self.inner).ended = Some(Instant::now());
        self.change(claim, |it| {
            it.lease = None;
            // The operator agrees with every plan.
            it.row.state = if state == JobState::Planned {
                JobState::Running
            } else {
                state
            };
            it.row.result = result.cloned();
            it.row.note = note.map(str::to_owned);
        })
        .await
        .map(drop)
    }
}
