//! The log as jobs read it: a seam, with the table on one side and a simulated log on the other.
//! Never has a way to write.

use tokio_postgres::Row;

use super::{
    entry::EntryResult,
    reader::EventLog,
    selection::{self, EventSelection, PositionRange, SelectedPage, SelectionCount},
};
use crate::{
    domain::{
        event::{EventType, SALE_TYPES, StockLevel},
        value::Sku,
    },
    postgres::PostgresError,
};

const STREAMS: &str = "
    select stream from write_model.events where stream > $1::text and version = 1 and position <= $2::bigint
    order by stream limit $3::bigint";
const ABSENT: &str = "
    select s.stream from unnest($1::text[]) as s (stream)
    where not exists (select from write_model.events e where e.stream = s.stream and e.version = 1)";
const STOCK: &str = "select available, seq from write_model.stock where sku = $1::text";

/// The events in the order of their positions, and the stock beside them.
///
/// Errors of all of them: see [`PostgresError`].
pub trait LogStore: Send + Sync {
    /// The last position that can be seen now; 0 of an empty log.
    fn last(&self) -> impl Future<Output = Result<i64, PostgresError>> + Send;

    /// The next entries by position, from after one position to another one, at most so many.
    fn page(
        &self,
        after: i64,
        until: i64,
        most: i64,
    ) -> impl Future<Output = Result<Vec<EntryResult>, PostgresError>> + Send;

    /// The payments and cancellations from after one position to another one.
    fn sales(
        &self,
        after: i64,
        until: i64,
    ) -> impl Future<Output = Result<Vec<EntryResult>, PostgresError>> + Send;

    /// The entries of one aggregate after a version, by version, at most so many.
    fn stream(
        &self,
        id: &str,
        after: i64,
        most: i64,
    ) -> impl Future<Output = Result<Vec<EntryResult>, PostgresError>> + Send;

    /// The next aggregates' ids in the store's order of text, of those that began up to a position, at most so many.
    fn streams(
        &self,
        after: &str,
        until: i64,
        most: i64,
    ) -> impl Future<Output = Result<Vec<String>, PostgresError>> + Send;

    /// Those of these ids that no aggregate has.
    fn absent(&self, ids: &[String]) -> impl Future<Output = Result<Vec<String>, PostgresError>> + Send;

    /// The stock of a SKU now.
    fn stock(&self, sku: &Sku) -> impl Future<Output = Result<Option<StockLevel>, PostgresError>> + Send;

    /// The positions of the selected events, as far as that can be told at once: none that comes later is meant.
    fn bounds(
        &self,
        of: &EventSelection,
    ) -> impl Future<Output = Result<PositionRange, PostgresError>> + Send;

    /// Adds the events selected in the first part of a range to a count, and returns the last position of that part.
    fn count(
        &self,
        of: &EventSelection,
        range: PositionRange,
        count: &mut SelectionCount,
    ) -> impl Future<Output = Result<i64, PostgresError>> + Send;

    /// The next selected events of a range, at most so many.
    fn select(
        &self,
        of: &EventSelection,
        range: PositionRange,
        most: i64,
    ) -> impl Future<Output = Result<SelectedPage, PostgresError>> + Send;
}

impl LogStore for EventLog {
    async fn last(&self) -> Result<i64, PostgresError> {
        self.last_position().await
    }

    async fn page(&self, after: i64, until: i64, most: i64) -> Result<Vec<EntryResult>, PostgresError> {
        let of = "position > $1::bigint and position <= $2::bigint order by position limit $3::bigint";
        self.entries(of, &[&after, &until, &most]).await
    }

    async fn sales(&self, after: i64, until: i64) -> Result<Vec<EntryResult>, PostgresError> {
        let of = "position > $1::bigint and position <= $2::bigint
            and type = any($3::text[]) order by position";
        let types = SALE_TYPES.map(EventType::name);
        self.entries(of, &[&after, &until, &types.as_slice()]).await
    }

    async fn stream(&self, id: &str, after: i64, most: i64) -> Result<Vec<EntryResult>, PostgresError> {
        let of = "stream = $1::text and version > $2::bigint order by version limit $3::bigint";
        self.entries(of, &[&id, &after, &most]).await
    }

    async fn streams(&self, after: &str, until: i64, most: i64) -> Result<Vec<String>, PostgresError> {
        let rows = self.rows(STREAMS, &[&after, &until, &most]).await?;
        texts(&rows)
    }

    async fn absent(&self, ids: &[String]) -> Result<Vec<String>, PostgresError> {
        let rows = self.rows(ABSENT, &[&ids]).await?;
        texts(&rows)
    }

    async fn stock(&self, sku: &Sku) -> Result<Option<StockLevel>, PostgresError> {
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

    async fn bounds(&self, of: &EventSelection) -> Result<PositionRange, PostgresError> {
        selection::bounds(self, of).await
    }

    async fn count(
        &self,
        of: &EventSelection,
        range: PositionRange,
        count: &mut SelectionCount,
    ) -> Result<i64, PostgresError> {
        selection::count(self, of, range, count).await
    }

    async fn select(
        &self,
        of: &EventSelection,
        range: PositionRange,
        most: i64,
    ) -> Result<SelectedPage, PostgresError> {
        selection::select(self, of, range, most).await
    }
}

fn texts(rows: &[Row]) -> Result<Vec<String>, PostgresError> {
    rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
}
