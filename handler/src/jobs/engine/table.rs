//! The table `jobs`: what was asked for, how far it is, and who works on it.
//! Never does the work, and never lets two work on one job: whoever has lost the lease is told so and stops.

use serde_json::Value;
use time::OffsetDateTime;
use tokio_postgres::{Row, types::FromSql};
use uuid::Uuid;

use super::{
    ledger::{Checkpoint, ClaimedJob, Ledger},
    row::{JobProgress, JobRow, JobState, WantedState},
    storable::{storable, storable_json},
};
use crate::{
    domain::timestamp::Timestamp,
    error_chain::chain,
    postgres::{ConnectionPool, NeededSchema, PostgresError, PostgresTarget, SqlParameters},
};

/// The schema that has it.
const NEEDED_SCHEMA: NeededSchema = NeededSchema::WriteModel(7);
/// Of the kinds that exclude each other one is open already: the name of the index that says so.
const ONE_AT_A_TIME: &str = "jobs_one_at_a_time";

/// A lease ends by itself so long after its holder was last heard of.
macro_rules! lease_ends {
    () => {
        "now() + interval '10 seconds'"
    };
}
macro_rules! columns {
    () => {
        "id, kind, request, state, requested_by, requested_at, started_at, ended_at, doing, done, todo, result, note"
    };
}

const CREATE: &str = concat!(
    "insert into write_model.jobs (id, kind, request, state, requested_by, exclusive, idempotency_key, fingerprint)
     values ($1::uuid, $2::text, $3::jsonb, $4::text, $5::text, $6::text, $7::text, $8::text)
     on conflict (requested_by, idempotency_key) where idempotency_key is not null do nothing returning ",
    columns!()
);
const BY_KEY: &str = concat!(
    "select fingerprint, ",
    columns!(),
    " from write_model.jobs where requested_by = $1::text and idempotency_key = $2::text"
);
/// The one that has waited longest among those that this process can do.
const CLAIM: &str = concat!(
    "update write_model.jobs set lease = $1::uuid, leased_until = ",
    lease_ends!(),
    ", started_at = coalesce(started_at, now())
     where id = (
        select id from write_model.jobs
        where state in ('planning', 'running') and kind = any($2::text[])
            and ($3::uuid is null or id = $3::uuid) and (leased_until is null or leased_until <= now())
        order by leased_until nulls first, requested_at limit 1 for update skip locked)
     returning cursor, panics, ",
    columns!()
);
const RENEW: &str = concat!(
    "update write_model.jobs set leased_until = ",
    lease_ends!(),
    " where id = $1::uuid and lease = $2::uuid returning state"
);
const SAVE: &str = concat!(
    "update write_model.jobs
     set cursor = $3::jsonb, doing = $4::text, done = $5::bigint, todo = $6::bigint, panics = $7::integer, note = null,
        leased_until = ",
    lease_ends!(),
    " where id = $1::uuid and lease = $2::uuid returning state"
);
/// Puts it back to the end of the line.
const RELEASE: &str = "
    update write_model.jobs
    set lease = null, leased_until = now(), note = coalesce($3::text, note), panics = $4::integer
    where id = $1::uuid and lease = $2::uuid";
/// A job that a person has stopped meanwhile stays stopped.
const END: &str = "
    update write_model.jobs
    set state = $3::text, result = coalesce($4::jsonb, result), note = $5::text, lease = null, leased_until = null,
        cursor = case when $3::text = 'planned' then cursor end,
        ended_at = case when $3::text = 'planned' then null else now() end
    where id = $1::uuid and lease = $2::uuid and state in ('planning', 'running')";
const SET_STATE: &str = concat!(
    "update write_model.jobs
     set state = $2::text, ended_at = case when $2::text = 'cancelled' then now() end
     where id = $1::uuid and state = any($3::text[]) returning ",
    columns!()
);
const GET: &str = concat!(
    "select ",
    columns!(),
    " from write_model.jobs where id = $1::uuid"
);
/// Results may be long, and are left out.
const LIST: &str = "
     select id, kind, request, state, requested_by, requested_at, started_at, ended_at, doing, done, todo,
        null::jsonb as result, note
     from write_model.jobs
     where ($1::uuid is null or id < $1::uuid) and ($2::text[] is null or state = any($2::text[]))
     order by id desc limit $3::bigint";
const OPEN_OF: &str = concat!(
    "select ",
    columns!(),
    " from write_model.jobs
     where state in ('planning', 'planned', 'running', 'paused') and exclusive = $1::text order by id limit 1"
);

/// The table, over a connection of its own.
#[derive(Debug)]
pub(super) struct JobTable {
    pool: ConnectionPool<()>,
}

/// A job to be written down.
pub(super) struct NewJob<'a> {
    pub(super) kind: &'static str,
    pub(super) request: &'a Value,
    pub(super) state: JobState,
    pub(super) exclusive: Option<&'static str>,
    pub(super) by: &'a str,
    /// Idempotency-Key, and a digest of the request that came with it.
    pub(super) key: Option<(&'a str, &'a str)>,
}

/// The outcome of writing a job down.
pub(super) enum CreateOutcome {
    Created(Box<JobRow>),
    /// The caller's key is taken.
    KeyTaken,
    /// A job that excludes it is open.
    Excluded,
}

impl JobTable {
    /// Connects when first used.
    pub(super) fn new(target: PostgresTarget) -> Self {
        Self {
            pool: ConnectionPool::for_schema(NEEDED_SCHEMA, target, 1),
        }
    }

    /// Writes a job down.
    pub(super) async fn create(&self, job: &NewJob<'_>) -> Result<CreateOutcome, PostgresError> {
        let (key, fingerprint) = job.key.unzip();
        let parameters: SqlParameters<'_> = &[
            &Uuid::now_v7(),
            &job.kind,
            job.request,
            &job.state.name(),
            &job.by,
            &job.exclusive,
            &key,
            &fingerprint,
        ];
        match self.rows(CREATE, parameters).await {
            Ok(rows) => Ok(rows.first().map_or(CreateOutcome::KeyTaken, |row| {
                CreateOutcome::Created(Box::new(job_row(row)))
            })),
            Err(PostgresError::Refused(error))
                if error.as_db_error().and_then(|refused| refused.constraint()) == Some(ONE_AT_A_TIME) =>
            {
                Ok(CreateOutcome::Excluded)
            }
            Err(fault) => Err(fault),
        }
    }

    /// Finds the job that a caller has asked for under a key, with the fingerprint of that request.
    pub(super) async fn by_key(
        &self,
        by: &str,
        key: &str,
    ) -> Result<Option<(String, JobRow)>, PostgresError> {
        let rows = self.rows(BY_KEY, &[&by, &key]).await?;
        let Some(row) = rows.first() else { return Ok(None) };
        let fingerprint = row.try_get("fingerprint")?;
        Ok(Some((fingerprint, job_row(row))))
    }

    /// Claims a job of one of these kinds, or this very one; `None` when there is nothing to do, or somebody else is at it.
    pub(super) async fn claim(
        &self,
        kinds: &[&str],
        only: Option<Uuid>,
    ) -> Result<Option<ClaimedJob>, PostgresError> {
        let lease = Uuid::now_v7();
        let rows = self.rows(CLAIM, &[&lease, &kinds, &only]).await?;
        let Some(row) = rows.first() else { return Ok(None) };
        Ok(Some(ClaimedJob {
            row: job_row(row),
            cursor: row.try_get("cursor")?,
            panics: row.try_get("panics")?,
            lease,
        }))
    }

    /// Brings a job into another state; `None` when it is in no state for that.
    pub(super) async fn set_state(
        &self,
        id: Uuid,
        wanted: WantedState,
    ) -> Result<Option<JobRow>, PostgresError> {
        let from: Vec<&str> = wanted.reachable_from().iter().map(|state| state.name()).collect();
        self.one(SET_STATE, &[&id, &wanted.state().name(), &from]).await
    }

    /// Reads one job.
    pub(super) async fn get(&self, id: Uuid) -> Result<Option<JobRow>, PostgresError> {
        self.one(GET, &[&id]).await
    }

    /// Reads the open job of those that exclude each other under this name.
    pub(super) async fn open_of(&self, exclusive: &str) -> Result<Option<JobRow>, PostgresError> {
        self.one(OPEN_OF, &[&exclusive]).await
    }

    /// Reads jobs, newest first, older than one of them; of all states, or of these.
    pub(super) async fn list(
        &self,
        before: Option<Uuid>,
        states: Option<&[JobState]>,
        most: i64,
    ) -> Result<Vec<JobRow>, PostgresError> {
        let states: Option<Vec<&str>> =
            states.map(|states| states.iter().map(|state| state.name()).collect());
        let rows = self.rows(LIST, &[&before, &states, &most]).await?;
        Ok(rows.iter().map(job_row).collect())
    }

    async fn one(&self, sql: &str, parameters: SqlParameters<'_>) -> Result<Option<JobRow>, PostgresError> {
        Ok(self.rows(sql, parameters).await?.first().map(job_row))
    }

    async fn state(
        &self,
        sql: &str,
        parameters: SqlParameters<'_>,
    ) -> Result<Option<JobState>, PostgresError> {
        let rows = self.rows(sql, parameters).await?;
        let name: Option<String> = rows.first().map(|row| row.try_get("state")).transpose()?;
        Ok(name.as_deref().and_then(JobState::named))
    }

    async fn rows(&self, sql: &str, parameters: SqlParameters<'_>) -> Result<Vec<Row>, PostgresError> {
        self.pool.acquire().await?.query(sql, parameters).await
    }
}

impl Ledger for JobTable {
    async fn renew(&self, claim: &ClaimedJob) -> Result<Option<JobState>, PostgresError> {
        self.state(RENEW, &[&claim.row.id, &claim.lease]).await
    }

    async fn save(
        &self,
        claim: &ClaimedJob,
        at: &Checkpoint,
        progress: &JobProgress,
    ) -> Result<Option<JobState>, PostgresError> {
        let (Checkpoint { cursor, panics }, JobProgress { doing, done, of }) = (at, progress);
        let parameters: SqlParameters<'_> = &[&claim.row.id, &claim.lease, cursor, doing, done, of, panics];
        self.state(SAVE, parameters).await
    }

    async fn release(
        &self,
        claim: &ClaimedJob,
        panics: i32,
        note: Option<&str>,
    ) -> Result<(), PostgresError> {
        let note = note.map(storable);
        self.rows(RELEASE, &[&claim.row.id, &claim.lease, &note, &panics])
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
        let (result, note) = (result.cloned().map(storable_json), note.map(storable));
        let parameters: SqlParameters<'_> = &[&claim.row.id, &claim.lease, &state.name(), &result, &note];
        self.rows(END, parameters).await.map(drop)
    }
}

/// Reads a row. A column that cannot be read is named in the note, and takes nothing else with it: a list has each of its rows.
fn job_row(row: &Row) -> JobRow {
    let mut reading = RowReader {
        row,
        faults: Vec::new(),
    };
    let id: Uuid = reading.column("id");
    let mut read = JobRow {
        id,
        kind: reading.column("kind"),
        request: reading.column("request"),
        // What the table's check does not let in cannot come out.
        state: JobState::named(&reading.column::<String>("state")).unwrap_or(JobState::Failed),
        requested_by: reading.column("requested_by"),
        requested_at: reading
            .column::<Option<Timestamp>>("requested_at")
            .unwrap_or_else(|| born(id)),
        started_at: reading.column("started_at"),
        ended_at: reading.column("ended_at"),
        progress: JobProgress {
            doing: reading.column("doing"),
            done: reading.column("done"),
            of: reading.column("todo"),
        },
        result: reading.column("result"),
        note: reading.column("note"),
    };
    if !reading.faults.is_empty() {
        let why = format!("the row cannot be read: {}", reading.faults.join("; "));
        tracing::warn!(job = %id, %why, "job_unreadable");
        read.note.get_or_insert(why);
    }
    read
}

struct RowReader<'a> {
    row: &'a Row,
    faults: Vec<String>,
}

impl<'a> RowReader<'a> {
    fn column<T: FromSql<'a> + Default>(&mut self, name: &str) -> T {
        self.row.try_get(name).unwrap_or_else(|error| {
            self.faults.push(format!("{name}: {}", chain(&error)));
            T::default()
        })
    }
}

/// The time in a job's id.
fn born(id: Uuid) -> Timestamp {
    let seconds = id.get_timestamp().map_or(0, |stamp| stamp.to_unix().0);
    let at = OffsetDateTime::from_unix_timestamp(seconds.cast_signed());
    at.ok()
        .and_then(|at| Timestamp::try_from(at).ok())
        .unwrap_or(Timestamp::UNIX_EPOCH)
}
