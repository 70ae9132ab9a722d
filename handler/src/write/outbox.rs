//! The events that the bus has not got yet: read in order under one lock of the whole deployment, deleted when sent; and
//! the other rows that time makes superfluous.
//! Never sends anything itself, and never deletes a row that was not reported sent.

use std::time::Duration;

use tokio::{sync::Mutex, time::timeout};
use tokio_postgres::{Client, Config, NoTls, Row};

use super::pool::{Fault, describe};
use crate::domain::event::Recorded;

/// Most rows of one drain.
const MOST_ROWS: i64 = 500;
/// Longest wait for the database. The role's statement_timeout is shorter.
const PATIENCE: Duration = Duration::from_secs(3);

/// Only one drainer in the whole deployment, so that each aggregate's messages leave in version order. The lock and
/// the read are two statements: a snapshot taken before the lock could still show rows that were just sent.
/// The timeout frees the lock when we vanish while sending.
const BEGIN: &str = "begin; set local idle_in_transaction_session_timeout = '30s'";
const LOCK: &str = "select pg_try_advisory_xact_lock(715001)";
const READ: &str = "
    select o.position, e.event_id, e.stream, e.version, e.type, e.data, e.state, coalesce(e.stock, 'null') as stock,
        e.metadata->>'traceparent' as traceparent, e.occurred_at
    from write_model.outbox o join write_model.events e using (position)
    where o.parked_at is null order by o.position limit $1";
const DELETE: &str = "delete from write_model.outbox where position = any($1)";
const PARK: &str = "update write_model.outbox set parked_at = now(), reason = $2 where position = $1";

/// Small steps, so that no sweep holds locks for long.
const EXPIRE_KEYS: &str = "
    delete from write_model.idempotency_keys where (caller, key) in (
        select caller, key from write_model.idempotency_keys where at < now() - interval '24 hours' order by at limit 1000)";

/// A row of the outbox with its event.
#[derive(Debug)]
pub struct Pending {
    /// Its place in the log.
    pub position: i64,
    /// What is to be sent.
    pub event: Recorded,
}

/// What became of the rows that were offered; those not named stay as they are.
#[derive(Debug, Default)]
pub struct Verdict {
    /// Positions that the bus has.
    pub sent: Vec<i64>,
    /// Positions that the bus will never take, and why.
    pub parked: Vec<(i64, String)>,
    /// Why sending ended before the rest, if it did.
    pub stopped: Option<String>,
}

/// What a look into the outbox came to.
#[derive(Debug)]
pub enum Drained {
    /// There is nothing to send.
    Empty,
    /// Another process is sending, and may not see what has just been committed.
    Busy,
    /// There was something, and this became of it.
    Rows(Verdict),
}

/// The outbox, over one connection of its own.
#[derive(Debug)]
pub struct Outbox {
    config: Config,
    idle: Mutex<Option<Client>>,
}

impl Outbox {
    /// Connects when first used.
    #[must_use]
    pub fn new(config: Config) -> Self {
        Self {
            config,
            idle: Mutex::new(None),
        }
    }

    /// Offers the oldest rows to `send` and writes down what became of them, in one transaction.
    ///
    /// # Errors
    /// When the database cannot be reached or breaks away: whatever was sent will then be sent again, under the same ids.
    pub async fn drain(&self, send: impl AsyncFnOnce(Vec<Pending>) -> Verdict) -> Result<Drained, Fault> {
        let mut idle = self.idle.lock().await;
        let client = self.connected(idle.take()).await?;
        // Until it is put back, an error drops the connection, and with it the transaction.
        let verdict = drain_on(&client, send).await?;
        *idle = Some(client);
        Ok(verdict)
    }

    /// Forgets up to 1 000 idempotency keys that are older than a day, and returns how many.
    ///
    /// # Errors
    /// When the database cannot be reached; the next sweep goes on.
    pub async fn expire_keys(&self) -> Result<u64, Fault> {
        let mut idle = self.idle.lock().await;
        let client = self.connected(idle.take()).await?;
        let expired = ask(client.execute(EXPIRE_KEYS, &[])).await?;
        *idle = Some(client);
        Ok(expired)
    }

    /// The connection of the last time, or a new one when it has broken meanwhile.
    async fn connected(&self, idle: Option<Client>) -> Result<Client, Fault> {
        match idle.filter(|client| !client.is_closed()) {
            Some(client) => Ok(client),
            None => connect(&self.config).await,
        }
    }
}

async fn drain_on(
    client: &Client,
    send: impl AsyncFnOnce(Vec<Pending>) -> Verdict,
) -> Result<Drained, Fault> {
    ask(client.batch_execute(BEGIN)).await?;
    let locked = ask(client.query_one(LOCK, &[])).await?;
    if !locked.try_get::<_, bool>(0).map_err(Fault::Refused)? {
        ask(client.batch_execute("rollback")).await?;
        return Ok(Drained::Busy);
    }
    let rows = ask(client.query(READ, &[&MOST_ROWS])).await?;
    if rows.is_empty() {
        ask(client.batch_execute("rollback")).await?;
        return Ok(Drained::Empty);
    }
    let pending = rows
        .iter()
        .map(pending)
        .collect::<Result<Vec<_>, _>>()
        .map_err(Fault::Refused)?;
    let verdict = send(pending).await;
    ask(client.execute(DELETE, &[&verdict.sent])).await?;
    for (position, reason) in &verdict.parked {
        ask(client.execute(PARK, &[position, reason])).await?;
    }
    ask(client.batch_execute("commit")).await?;
    Ok(Drained::Rows(verdict))
}

fn pending(row: &Row) -> Result<Pending, tokio_postgres::Error> {
    Ok(Pending {
        position: row.try_get("position")?,
        event: Recorded {
            event_id: row.try_get("event_id")?,
            subject: row.try_get("stream")?,
            version: row.try_get("version")?,
            kind: row.try_get("type")?,
            data: row.try_get("data")?,
            state: row.try_get("state")?,
            stock: row.try_get("stock")?,
            traceparent: row.try_get("traceparent")?,
            occurred_at: row.try_get("occurred_at")?,
        },
    })
}

async fn connect(config: &Config) -> Result<Client, Fault> {
    let connected = timeout(PATIENCE, config.connect(NoTls)).await;
    let (client, connection) = connected
        .map_err(|_| Fault::Unreachable("it did not answer in time".to_owned()))?
        .map_err(|error| Fault::Unreachable(describe(&error)))?;
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(error = %describe(&error), "outbox_connection_closed");
        }
    });
    Ok(client)
}

async fn ask<T>(statement: impl Future<Output = Result<T, tokio_postgres::Error>>) -> Result<T, Fault> {
    match timeout(PATIENCE, statement).await {
        Err(_) => Err(Fault::Lost("no answer in time".to_owned())),
        Ok(Err(error)) if error.as_db_error().is_none() => Err(Fault::Lost(describe(&error))),
        Ok(answer) => answer.map_err(Fault::Refused),
    }
}
