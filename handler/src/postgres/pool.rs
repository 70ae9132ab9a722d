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
    time::{Instant, timeout},
};
use tokio_postgres::{Error, Row};

use super::{
    connect::{NeededSchema, connect},
    connection::{PoolerMode, PostgresConnection, SqlParameters},
    error::{PostgresError, classify},
    idle::IdleStack,
    target::PostgresTarget,
};
use crate::{condition::StoreCondition, error_chain::cause};

/// Longest wait for a free connection, for a new one, and for an answer. The role's statement_timeout is shorter.
const PATIENCE: Duration = Duration::from_secs(3);

/// Connections of this process for one purpose; opened when first needed. `P` holds the statements prepared on each.
#[derive(Debug)]
pub struct ConnectionPool<P> {
    target: PostgresTarget,
    pooler: PoolerMode,
    needed: NeededSchema,
    slots: Semaphore,
    idle: IdleStack<PooledSession<P>>,
    /// Grows whenever all connections are given up at once; one of an earlier era is not used again.
    era: AtomicU64,
    /// The era that began when a statement was last found outdated; 0 when one has worked since.
    outdated: AtomicU64,
    /// The store's condition, which users' errors are reported to.
    condition: Option<Arc<StoreCondition>>,
}

#[derive(Debug)]
struct PooledSession<P> {
    connection: PostgresConnection,
    prepared: P,
    era: u64,
    opened: Instant,
}

/// One connection, given back when dropped unless it is broken or in a transaction.
#[derive(Debug)]
pub struct PooledConnection<'a, P> {
    session: Option<PooledSession<P>>,
    in_transaction: bool,
    pool: &'a ConnectionPool<P>,
    _slot: SemaphorePermit<'a>,
}

impl<P: Default + Send + 'static> ConnectionPool<P> {
    /// A pool of at most `size` connections to a database whose schema has this version or a newer one; opens none.
    #[must_use]
    pub fn for_schema(needed: NeededSchema, target: PostgresTarget, size: usize) -> Self {
        Self {
            target,
            pooler: PoolerMode::None,
            needed,
            slots: Semaphore::new(size),
            idle: IdleStack::new(),
            era: AtomicU64::new(0),
            outdated: AtomicU64::new(0),
            condition: None,
        }
    }

    /// The same through this pooler. It makes a difference only for statements that are prepared.
    #[must_use]
    pub fn through(self, pooler: PoolerMode) -> Self {
        Self { pooler, ..self }
    }

    /// The same, and its users' errors are reported to this condition.
    #[must_use]
    pub fn reporting_to(self, condition: &Arc<StoreCondition>) -> Self {
        let condition = Some(Arc::clone(condition));
        Self { condition, ..self }
    }

    /// A connection of one's own until it is dropped.
    ///
    /// # Errors
    /// [`PostgresError::PoolExhausted`] or [`PostgresError::Unreachable`] when there is none in time, and what a new one finds.
    pub async fn acquire(&self) -> Result<PooledConnection<'_, P>, PostgresError> {
        let slot = timeout(PATIENCE, self.slots.acquire()).await;
        let slot = slot
            .map_err(|_| PostgresError::PoolExhausted)?
            .map_err(|_| PostgresError::PoolExhausted)?;
        let kept = self.idle.take();
        let session = match kept.filter(|session| !session.connection.is_closed()) {
            Some(session) => session,
            None => self.open().await.inspect_err(|error| self.report(error))?,
        };
        Ok(PooledConnection {
            session: Some(session),
            in_transaction: false,
            pool: self,
            _slot: slot,
        })
    }

    async fn open(&self) -> Result<PooledSession<P>, PostgresError> {
        self.idle.watch();
        // Before the connection is made: if all are given up meanwhile, this one may have been made in bad times, too.
        let era = self.era.load(SeqCst);
        let connecting = connect(&self.target, self.pooler, self.needed);
        let late = |_| PostgresError::Unreachable(cause("it did not answer in time"));
        Ok(PooledSession {
            connection: timeout(PATIENCE, connecting).await.map_err(late)??,
            prepared: P::default(),
            era,
            opened: Instant::now(),
        })
    }
}

impl<P> ConnectionPool<P> {
    /// Reports that the database has done what this pool is there for.
    pub fn report_success(&self) {
        if let Some(condition) = &self.condition {
            condition.report_success();
        }
    }

    fn report(&self, error: &PostgresError) {
        if let Some((condition, trouble)) = self.condition.as_ref().zip(error.trouble()) {
            condition.report_trouble(trouble);
        }
    }

    /// Draws the consequences of an error for all connections, and says what it is in their light.
    fn assess(&self, error: PostgresError, era: u64) -> PostgresError {
        self.report(&error);
        if error.spares_connection() {
            return error;
        }
        // What has made this connection useless may have done so to the idle ones, unnoticed.
        let now = self.era.fetch_add(1, SeqCst) + 1;
        self.idle.clear();
        if !error.is_outdated() {
            return error;
        }
        let first = self.outdated.swap(now, SeqCst);
        match error {
            // This connection was opened after the last such error: preparing again has not helped.
            PostgresError::Refused(error) if first > 0 && era >= first => PostgresError::Unsupported(error),
            error => error,
        }
    }

    /// Keeps a connection for the next user, unless it has grown old, or all of its era were given up meanwhile.
    fn take_back(&self, session: PooledSession<P>) {
        if session.era >= self.outdated.load(SeqCst) {
            self.outdated.store(0, SeqCst);
        }
        let is_young = session.opened.elapsed() < self.target.lifetime();
        if is_young && session.era == self.era.load(SeqCst) {
            self.idle.put(session);
        }
    }
}

impl<P> PooledConnection<'_, P> {
    /// Rows of a statement.
    ///
    /// # Errors
    /// See [`PostgresError`], here and below.
    pub async fn query(
        &mut self,
        sql: &str,
        parameters: SqlParameters<'_>,
    ) -> Result<Vec<Row>, PostgresError> {
        self.run(async |connection, _| connection.query(sql, parameters).await)
            .await
    }

    /// The one row of a statement.
    ///
    /// # Errors
    /// And when there is none, or more than one.
    pub async fn query_one(
        &mut self,
        sql: &str,
        parameters: SqlParameters<'_>,
    ) -> Result<Row, PostgresError> {
        self.run(async |connection, _| connection.query_one(sql, parameters).await)
            .await
    }

    /// The number of rows that a statement has changed.
    ///
    /// # Errors
    /// See [`PostgresError`].
    pub async fn execute(&mut self, sql: &str, parameters: SqlParameters<'_>) -> Result<u64, PostgresError> {
        self.run(async |connection, _| connection.execute(sql, parameters).await)
            .await
    }

    /// Runs work of one's own on the connection; one that breaks or is too slow is never used again.
    ///
    /// # Errors
    /// See [`PostgresError`].
    pub async fn run<T>(
        &mut self,
        work: impl AsyncFnOnce(&PostgresConnection, &mut P) -> Result<T, Error>,
    ) -> Result<T, PostgresError> {
        // Given back only after an answer: a caller who stops waiting leaves none, and the connection closes.
        let Some(mut session) = self.session.take() else {
            return Err(PostgresError::Unreachable(cause("this connection broke earlier")));
        };
        let error = match timeout(PATIENCE, work(&session.connection, &mut session.prepared)).await {
            Err(_) => PostgresError::Lost(cause("no answer in time")),
            Ok(Ok(answer)) => {
                self.session = Some(session);
                return Ok(answer);
            }
            Ok(Err(error)) => classify(error),
        };
        let error = self.pool.assess(error, session.era);
        if error.spares_connection() {
            self.session = Some(session);
        }
        Err(error)
    }

    /// Closes the connection: it is of no use any more.
    pub fn close(mut self) {
        self.session = None;
    }

    /// Opens a transaction by these statements. Dropped before [`Self::end`] the connection is closed, and with it the
    /// transaction, whatever the reason was.
    ///
    /// # Errors
    /// See [`PostgresError`].
    pub async fn begin(&mut self, statements: &str) -> Result<(), PostgresError> {
        // Before the statement is sent: it may succeed and its answer be lost.
        self.in_transaction = true;
        self.run(async |connection, _| connection.batch_execute(statements).await)
            .await
    }

    /// Ends the transaction by `commit` or `rollback`.
    ///
    /// # Errors
    /// See [`PostgresError`]; after [`PostgresError::Lost`] it may have been committed or not.
    pub async fn end(&mut self, statement: &str) -> Result<(), PostgresError> {
        self.run(async |connection, _| connection.batch_execute(statement).await)
            .await?;
        self.in_transaction = false;
        Ok(())
    }
}

impl<P> Drop for PooledConnection<'_, P> {
    fn drop(&mut self) {
        if let Some(session) = self.session.take()
            && !self.in_transaction
        {
            self.pool.take_back(session);
        }
    }
}
