//! A few lazy connections, each with the statements that were prepared on it; those that nobody needs are closed.
//! Never gives a connection to two at a time, and never uses one again that broke or was too slow.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::SeqCst},
    },
    time::Duration,
};

use tokio::{
    sync::{Semaphore, SemaphorePermit},
    time::timeout,
};
use tokio_postgres::{Config, Error, Row};

use super::{
    connection::{Connection, Parameters, Pooler},
    fault::{Fault, classify},
    idle::Idle,
};
use crate::{condition::Condition, error_chain::cause};

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
    /// How often all connections were given up at once; what is of an earlier era is not used again.
    era: AtomicU64,
    /// The era that began when a statement was last found outdated; 0 when one has worked since.
    outdated: AtomicU64,
    condition: Option<Arc<Condition>>,
}

#[derive(Debug)]
struct Session<P> {
    connection: Connection,
    prepared: P,
    era: u64,
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
            era: AtomicU64::new(0),
            outdated: AtomicU64::new(0),
            condition: None,
        }
    }

    /// The same through this pooler. Only for statements that are prepared does it make a difference.
    #[must_use]
    pub fn through(self, pooler: Pooler) -> Self {
        Self { pooler, ..self }
    }

    /// The same, and what its users meet is told to this condition.
    #[must_use]
    pub fn told_to(self, condition: &Arc<Condition>) -> Self {
        let condition = Some(Arc::clone(condition));
        Self { condition, ..self }
    }

    /// A connection of one's own until the lease is dropped.
    ///
    /// # Errors
    /// [`Fault::PoolExhausted`] or [`Fault::Unreachable`] when there is none in time, and what a new one finds.
    pub async fn lease(&self) -> Result<Lease<'_, P>, Fault> {
        let slot = timeout(PATIENCE, self.slots.acquire()).await;
        let slot = slot.map_err(|_| Fault::PoolExhausted)?
            .map_err(|_| Fault::PoolExhausted)?;
        let kept = self.idle.take();
        let session = match kept.filter(|session| !session.connection.is_closed()) {
            Some(session) => session,
            None => self.open().await.inspect_err(|fault| self.tell(fault))?,
        };
        Ok(Lease {
            session: Some(session),
            in_transaction: false,
            pool: self,
            _slot: slot,
        })
    }

    async fn open(&self) -> Result<Session<P>, Fault> {
        self.idle.watch();
        let era = self.era.load(SeqCst);
        let connecting = connect(&self.config, self.pooler, self.needed);
        let late = |_| Fault::Unreachable(cause("it did not answer in time"));
        Ok(Session {
            connection: timeout(PATIENCE, connecting).await.map_err(late)??,
            prepared: P::default(),
            era,
        })
    }
}

impl<P> Pool<P> {
    /// Something has been done for which this pool is there.
    pub fn works(&self) {
        if let Some(condition) = &self.condition {
            condition.works();
        }
    }

    fn tell(&self, fault: &Fault) {
        if let Some((condition, trouble)) = self.condition.as_ref().zip(fault.trouble()) {
            condition.met(trouble);
        }
    }

    /// What a fault means for all connections: what has made this one useless may have done so to the idle ones, unnoticed.
    fn judge(&self, fault: Fault, era: u64) -> Fault {
        self.tell(&fault);
        if fault.spares_connection() {
            return fault;
        }
        let now = self.era.fetch_add(1, SeqCst) + 1;
        self.idle.clear();
        if !fault.is_outdated() {
            return fault;
        }
        let first = self.outdated.swap(now, SeqCst);
        match fault {
            Fault::Refused(error) if first > 0 && era >= first => Fault::Unsupported(error),
            fault => fault,
        }
    }

    /// What has served is kept for the next one, unless all of its era were given up meanwhile.
    fn take_back(&self, session: Session<P>) {
        if session.era >= self.outdated.load(SeqCst) {
            self.outdated.store(0, SeqCst);
        }
        if session.era == self.era.load(SeqCst) {
            self.idle.put(session);
        }
    }
}

impl<P> Lease<'_, P> {
    /// Rows of a statement.
    ///
    /// # Errors
    /// See [`Fault`], here and below.
    pub async fn query(&mut self, sql: &str, parameters: Parameters<'_>) -> Result<Vec<Row>, Fault> {
        self.ask(async |connection, _| connection.query(sql, parameters).await)
            .await
    }

    /// The one row of a statement.
    ///
    /// # Errors
    /// And when there is none, or more than one.
    pub async fn query_one(&mut self, sql: &str, parameters: Parameters<'_>) -> Result<Row, Fault> {
        self.ask(async |connection, _| connection.query_one(sql, parameters).await)
            .await
    }

    /// The number of rows that a statement has changed.
    ///
    /// # Errors
    /// See [`Fault`].
    pub async fn execute(&mut self, sql: &str, parameters: Parameters<'_>) -> Result<u64, Fault> {
        self.ask(async |connection, _| connection.execute(sql, parameters).await)
            .await
    }

    /// Runs work of one's own on the connection; one that breaks or is too slow is never used again.
    ///
    /// # Errors
    /// See [`Fault`].
    pub async fn ask<T>(
        &mut self,
        run: impl AsyncFnOnce(&Connection, &mut P) -> Result<T, Error>,
    ) -> Result<T, Fault> {
        let Some(mut session) = self.session.take() else {
            return Err(Fault::Unreachable(cause("this connection broke earlier")));
        };
        let fault = match timeout(PATIENCE, run(&session.connection, &mut session.prepared)).await {
            Err(_) => Fault::Lost(cause("no answer in time")),
            Ok(Ok(answer)) => {
                self.session = Some(session);
                return Ok(answer);
            }
            Ok(Err(error)) => classify(error),
        };
        let fault = self.pool.judge(fault, session.era);
        if fault.spares_connection() {
            self.session = Some(session);
        }
        Err(fault)
    }

    /// Closes the connection: it is of no use any more.
    pub fn give_up(mut self) {
        self.session = None;
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
            self.pool.take_back(session);
        }
    }
}

/// A connection to a server that leads, and a database whose schema is new enough. A standby that is reached after a failover
/// refuses what is written and shows what is old: it is left at once, so that the next try may find the new leader.
async fn connect(config: &Config, pooler: Pooler, needed: i32) -> Result<Connection, Fault> {
    const LOOK: &str = "select pg_is_in_recovery(), max(version) from write_model.schema_version";
    let fault = |error: Error| match error.as_db_error() {
        Some(_) => Fault::Refused(error),
        None => Fault::Unreachable(cause(error)),
    };
    let connection = Connection::open(config, pooler).await.map_err(fault)?;
    let found = match connection.query_one(LOOK, &[]).await {
        Ok(row) if row.try_get(0)? => return Err(Fault::Standby),
        Ok(row) => row.try_get::<_, Option<i32>>(1)?.unwrap_or_default(),
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
