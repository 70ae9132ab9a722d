//! A few lazy connections to PostgreSQL, with S1 and the shapes of S2 that were needed prepared on each.
//! Never retries a statement and never keeps session state: a connection that failed is dropped, the next one is new.

use std::{
    collections::{HashMap, hash_map::Entry},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{
    sync::{Semaphore, SemaphorePermit},
    time::timeout,
};
use tokio_postgres::{
    Client, Config, NoTls, Row,
    error::SqlState,
    types::{Json, ToSql},
};
use uuid::Uuid;

use super::{
    change::ChangeSet,
    migrate::NEEDED_SCHEMA,
    snapshot::{Reads, Snapshot},
    statement::{self, Shape, Statement},
};
use crate::domain::{event::StockLevel, value::Sku};

/// Longest wait for a free connection, for a new one, and for an answer. The role's statement_timeout is shorter.
const PATIENCE: Duration = Duration::from_secs(3);

/// Most shapes of S2 that a connection keeps prepared: each plan takes memory of the server. A shop needs some twenty.
const MOST_SHAPES: usize = 64;

/// Connections of this process for commands; opened when first needed.
#[derive(Debug)]
pub struct Pool {
    config: Config,
    slots: Semaphore,
    idle: Mutex<Vec<Session>>,
}

/// Why there was no answer from the database.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// No connection could be had, so nothing was asked.
    #[error("PostgreSQL cannot be reached: {0}")]
    Unreachable(String),
    /// The statement was sent and its answer never came: it may or may not have happened.
    #[error("the connection to PostgreSQL was lost: {0}")]
    Lost(String),
    /// The schema is older than this binary needs: `handler migrate` has not run.
    #[error(
        "the schema write_model is at version {found}, and {NEEDED_SCHEMA} is needed: run `handler migrate`"
    )]
    OldSchema {
        /// The version that was found; 0 for none.
        found: i32,
    },
    /// The database answered with an error.
    #[error("PostgreSQL refused: {}", describe(.0))]
    Refused(#[source] tokio_postgres::Error),
}

#[derive(Debug)]
pub(super) struct Session {
    pub(super) client: Client,
    read: tokio_postgres::Statement,
    /// S2 in the shapes that were needed so far.
    writes: HashMap<Shape, (Statement, tokio_postgres::Statement)>,
}

/// One connection, given back when dropped unless it is broken.
#[derive(Debug)]
pub(super) struct Lease<'a> {
    session: Option<Session>,
    pool: &'a Pool,
    _slot: SemaphorePermit<'a>,
}

impl Pool {
    /// A pool of at most `size` connections; opens none.
    #[must_use]
    pub fn new(config: Config, size: usize) -> Self {
        Self {
            config,
            slots: Semaphore::new(size),
            idle: Mutex::new(Vec::new()),
        }
    }

    /// True when a connection answers now.
    pub async fn answers(&self) -> bool {
        // Whoever has them is being answered, and health must not stand in the way of commands.
        if self.slots.available_permits() == 0 {
            return true;
        }
        match self.lease().await {
            Ok(mut lease) => lease.stock_of(&[]).await.is_ok(),
            Err(_) => false,
        }
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Session>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A connection of one's own until the lease is dropped.
    pub(super) async fn lease(&self) -> Result<Lease<'_>, Fault> {
        let unreachable = |why: &str| Fault::Unreachable(why.to_owned());
        let slot = timeout(PATIENCE, self.slots.acquire())
            .await
            .map_err(|_| unreachable("all connections are busy"))?;
        let slot = slot.map_err(|_| unreachable("the pool is closed"))?;
        let kept = self.idle().pop();
        let session = match kept.filter(|session| !session.client.is_closed()) {
            Some(session) => session,
            None => match timeout(PATIENCE, connect(&self.config)).await {
                Ok(connected) => connected?,
                Err(_) => return Err(unreachable("it did not answer in time")),
            },
        };
        Ok(Lease {
            session: Some(session),
            pool: self,
            _slot: slot,
        })
    }
}

impl Lease<'_> {
    /// S1.
    pub(super) async fn read(&mut self, reads: &Reads) -> Result<Snapshot, Fault> {
        let Reads {
            orders,
            customers,
            skus,
            callers,
            keys,
        } = reads;
        let parameters: [&(dyn ToSql + Sync); 5] = [orders, customers, skus, callers, keys];
        let row = self
            .ask(async |s| s.client.query_one(&s.read, &parameters).await)
            .await?;
        Snapshot::from_row(&row).map_err(Fault::Refused)
    }

    /// S2; answers with the stock levels after it.
    pub(super) async fn write(&mut self, changes: &ChangeSet) -> Result<Vec<StockLevel>, Fault> {
        let rows = self
            .ask(async |Session { client, writes, .. }| {
                let shape = statement::shape(changes);
                if writes.len() >= MOST_SHAPES && !writes.contains_key(&shape) {
                    writes.clear();
                }
                let (statement, prepared) = match writes.entry(shape) {
                    Entry::Occupied(known) => known.into_mut(),
                    Entry::Vacant(new) => {
                        let statement = Statement::of(shape);
                        let prepared = client.prepare(&statement.sql).await?;
                        new.insert((statement, prepared))
                    }
                };
                // A name that is unknown would leave no values, and be an error of the client; a test excludes it.
                let values = statement.values(changes).unwrap_or_default();
                let values: Vec<&(dyn ToSql + Sync)> = values.iter().map(|value| &**value as _).collect();
                client.query(prepared, &values).await
            })
            .await?;
        rows.iter().map(level).collect()
    }

    /// Stock levels of those of these events that are in the log.
    pub(super) async fn stock_of(
        &mut self,
        events: &[Uuid],
    ) -> Result<HashMap<Uuid, Vec<StockLevel>>, Fault> {
        const FIND: &str =
            "select event_id, coalesce(stock, '[]') from write_model.events where event_id = any($1)";
        let rows = self.ask(async |s| s.client.query(FIND, &[&events]).await).await?;
        let entry = |row: &Row| {
            let Json(stock) = row.try_get(1)?;
            Ok((row.try_get(0)?, stock))
        };
        rows.iter()
            .map(entry)
            .collect::<Result<_, _>>()
            .map_err(Fault::Refused)
    }

    /// Runs one statement; a connection that breaks or is too slow is never used again.
    pub(super) async fn ask<T>(
        &mut self,
        run: impl AsyncFnOnce(&mut Session) -> Result<T, tokio_postgres::Error>,
    ) -> Result<T, Fault> {
        let Some(mut session) = self.session.take() else {
            return Err(Fault::Unreachable("this connection broke earlier".to_owned()));
        };
        let fault = match timeout(PATIENCE, run(&mut session)).await {
            Err(_) => Fault::Lost("no answer in time".to_owned()),
            Ok(Err(error)) if is_lost(&error) => Fault::Lost(describe(&error)),
            // Its statements were prepared before something changed: a new connection prepares them again.
            Ok(Err(error)) if OUTDATED.contains(&code(&error)) => return Err(Fault::Refused(error)),
            Ok(answer) => {
                self.session = Some(session);
                return answer.map_err(Fault::Refused);
            }
        };
        // What has cut this one off may have cut off the idle ones too, unnoticed.
        self.pool.idle().clear();
        Err(fault)
    }
}

impl Drop for Lease<'_> {
    fn drop(&mut self) {
        if let Some(session) = self.session.take() {
            self.pool.idle().push(session);
        }
    }
}

/// A prepared statement that is not there, or whose result would have other columns by now.
const OUTDATED: [&str; 2] = ["26000", "0A000"];

/// True when the connection broke, or the server is about to break it.
fn is_lost(error: &tokio_postgres::Error) -> bool {
    error
        .as_db_error()
        .is_none_or(|refused| refused.code().code().starts_with("57P"))
}

fn code(error: &tokio_postgres::Error) -> &str {
    error.code().map(SqlState::code).unwrap_or_default()
}

async fn connect(config: &Config) -> Result<Session, Fault> {
    const VERSION: &str = "select max(version) from write_model.schema_version";
    let fault = |error: tokio_postgres::Error| match error.as_db_error() {
        Some(_) => Fault::Refused(error),
        None => Fault::Unreachable(describe(&error)),
    };
    let (client, connection) = config.connect(NoTls).await.map_err(fault)?;
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::warn!(error = %describe(&error), "database_connection_closed");
        }
    });
    let found = match client.query_one(VERSION, &[]).await {
        Ok(row) => row
            .try_get::<_, Option<i32>>(0)
            .map_err(Fault::Refused)?
            .unwrap_or_default(),
        // There is no such table, or no such schema.
        Err(error) if ["42P01", "3F000"].contains(&code(&error)) => 0,
        Err(error) => return Err(fault(error)),
    };
    if found < NEEDED_SCHEMA {
        return Err(Fault::OldSchema { found });
    }
    let read = client.prepare(include_str!("s1_read.sql")).await.map_err(fault)?;
    Ok(Session {
        client,
        read,
        writes: HashMap::new(),
    })
}

/// A row of what S2 returns. It has happened by then: what cannot be read is a lost answer.
fn level(row: &Row) -> Result<StockLevel, Fault> {
    let lost = |error: tokio_postgres::Error| Fault::Lost(describe(&error));
    let sku: String = row.try_get("sku").map_err(lost)?;
    Ok(StockLevel {
        sku: Sku::try_from(sku).map_err(|why| Fault::Lost(format!("a SKU that cannot be: {why}")))?,
        available: row.try_get("available").map_err(lost)?,
        seq: row.try_get("seq").map_err(lost)?,
    })
}

/// The error with its causes: tokio-postgres keeps the telling part in the source.
pub(super) fn describe(error: &tokio_postgres::Error) -> String {
    match std::error::Error::source(error) {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    }
}
