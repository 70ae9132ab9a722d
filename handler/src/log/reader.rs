//! The log over connections of its own, and one method for each way to read it.
//! Never holds a transaction over two pages.

use tokio_postgres::{Config, Row};

use super::{
    backlog::{COUNT_BACKLOG, OutboxBacklog},
    entry::{EVENT_COLUMNS, EntryResult, read_entry},
    trace::{TRACE, TracedEvent},
};
use crate::{
    domain::{
        event::{EventType, SALE_TYPES, StockLevel},
        value::Sku,
    },
    postgres::{ConnectionPool, PostgresError, SqlParameters},
};

/// The oldest schema that has everything that is read here.
const NEEDED_SCHEMA: i32 = 3;
/// Connections for reading it.
const CONNECTIONS: usize = 2;

const LAST: &str = "select coalesce(max(position), 0) from write_model.events";
const STREAMS: &str = "
    select stream from write_model.events where stream > $1::text and version = 1 and position <= $2::bigint
    order by stream limit $3::bigint";
const ABSENT: &str = "
    select s.stream from unnest($1::text[]) as s (stream)
    where not exists (select from write_model.events e where e.stream = s.stream and e.version = 1)";
const STOCK: &str = "select available, seq from write_model.stock where sku = $1::text";

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
    pub fn new(config: Config) -> Self {
        Self {
            pool: ConnectionPool::for_schema(NEEDED_SCHEMA, config, CONNECTIONS),
        }
    }

    /// The last position that can be seen now; 0 of an empty log.
    pub async fn last(&self) -> Result<i64, PostgresError> {
        let rows = self.rows(LAST, &[]).await?;
        Ok(rows.first().map_or(Ok(0), |row| row.try_get(0))?)
    }

    /// The next entries by position, from after one position to another one, at most so many.
    pub async fn page(&self, after: i64, until: i64, most: i64) -> Result<Vec<EntryResult>, PostgresError> {
        let of = "position > $1::bigint and position <= $2::bigint order by position limit $3::bigint";
        self.entries(of, &[&after, &until, &most]).await
    }

    /// The payments and cancellations from after one position to another one.
    pub async fn sales(&self, after: i64, until: i64) -> Result<Vec<EntryResult>, PostgresError> {
        let of = "position > $1::bigint and position <= $2::bigint
            and type = any($3::text[]) order by position";
        let types = SALE_TYPES.map(EventType::name);
        self.entries(of, &[&after, &until, &types.as_slice()]).await
    }

    /// The entries of one aggregate after a version, by version, at most so many.
    pub async fn stream(&self, id: &str, after: i64, most: i64) -> Result<Vec<EntryResult>, PostgresError> {
        let of = "stream = $1::text and version > $2::bigint order by version limit $3::bigint";
        self.entries(of, &[&id, &after, &most]).await
    }

    /// The next aggregates' ids in the database's order of text, of those that began up to a position, at most so many.
    pub async fn streams(&self, after: &str, until: i64, most: i64) -> Result<Vec<String>, PostgresError> {
        let rows = self.rows(STREAMS, &[&after, &until, &most]).await?;
        texts(&rows)
    }

    /// Those of these ids that no aggregate has.
    pub async fn absent(&self, ids: &[String]) -> Result<Vec<String>, PostgresError> {
        let rows = self.rows(ABSENT, &[&ids]).await?;
        texts(&rows)
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

    /// The stock of a SKU now.
    pub async fn stock(&self, sku: &Sku) -> Result<Option<StockLevel>, PostgresError> {
        let rows = self.rows(STOCK, &[&sku.as_str()]).await?;
        let level = |row: &Row| {
            Ok(StockLevel {
                sku: sku.clone(),
                available: row.try_get(0)?,
                seq: row.try_get(1)?,
            })
        };
        rows.first().map(level).transpose()
    }

    /// The entries for which a condition holds, in the order and up to the number that it ends with.
    async fn entries(
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

fn texts(rows: &[Row]) -> Result<Vec<String>, PostgresError> {
    rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
}
