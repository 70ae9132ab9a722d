//! The table `operations`: what was asked for, how far it is, and who works on it.
//! Never does the work, and never lets two work on one operation: whoever has lost the lease is told so and stops.

use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio_postgres::{Config, Row, types::Json};
use uuid::Uuid;

use super::{
    operation::{Operation, Progress, Request, State, Wanted},
    runner::{Ledger, Stand},
    storable, storable_json,
};
use crate::{
    error_chain::cause,
    postgres::{ConnectionPool, PostgresError, SqlParameters},
};

/// The schema that has it.
const NEEDED_SCHEMA: i32 = 6;
/// There is a rebuild already: the name of the index that says so.
const ONE_REBUILD: &str = "operations_one_rebuild";

/// A lease ends by itself so long after its holder was last heard of.
macro_rules! lease_ends {
    () => {
        "now() + interval '10 seconds'"
    };
}
macro_rules! columns {
    () => {
        "id, request, state, requested_by, requested_at, started_at, ended_at, doing, done, todo, result, note"
    };
}

const CREATE: &str = concat!(
    "insert into write_model.operations (id, request, state, requested_by)
     values ($1::uuid, $2::jsonb, $3::text, $4::text) returning ",
    columns!()
);
/// The one that has waited longest among those that this process can do.
const CLAIM: &str = concat!(
    "update write_model.operations set lease = $1::uuid, leased_until = ",
    lease_ends!(),
    ", started_at = coalesce(started_at, now())
     where id = (
        select id from write_model.operations
        where state in ('planning', 'running') and request->>'kind' = any($2::text[])
            and ($3::uuid is null or id = $3::uuid) and (leased_until is null or leased_until <= now())
        order by leased_until nulls first, requested_at limit 1 for update skip locked)
     returning cursor, panics, ",
    columns!()
);
const RENEW: &str = concat!(
    "update write_model.operations set leased_until = ",
    lease_ends!(),
    " where id = $1::uuid and lease = $2::uuid returning state"
);
const SAVE: &str = concat!(
    "update write_model.operations
     set cursor = $3::jsonb, doing = $4::text, done = $5::bigint, todo = $6::bigint, panics = $7::integer, note = null,
        leased_until = ",
    lease_ends!(),
    " where id = $1::uuid and lease = $2::uuid returning state"
);
/// Puts it back to the end of the line.
const RELEASE: &str = "
    update write_model.operations
    set lease = null, leased_until = now(), note = coalesce($3::text, note), panics = $4::integer
    where id = $1::uuid and lease = $2::uuid";
/// What somebody has stopped meanwhile stays so.
const END: &str = "
    update write_model.operations
    set state = $3::text, result = coalesce($4::jsonb, result), note = $5::text, lease = null, leased_until = null,
        cursor = case when $3::text = 'planned' then cursor end,
        ended_at = case when $3::text = 'planned' then null else now() end
    where id = $1::uuid and lease = $2::uuid and state in ('planning', 'running')";
const STEER: &str = concat!(
    "update write_model.operations
     set state = $2::text, ended_at = case when $2::text = 'cancelled' then now() end
     where id = $1::uuid and state = any($3::text[]) returning ",
    columns!()
);
const GET: &str = concat!(
    "select ",
    columns!(),
    " from write_model.operations where id = $1::uuid"
);
/// Results may be long, and are left out.
const LIST: &str = "
     select id, request, state, requested_by, requested_at, started_at, ended_at, doing, done, todo, null::jsonb as result, note
     from write_model.operations
     where ($1::uuid is null or id < $1::uuid) and ($2::text[] is null or state = any($2::text[]))
     order by id desc limit $3::bigint";
const OPEN_OF: &str = concat!(
    "select ",
    columns!(),
    " from write_model.operations
     where state in ('planning', 'running', 'paused') and request->>'kind' = any($1::text[]) order by id limit 1"
);

/// The table, over a connection of its own.
#[derive(Debug)]
pub(super) struct Table {
    pool: ConnectionPool<()>,
}

/// An operation that nobody else works on while its lease lasts.
#[derive(Debug)]
pub(super) struct Claim {
    pub(super) operation: Operation,
    /// Where the work stopped; `None` before the first piece.
    pub(super) cursor: Option<Value>,
    /// How often it has panicked there.
    pub(super) panics: i32,
    pub(super) lease: Uuid,
}

/// Why there is no new operation.
#[derive(Debug, thiserror::Error)]
pub(super) enum NotCreated {
    #[error("a rebuild, or the removal of a generation, is under way already")]
    OneIsEnough,
    #[error(transparent)]
    PostgresError(#[from] PostgresError),
}

impl Claim {
    /// Where the work stopped, or the beginning.
    pub(super) fn cursor<T: DeserializeOwned + Default>(&self) -> Result<T, String> {
        match &self.cursor {
            None => Ok(T::default()),
            Some(cursor) => serde_json::from_value(cursor.clone())
                .map_err(|error| format!("where it stopped cannot be read: {error}")),
        }
    }
}

impl Table {
    /// Connects when first used.
    pub(super) fn new(config: Config) -> Self {
        Self {
            pool: ConnectionPool::for_schema(NEEDED_SCHEMA, config, 1),
        }
    }

    /// Writes down what is asked for.
    pub(super) async fn create(
        &self,
        request: &Request,
        state: State,
        by: &str,
    ) -> Result<Operation, NotCreated> {
        let parameters: SqlParameters<'_> = &[&Uuid::now_v7(), &Json(request), &state.name(), &by];
        match self.one(CREATE, parameters).await {
            Ok(created) => created.ok_or_else(|| PostgresError::Lost(cause("no row")).into()),
            Err(PostgresError::Refused(error))
                if error.as_db_error().and_then(|refused| refused.constraint()) == Some(ONE_REBUILD) =>
            {
                Err(NotCreated::OneIsEnough)
            }
            Err(fault) => Err(fault.into()),
        }
    }

    /// An operation of one of these kinds, or this very one, to be worked on; `None` when there is nothing to do, or
    /// somebody else is at it.
    pub(super) async fn claim(
        &self,
        kinds: &[&str],
        only: Option<Uuid>,
    ) -> Result<Option<Claim>, PostgresError> {
        let lease = Uuid::now_v7();
        let rows = self.rows(CLAIM, &[&lease, &kinds, &only]).await?;
        let Some(row) = rows.first() else { return Ok(None) };
        match operation(row) {
            Ok(operation) => Ok(Some(Claim {
                operation,
                cursor: row.try_get("cursor")?,
                panics: row.try_get("panics")?,
                lease,
            })),
            // A newer version of this program has asked for it, and was taken back.
            Err(_) => {
                let id: Uuid = row.try_get("id")?;
                let why = "what was asked for cannot be read by this version";
                tracing::error!(operation = %id, why, "operation_failed");
                let none: Option<&Value> = None;
                self.rows(END, &[&id, &lease, &State::Failed.name(), &none, &Some(why)])
                    .await?;
                Ok(None)
            }
        }
    }

    /// Brings it into another state, if that can be; `None` when not.
    pub(super) async fn steer(&self, id: Uuid, wanted: Wanted) -> Result<Option<Operation>, PostgresError> {
        let from: Vec<&str> = wanted.from().iter().map(|state| state.name()).collect();
        self.one(STEER, &[&id, &wanted.state().name(), &from]).await
    }

    /// One operation.
    pub(super) async fn get(&self, id: Uuid) -> Result<Option<Operation>, PostgresError> {
        self.one(GET, &[&id]).await
    }

    /// The first of these kinds that is not over yet.
    pub(super) async fn open_of(&self, kinds: &[&str]) -> Result<Option<Operation>, PostgresError> {
        self.one(OPEN_OF, &[&kinds]).await
    }

    /// Operations, newest first, older than one of them; of all states, or of these.
    pub(super) async fn list(
        &self,
        before: Option<Uuid>,
        states: Option<&[State]>,
        most: i64,
    ) -> Result<Vec<Operation>, PostgresError> {
        let states: Option<Vec<&str>> =
            states.map(|states| states.iter().map(|state| state.name()).collect());
        let rows = self.rows(LIST, &[&before, &states, &most]).await?;
        // One that a newer version has asked for is not for us to tell.
        Ok(rows.iter().filter_map(|row| operation(row).ok()).collect())
    }

    async fn one(
        &self,
        sql: &str,
        parameters: SqlParameters<'_>,
    ) -> Result<Option<Operation>, PostgresError> {
        let rows = self.rows(sql, parameters).await?;
        rows.first().map(operation).transpose()
    }

    async fn state(&self, sql: &str, parameters: SqlParameters<'_>) -> Result<Option<State>, PostgresError> {
        let rows = self.rows(sql, parameters).await?;
        let name: Option<String> = rows.first().map(|row| row.try_get("state")).transpose()?;
        Ok(name.as_deref().and_then(State::of))
    }

    async fn rows(&self, sql: &str, parameters: SqlParameters<'_>) -> Result<Vec<Row>, PostgresError> {
        self.pool.acquire().await?.query(sql, parameters).await
    }
}

impl Ledger for Table {
    async fn renew(&self, claim: &Claim) -> Result<Option<State>, PostgresError> {
        self.state(RENEW, &[&claim.operation.id, &claim.lease]).await
    }

    async fn save(
        &self,
        claim: &Claim,
        stand: &Stand,
        progress: &Progress,
    ) -> Result<Option<State>, PostgresError> {
        let (Stand { cursor, panics }, Progress { doing, done, of }) = (stand, progress);
        let parameters: SqlParameters<'_> =
            &[&claim.operation.id, &claim.lease, cursor, doing, done, of, panics];
        self.state(SAVE, parameters).await
    }

    async fn release(&self, claim: &Claim, panics: i32, note: Option<&str>) -> Result<(), PostgresError> {
        let note = note.map(storable);
        self.rows(RELEASE, &[&claim.operation.id, &claim.lease, &note, &panics])
            .await
            .map(drop)
    }

    async fn end(
        &self,
        claim: &Claim,
        state: State,
        result: Option<&Value>,
        note: Option<&str>,
    ) -> Result<(), PostgresError> {
        let (result, note) = (result.cloned().map(storable_json), note.map(storable));
        let parameters: SqlParameters<'_> =
            &[&claim.operation.id, &claim.lease, &state.name(), &result, &note];
        self.rows(END, parameters).await.map(drop)
    }
}

fn operation(row: &Row) -> Result<Operation, PostgresError> {
    let Json(request) = row.try_get("request")?;
    let state: String = row.try_get("state")?;
    Ok(Operation {
        id: row.try_get("id")?,
        request,
        // What the table's check does not let in cannot come out.
        state: State::of(&state).unwrap_or(State::Failed),
        requested_by: row.try_get("requested_by")?,
        requested_at: row.try_get("requested_at")?,
        started_at: row.try_get("started_at")?,
        ended_at: row.try_get("ended_at")?,
        progress: Progress {
            doing: row.try_get("doing")?,
            done: row.try_get("done")?,
            of: row.try_get("todo")?,
        },
        result: row.try_get("result")?,
        note: row.try_get("note")?,
    })
}
