//! A few lazy connections to PostgreSQL, with the two statements of a command prepared on each.
//! Never retries a statement and never keeps session state: a connection that failed is dropped, the next one is new.

use std::{sync::Mutex, time::Duration};

use serde_json::Value;
use tokio::{
    sync::{Semaphore, SemaphorePermit},
    time::timeout,
};
use tokio_postgres::{
    Client, Config, NoTls, Row, Statement,
    types::{Json, ToSql},
};
use uuid::Uuid;

use super::{change::ChangeSet, command::Context};

/// Longest wait for a free connection, for a new one, and for an answer. The role's statement_timeout is shorter.
const PATIENCE: Duration = Duration::from_secs(3);

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
    /// The database answered with an error.
    #[error("PostgreSQL refused: {}", describe(.0))]
    Refused(#[source] tokio_postgres::Error),
}

#[derive(Debug)]
struct Session {
    client: Client,
    read: Statement,
    write: Statement,
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
        match self.lease().await {
            Ok(mut lease) => lease.version_of(Uuid::nil()).await.is_ok(),
            Err(_) => false,
        }
    }

    /// A connection of one's own until the lease is dropped.
    pub(super) async fn lease(&self) -> Result<Lease<'_>, Fault> {
        let unreachable = |why: &str| Fault::Unreachable(why.to_owned());
        let slot = timeout(PATIENCE, self.slots.acquire())
            .await
            .map_err(|_| unreachable("all connections are busy"))?;
        let slot = slot.map_err(|_| unreachable("the pool is closed"))?;
        let kept = self
            .idle
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .pop();
        let session = match kept.filter(|session| !session.client.is_closed()) {
            Some(session) => session,
            None => timeout(PATIENCE, connect(&self.config))
                .await
                .map_err(|_| unreachable("it did not answer in time"))?
                .map_err(|error| match error.as_db_error() {
                    Some(_) => Fault::Refused(error),
                    None => Fault::Unreachable(describe(&error)),
                })?,
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
    pub(super) async fn read(
        &mut self,
        reads: (Option<Uuid>, Option<Uuid>, Vec<&str>),
        context: &Context,
    ) -> Result<Row, Fault> {
        let (order, customer, skus) = reads;
        let key = context.once.as_ref().map(|once| once.key.as_str());
        self.ask(async |s| {
            let parameters: [&(dyn ToSql + Sync); 5] = [&order, &customer, &skus, &context.caller, &key];
            s.client.query_one(&s.read, &parameters).await
        })
        .await
    }

    /// S2; answers with the stock levels after it, by event id.
    pub(super) async fn write(&mut self, changes: &ChangeSet) -> Result<Value, Fault> {
        let row = self
            .ask(async |s| s.client.query_one(&s.write, &[&Json(changes)]).await)
            .await?;
        row.try_get(0).map_err(Fault::Refused)
    }

    /// Stock levels of the event with this id, or `None` when there is no such event.
    pub(super) async fn version_of(&mut self, event_id: Uuid) -> Result<Option<Value>, Fault> {
        const FIND: &str = "select coalesce(stock, '[]') from write_model.events where event_id = $1";
        let row = self
            .ask(async |s| s.client.query_opt(FIND, &[&event_id]).await)
            .await?;
        row.map(|row| row.try_get(0)).transpose().map_err(Fault::Refused)
    }

    /// Runs one statement; a connection that breaks or is too slow is never used again.
    async fn ask<T>(
        &mut self,
        run: impl AsyncFnOnce(&Session) -> Result<T, tokio_postgres::Error>,
    ) -> Result<T, Fault> {
        let Some(session) = self.session.take() else {
            return Err(Fault::Unreachable("this connection broke earlier".to_owned()));
        };
        match timeout(PATIENCE, run(&session)).await {
            Err(_) => Err(Fault::Lost("no answer in time".to_owned())),
            Ok(Err(error))
                if error
                    .as_db_error()
                    .is_none_or(|e| e.code().code().starts_with("57P")) =>
            {
                Err(Fault::Lost(describe(&error)))
            }
            Ok(answer) => {
                self.session = Some(session);
                answer.map_err(Fault::Refused)
            }
        }
    }
}

impl Drop for Lease<'_> {
    fn drop(&mut self) {
        if let Some(session) = self.session.take() {
            self.pool
                .idle
                .lock()
                .unwrap_or_else(std::sync::PoisonError::into_inner)
                .push(session);
        }
    }
}

async fn connect(config: &Config) -> Result<Session, tokio_postgres::Error> {
    let (client, connection) = config.connect(NoTls).await?;
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::warn!(error = %describe(&error), "database_connection_closed");
        }
    });
    let read = client.prepare(include_str!("s1_read.sql")).await?;
    let write = client.prepare(include_str!("s2_write.sql")).await?;
    Ok(Session { client, read, write })
}

/// The error with its causes: tokio-postgres keeps the telling part in the source.
pub(super) fn describe(error: &tokio_postgres::Error) -> String {
    match std::error::Error::source(error) {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    }
}
