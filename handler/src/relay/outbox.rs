//! The events that the bus has not got yet: read in order under one lock of the whole deployment, deleted when sent; and
//! the other rows that time makes superfluous.
//! Never sends anything itself, and never deletes a row that was not reported sent.

use std::sync::Arc;

use serde::Serialize;
use tokio::sync::Mutex;
use tokio_postgres::Row;
use uuid::Uuid;

use crate::{
    bus::{RefusedMessage, SendReport},
    condition::StoreCondition,
    domain::timestamp::Timestamp,
    log::{EVENT_COLUMNS, LogEntry, UnreadableEntry, read_entry},
    postgres::{ConnectionPool, NeededSchema, PooledConnection, PostgresError, PostgresTarget},
};

/// The oldest schema that has everything that is drained and expired here.
const NEEDED_SCHEMA: NeededSchema = NeededSchema::WriteModel(3);
/// Most rows of one drain.
const MOST_ROWS: i64 = 500;

/// Only one drainer in the whole deployment, so that each aggregate's messages leave in version order. The lock and
/// the read are two statements: a snapshot taken before the lock could still show rows that were just sent.
/// The timeout frees the lock when this process vanishes while sending.
const BEGIN: &str = "begin; set local idle_in_transaction_session_timeout = '30s'";
const LOCK: &str = "select pg_try_advisory_xact_lock(715001)";
const DELETE: &str = "delete from write_model.outbox where position = any($1::bigint[])";
const PARK: &str =
    "update write_model.outbox set parked_at = now(), reason = $2::text where position = $1::bigint";

const PARKED: &str = "
    select o.position, e.event_id, e.stream, e.type, o.parked_at, coalesce(o.reason, '') as reason
    from write_model.outbox o join write_model.events e using (position)
    where o.parked_at is not null order by o.position limit 100";
const RETRY: &str = "
    update write_model.outbox set parked_at = null, reason = null
    where parked_at is not null and ($1::bigint[] is null or position = any($1::bigint[]))";

/// Small steps, so that no sweep holds locks for long.
const EXPIRE_KEYS: &str = "
    delete from write_model.idempotency_keys where (caller, key) in (
        select caller, key from write_model.idempotency_keys where at < now() - interval '24 hours' order by at limit 1000)";

/// Looks at the oldest rows only, so that a step is short whatever waits behind them.
const FORGET_UNTOLD: &str = "
    delete from write_model.outbox where position in (
        select o.position from (
            select position from write_model.outbox where parked_at is null order by position limit 1000) o
        join write_model.events e using (position) where e.occurred_at < now() - interval '24 hours')";

/// An event that waits to be sent, as the log has it.
pub type OutboxEntry = LogEntry;

/// An entry that the bus has refused for its content.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ParkedEntry {
    /// Its place in the log.
    pub position: i64,
    /// The event's id.
    pub event_id: Uuid,
    /// The aggregate's id.
    pub subject: String,
    /// The event's name.
    #[serde(rename = "type")]
    pub kind: String,
    /// The time at which it was put aside (UTC).
    pub at: Timestamp,
    /// The reason, in the words of the bus.
    pub reason: String,
}

/// The outcome of a look into the outbox.
#[derive(Debug)]
pub enum DrainOutcome {
    /// There is nothing to send.
    Empty,
    /// Another process is sending, and may not see what has just been committed.
    Contended,
    /// Some entries were offered, and this became of them.
    Drained(SendReport),
}

/// A store of entries to be sent: the table, or one in a simulation.
pub trait OutboxStore: Send + Sync {
    /// Offers the oldest entries to `send` and writes down what became of them, in one transaction beside which no other drains.
    /// Those that were sent are deleted, those that were refused are parked, and the others stay as they are.
    ///
    /// # Errors
    /// When the database cannot be reached or breaks away: whatever was sent will then be sent again, under the same ids.
    fn drain<F>(
        &self,
        send: impl FnOnce(Vec<OutboxEntry>) -> F + Send,
    ) -> impl Future<Output = Result<DrainOutcome, PostgresError>> + Send
    where
        F: Future<Output = SendReport> + Send;
}

/// The outbox, over one connection of its own.
#[derive(Debug)]
pub struct Outbox {
    pool: ConnectionPool<()>,
    /// Held by the user of the connection: a drain may keep it for as long as the bus takes, longer than the pool would wait.
    turn: Mutex<()>,
}

impl Outbox {
    /// Connects when first used.
    #[must_use]
    pub fn new(target: PostgresTarget) -> Self {
        Self {
            pool: ConnectionPool::for_schema(NEEDED_SCHEMA, target, 1),
            turn: Mutex::new(()),
        }
    }

    /// The same, and its errors are reported to this condition.
    #[must_use]
    pub fn reporting_to(self, condition: &Arc<StoreCondition>) -> Self {
        let pool = self.pool.reporting_to(condition);
        Self { pool, ..self }
    }

    /// Forgets up to 1 000 idempotency keys that are older than a day, and returns their number.
    ///
    /// # Errors
    /// When the database cannot be reached; the next sweep goes on.
    pub async fn expire_keys(&self) -> Result<u64, PostgresError> {
        self.delete(EXPIRE_KEYS).await
    }

    /// Forgets up to 1 000 rows that were not fetched for a day, and returns their number: for a deployment without a bus.
    /// Their events stay in the log; a bus that comes later can be sent a replay.
    ///
    /// # Errors
    /// When the database cannot be reached; the next sweep goes on.
    pub async fn forget_untold(&self) -> Result<u64, PostgresError> {
        self.delete(FORGET_UNTOLD).await
    }

    /// The first hundred rows that the bus has refused, oldest first.
    ///
    /// # Errors
    /// When the database cannot be reached.
    pub async fn parked(&self) -> Result<Vec<ParkedEntry>, PostgresError> {
        let _turn = self.turn.lock().await;
        let rows = self.pool.acquire().await?.query(PARKED, &[]).await?;
        let parked = |row: &Row| {
            Ok(ParkedEntry {
                position: row.try_get("position")?,
                event_id: row.try_get("event_id")?,
                subject: row.try_get("stream")?,
                kind: row.try_get("type")?,
                at: row.try_get("parked_at")?,
                reason: row.try_get("reason")?,
            })
        };
        rows.iter().map(parked).collect()
    }

    /// Lets the relay try rows again that the bus has refused: these, or all of them; how many there were.
    ///
    /// # Errors
    /// When the database cannot be reached.
    pub async fn retry(&self, positions: Option<&[i64]>) -> Result<u64, PostgresError> {
        let _turn = self.turn.lock().await;
        self.pool.acquire().await?.execute(RETRY, &[&positions]).await
    }

    async fn delete(&self, sql: &str) -> Result<u64, PostgresError> {
        let _turn = self.turn.lock().await;
        self.pool.acquire().await?.execute(sql, &[]).await
    }
}

impl OutboxStore for Outbox {
    async fn drain<F>(
        &self,
        send: impl FnOnce(Vec<OutboxEntry>) -> F + Send,
    ) -> Result<DrainOutcome, PostgresError>
    where
        F: Future<Output = SendReport> + Send,
    {
        let _turn = self.turn.lock().await;
        let mut connection = self.pool.acquire().await?;
        // The lock lasts as long as the transaction: it ends with this process, and with the connection, by itself.
        connection.begin(BEGIN).await?;
        let locked = connection.query_one(LOCK, &[]).await?;
        if !locked.try_get::<_, bool>(0)? {
            connection.end("rollback").await?;
            return Ok(DrainOutcome::Contended);
        }
        let rows = connection.query(&next_entries(), &[&MOST_ROWS]).await?;
        if rows.is_empty() {
            connection.end("rollback").await?;
            return Ok(DrainOutcome::Empty);
        }
        // One that cannot be read is put aside by its name: it would hold up all others for ever.
        let (mut ready, mut unreadable) = (Vec::with_capacity(rows.len()), Vec::new());
        for row in &rows {
            match read_entry(row) {
                Ok(entry) => ready.push(entry),
                Err(error) => unreadable.push(refused(&error)),
            }
        }
        // Within the transaction: whatever ends it before the commit, the rows stay and are sent again.
        let mut report = send(ready).await;
        report.refused.extend(unreadable);
        note(&mut connection, &report).await?;
        connection.end("commit").await?;
        Ok(DrainOutcome::Drained(report))
    }
}

/// The statement that reads what waits, oldest first.
fn next_entries() -> String {
    format!(
        "select {EVENT_COLUMNS} from write_model.outbox o join write_model.events e using (position)
         where o.parked_at is null order by o.position limit $1::bigint"
    )
}

fn refused(error: &UnreadableEntry) -> RefusedMessage {
    RefusedMessage {
        key: error.position,
        reason: error.to_string(),
    }
}

/// Writes down what became of the entries.
async fn note(connection: &mut PooledConnection<'_, ()>, report: &SendReport) -> Result<(), PostgresError> {
    connection.execute(DELETE, &[&report.sent]).await?;
    for RefusedMessage { key, reason } in &report.refused {
        connection.execute(PARK, &[key, reason]).await?;
    }
    Ok(())
}
