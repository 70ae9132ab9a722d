//! The number of events that wait to be sent, and the age of the oldest.
//! Never counted to the end: after a long outage there may be millions.

use tokio_postgres::Row;

use crate::postgres::PostgresError;

/// The outbox in numbers.
#[derive(Debug, Clone, PartialEq)]
pub struct OutboxBacklog {
    /// Events that the bus has not got yet; counted up to 10 000.
    pub waiting: i64,
    /// Events that the bus has refused, put aside with the reason; counted up to 10 000.
    pub parked: i64,
    /// Age of the oldest event that waits, in seconds.
    pub oldest: Option<f64>,
}

/// Selects the one row of an [`OutboxBacklog`].
pub const COUNT_BACKLOG: &str = "select
    (select count(*) from (select from write_model.outbox where parked_at is null limit 10000) o) as waiting,
    (select count(*) from (select from write_model.outbox where parked_at is not null limit 10000) o) as parked,
    (select case when isfinite(e.occurred_at) then extract(epoch from now() - e.occurred_at)::float8 end
        from write_model.outbox o join write_model.events e using (position)
        where o.parked_at is null order by o.position limit 1) as oldest";

impl OutboxBacklog {
    /// Reads the row of [`COUNT_BACKLOG`].
    ///
    /// # Errors
    /// When it has other columns.
    pub fn read(row: &Row) -> Result<Self, PostgresError> {
        Ok(Self {
            waiting: row.try_get("waiting")?,
            parked: row.try_get("parked")?,
            oldest: row.try_get("oldest")?,
        })
    }
}
