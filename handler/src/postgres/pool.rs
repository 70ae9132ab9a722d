//! A few lazy connections, each with the statements that were prepared on it; those that nobody needs are closed.
//! Never gives a connection to two at a time, and never uses one again that broke or was too slow.

use std::time::Duration;

use tokio::{
    sync::{Semaphore, SemaphorePermit},
    time::timeout,
};
use tokio_postgres::{Config, Error};

use super::{
    connection::{Connection, Pooler},
    fault::{Fault, classify, describe},
    idle::Idle,
};

/// Longest wait for a free connection, for a new one, and for an answer. The role's statement_timeout is shorter.
const PATIENCE: Duration = Duration::from_secs(3);

/// Connections of this process for one purpose; opened when first needed. `P` is what is prepared on each.
#[derive(Debug)]
pub struct Pool<P> {
    config: Config,
    pooler: Pooler,
    needed: i32,
    slots: Semaphore,
    idle: Idle<Session<P>>,
}

#[derive(Debug)]
struct Session<P> {
    connection: Connection,
    prepared: P,
}

/// One connection, given back when dropped unless it is broken or in a transaction.
#[derive(Debug)]
pub struct Lease<'a, P> {
    session: Option<Session<P>>,
    in_transaction: bool,
    pool: &'a Pool<P>,
    _slot: SemaphorePermit<'a>,
}

impl<P: Default + Send + 'static> Pool<P> {
    /// A pool of at most `size` connections to a database whose schema has this version or a newer one; opens none.
    #[must_use]
    pub fn of_schema(needed: i32, config: Config, size: usize) -> Self {
        Self {
            config,
            pooler: Pooler::None,
            needed,
            slots: Semaphore::new(size),
            idle: Idle::new(),
        }
    }

    /// The same through this pooler. Only for statements that are prepared does it make a difference.
    #[must_use]
    pub fn through(self, pooler: Pooler) -> Self {
        Self { pooler, ..self }
    }

    /// True when this statement finds something now.
    pub async fn finds(&self, sql: &str) -> bool {
        let Ok(mut lease) = self.lease().await else {
            return false;
        };
        let rows = lease
            .ask(async |connection, _| connection.query(sql, &[]).await)
            .await;
        rows.is_ok_and(|rows| !rows.is_empty())
    }

    /// A connection of one's own until the lease is dropped.
    ///
    /// # Errors
    /// [`Fault::Unreachable`] when there is none in time, and what a new one finds.
    pub async fn lease(&self) -> Result<Lease<'_, P>, Fault> {
        let unreachable = |why: &str| Fault::Unreachable(why.to_owned());
        let slot = timeout(PATIENCE, self.slots.acquire())
            .await
            .map_err(|_| unreachable("all connections are busy"))?;
        let slot = slot.map_err(|_| unreachable("the pool is closed"))?;
        let kept = self.idle.take();
        let session = match kept.filter(|session| !session.connection.is_closed()) {
            Some(session) => session,
            None => {
                self.idle.watch();
                let connecting = connect(&self.config, self.pooler, self.needed);
                let connection = timeout(PATIENCE, connecting)
                    .await
                    .map_err(|_| unreachable("it did not answer in time"))?;
                Session {
                    connection: connection?,
                    prepared: P::default(),
                }
            }
        };
        Ok(Lease {
            session: Some(session),
            in_transaction: false,
            pool: self,
            _slot: slot,
        })
    }
}

impl<P> Lease<'_, P> {
    /// Runs one statement; a connection that breaks or is too slow is never used again.
    ///
    /// # Errors
    /// See [`Fault`].
    pub async fn ask<T>(
        &mut self,
        run: impl AsyncFnOnce(&Connection, &mut P) -> Result<T, Error>,
    ) -> Result<T, Fault> {
        self.ask_within(PATIENCE, run).await
    }

    /// Like [`Self::ask`], for a statement that may take longer.
    ///
    /// # Errors
    /// See [`Fault`].
    pub async fn ask_within<T>(
        &mut self,
        patience: Duration,
        run: impl AsyncFnOnce(&Connection, &mut P) -> Result<T, Error>,
    ) -> Result<T, Fault> {
        let Some(mut session) = self.session.take() else {
            return Err(Fault::Unreachable("this connection broke earlier".to_owned()));
        };
        let fault = match timeout(patience, run(&session.connection, &mut session.prepared)).await {
            Err(_) => Fault::Lost("no answer in time".to_owned()),
            Ok(Ok(answer)) => {
                self.session = Some(session);
                return Ok(answer);
            }
            Ok(Err(error)) => classify(error),
        };
        if matches!(fault, Fault::Lost(_)) {
            // What has cut this one off may have cut off the idle ones too, unnoticed.
            self.pool.idle.clear();
        } else if !fault.is_outdated() {
            self.session = Some(session);
        }
        Err(fault)
    }

    /// Opens a transaction by these statements. A lease that is dropped before [`Self::end`] closes its connection, and
    /// with it the transaction, whatever the reason was.
    ///
    /// # Errors
    /// See [`Fault`].
    pub async fn begin(&mut self, statements: &str) -> Result<(), Fault> {
        self.in_transaction = true;
        self.ask(async |connection, _| connection.batch_execute(statements).await)
            .await
    }

    /// Ends the transaction by `commit` or `rollback`.
    ///
    /// # Errors
    /// See [`Fault`]; after [`Fault::Lost`] nobody knows whether it was committed.
    pub async fn end(&mut self, statement: &str) -> Result<(), Fault> {
        self.ask(async |connection, _| connection.batch_execute(statement).await)
            .await?;
        self.in_transaction = false;
        Ok(())
    }
}

impl<P> Drop for Lease<'_, P> {
    fn drop(&mut self) {
        if let Some(session) = self.session.take()
            && !self.in_transaction
        {
            self.pool.idle.put(session);
        }
    }
}

async fn connect(config: &Config, pooler: Pooler, needed: i32) -> Result<Connection, Fault> {
    const VERSION: &str = "select max(version) from write_model.schema_version";
    let fault = |error: Error| match error.as_db_error() {
        Some(_) => Fault::Refused(error),
        None => Fault::Unreachable(describe(&error)),
    };
    let connection = Connection::open(config, pooler).await.map_err(fault)?;
    let found = match connection.query_one(VERSION, &[]).await {
        Ok(row) => row
            .try_get::<_, Option<i32>>(0)
            .map_err(Fault::Refused)?
            .unwrap_or_default(),
        Err(error) => match fault(error) {
            // There is no such table, or no such schema.
            refused if matches!(refused.code(), Some("42P01" | "3F000")) => 0,
            other => return Err(other),
        },
    };
    if found < needed {
        return Err(Fault::OldSchema { found, needed });
    }
    Ok(connection)
}
