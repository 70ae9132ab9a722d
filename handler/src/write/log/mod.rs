//! The event log, read from one end to the other: for rebuilds of the read model and for their proof.
//! Never a cursor over live traffic: positions of different streams become visible out of order. A scan stops at the position
//! that was the last when it began, and what comes later must reach its reader another way.

mod selected;

use time::OffsetDateTime;
use tokio_postgres::{Config, Row};
use uuid::Uuid;

pub use selected::{Found, Selection};

use super::{
    backlog::{self, Backlog},
    outbox::{Pending, Unreadable, pending},
    pool::NEEDED_SCHEMA,
};
use crate::{
    domain::{event::StockLevel, value::Sku},
    postgres::{Fault, Parameters, Pool},
};

/// Connections for reading it.
const CONNECTIONS: usize = 2;

const LAST: &str = "select coalesce(max(position), 0) from write_model.events";
const PAGE: &str = "
    select position, event_id, stream, version, type, data, state, coalesce(stock, 'null') as stock,
        metadata->>'traceparent' as traceparent, occurred_at
    from write_model.events where position > $1::bigint and position <= $2::bigint order by position limit $3::bigint";
const SALES: &str = "
    select position, event_id, stream, version, type, data, state, coalesce(stock, 'null') as stock,
        metadata->>'traceparent' as traceparent, occurred_at
    from write_model.events where position > $1::bigint and position <= $2::bigint
        and type in ('orders.OrderPaid.v1', 'orders.OrderCancelled.v1') order by position";
const STREAMS: &str = "
    select stream from write_model.events where stream > $1::text and version = 1 and position <= $2::bigint
    order by stream limit $3::bigint";
const ABSENT: &str = "
    select s.stream from unnest($1::text[]) as s (stream)
    where not exists (select from write_model.events e where e.stream = s.stream and e.version = 1)";
const STREAM: &str = "
    select position, event_id, stream, version, type, data, state, coalesce(stock, 'null') as stock,
        metadata->>'traceparent' as traceparent, occurred_at
    from write_model.events where stream = $1::text and version > $2::bigint order by version limit $3::bigint";
const HOPS: &str = "
    select e.version, e.type, e.event_id, e.occurred_at, (e.state#>>'{customer,id}')::uuid as customer, k.key,
        o.position is not null as waiting, o.parked_at is not null as parked, o.reason
    from write_model.events e
    left join write_model.outbox o on o.position = e.position
    left join lateral (
        select key from write_model.idempotency_keys
        where event_id = e.event_id and at between e.occurred_at - interval '10 seconds' and e.occurred_at + interval '10 seconds'
        limit 1) k on true
    where e.stream = $1::text order by e.version";
const STOCK: &str = "select available, seq from write_model.stock where sku = $1::text";

/// An event of the log, or the row that should be one.
pub type Read = Result<Pending, Unreadable>;

/// The log, over connections of its own.
#[derive(Debug)]
pub struct Log {
    pool: Pool<()>,
}

/// An event of an aggregate, and whether it waits to be sent.
#[derive(Debug)]
pub struct Hop {
    /// The aggregate's version after it.
    pub version: i64,
    /// Its name with its major version.
    pub kind: String,
    /// Its id.
    pub event_id: Uuid,
    /// When it happened (UTC).
    pub at: OffsetDateTime,
    /// Of an order: whose it is.
    pub customer: Option<Uuid>,
    /// The Idempotency-Key that it was asked for under, while that is kept.
    pub key: Option<String>,
    /// It is in the outbox.
    pub waiting: bool,
    /// Why the bus refuses it, if it does.
    pub parked: Option<String>,
}

/// Errors of all of them: see [`Fault`].
#[expect(clippy::missing_errors_doc, reason = "said once, above")]
impl Log {
    /// Connects when first used.
    #[must_use]
    pub fn new(config: Config) -> Self {
        Self {
            pool: Pool::of_schema(NEEDED_SCHEMA, config, CONNECTIONS),
        }
    }

    /// The last position that can be seen now; 0 of an empty log.
    pub async fn last(&self) -> Result<i64, Fault> {
        let rows = self.rows(LAST, &[]).await?;
        rows.first()
            .map_or(Ok(0), |row| row.try_get(0))
            .map_err(Fault::Refused)
    }

    /// The next events by position, from after one position to another one, at most so many.
    pub async fn page(&self, after: i64, until: i64, most: i64) -> Result<Vec<Read>, Fault> {
        self.events(PAGE, &[&after, &until, &most]).await
    }

    /// The payments and cancellations from after one position to another one.
    pub async fn sales(&self, after: i64, until: i64) -> Result<Vec<Read>, Fault> {
        self.events(SALES, &[&after, &until]).await
    }

    /// The next aggregates' ids in the database's order of text, of those that began up to a position, at most so many.
    pub async fn streams(&self, after: &str, until: i64, most: i64) -> Result<Vec<String>, Fault> {
        let rows = self.rows(STREAMS, &[&after, &until, &most]).await?;
        let read: Result<_, _> = rows.iter().map(|row| row.try_get(0)).collect();
        read.map_err(Fault::Refused)
    }

    /// Those of these ids that no aggregate has.
    pub async fn absent(&self, ids: &[String]) -> Result<Vec<String>, Fault> {
        let rows = self.rows(ABSENT, &[&ids]).await?;
        let read: Result<_, _> = rows.iter().map(|row| row.try_get(0)).collect();
        read.map_err(Fault::Refused)
    }

    /// What has happened to one aggregate after a version, by version, at most so many.
    pub async fn stream(&self, id: &str, after: i64, most: i64) -> Result<Vec<Read>, Fault> {
        self.events(STREAM, &[&id, &after, &most]).await
    }

    /// An aggregate's events with what the tables beside the log say of them, by version.
    pub async fn hops(&self, stream: &str) -> Result<Vec<Hop>, Fault> {
        let rows = self.rows(HOPS, &[&stream]).await?;
        let hop = |row: &Row| {
            let parked: bool = row.try_get("parked")?;
            let reason: Option<String> = row.try_get("reason")?;
            Ok(Hop {
                version: row.try_get("version")?,
                kind: row.try_get("type")?,
                event_id: row.try_get("event_id")?,
                at: row.try_get("occurred_at")?,
                customer: row.try_get("customer")?,
                key: row.try_get("key")?,
                waiting: row.try_get("waiting")?,
                parked: parked.then(|| reason.unwrap_or_default()),
            })
        };
        let read: Result<_, _> = rows.iter().map(hop).collect();
        read.map_err(Fault::Refused)
    }

    /// How far the bus is behind.
    pub async fn backlog(&self) -> Result<Option<Backlog>, Fault> {
        let rows = self.rows(backlog::COUNT, &[]).await?;
        rows.first().map(Backlog::of).transpose()
    }

    /// What is left of a SKU now.
    pub async fn stock(&self, sku: &Sku) -> Result<Option<StockLevel>, Fault> {
        let rows = self.rows(STOCK, &[&sku.as_str()]).await?;
        let level = |row: &Row| {
            Ok(StockLevel {
                sku: sku.clone(),
                available: row.try_get(0)?,
                seq: row.try_get(1)?,
            })
        };
        rows.first().map(level).transpose().map_err(Fault::Refused)
    }

    async fn events(&self, sql: &str, parameters: Parameters<'_>) -> Result<Vec<Read>, Fault> {
        Ok(self.rows(sql, parameters).await?.iter().map(pending).collect())
    }

    async fn rows(&self, sql: &str, parameters: Parameters<'_>) -> Result<Vec<Row>, Fault> {
        self.pool.lease().await?.query(sql, parameters).await
    }
}
