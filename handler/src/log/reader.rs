//! The log over connections of its own, with what operators look at. What jobs read of it: `store`.
//! Never holds a transaction over two statements.

use tokio_postgres::Row;

use super::{
    backlog::{COUNT_BACKLOG, OutboxBacklog},
    entry::{EVENT_COLUMNS, EntryResult, read_entry},
    trace::{TRACE, TracedEvent},
};
use crate::postgres::{ConnectionPool, NeededSchema, PostgresError, PostgresTarget, SqlParameters};

/// The oldest schema that has everything that is read here.
const NEEDED_SCHEMA: NeededSchema = NeededSchema::WriteModel(3);
/// Connections for reading it.
const CONNECTIONS: usize = 2;

const LAST: &str = "select coalesce(max(position), 0) from write_model.events";

/// The log, over connections of its own.
#[derive(Debug)]
pub struct EventLog {
    pool: ConnectionPool<()>,
}

/// Errors of all of them: see [`PostgresError`].
#[expect(clippy::missing_errors_doc, reason = "said once, above")]
impl EventLog {
    /// Connects when first used.
    #[must_use]
    pub fn new(target: PostgresTarget) -> Self {
        Self {
            pool: ConnectionPool::for_schema(NEEDED_SCHEMA, target, CONNECTIONS),
        }
    }

    /// The last position that can be seen now; 0 of an empty log.
    pub(super) async fn last_position(&self) -> Result<i64, PostgresError> {
        let rows = self.rows(LAST, &[]).await?;
        Ok(rows.first().map_or(Ok(0), |row| row.try_get(0))?)
    }

    /// An aggregate's events with what the tables beside the log say of them, by version.
    pub async fn trace(&self, stream: &str) -> Result<Vec<TracedEvent>, PostgresError> {
        let rows = self.rows(TRACE, &[&stream]).await?;
        rows.iter().map(TracedEvent::read).collect()
    }

    /// The backlog of the outbox.
    pub async fn backlog(&self) -> Result<Option<OutboxBacklog>, PostgresError> {
        let rows = self.rows(COUNT_BACKLOG, &[]).await?;
        rows.first().map(OutboxBacklog::read).transpose()
    }

    /// The entries for which a condition holds, in the order and up to the number that it ends with.
    pub(super) async fn entries(
        &self,
        of: &str,
        parameters: SqlParameters<'_>,
    ) -> Result<Vec<EntryResult>, PostgresError> {
        let sql = format!("select {EVENT_COLUMNS} from write_model.events where {of}");
        Ok(self
            .rows(&sql, parameters)
            .await?
            .iter()
            .map(read_entry)
            .collect())
    }

    pub(super) async fn rows(
        &self,
        sql: &str,
        parameters: SqlParameters<'_>,
    ) -> Result<Vec<Row>, PostgresError> {
        self.pool.acquire().await?.query(sql, parameters).await
    }
}
