//! An event with its way in and its way out: the key that it was asked for under, and its place in the outbox.
//! Never says whether a subscriber has it: that is for the documents to show.

use time::OffsetDateTime;
use tokio_postgres::Row;
use uuid::Uuid;

use crate::postgres::PostgresError;

/// A key is stored a moment before or after its event happens; the index on its time needs bounds.
pub(super) const TRACE: &str = "
    select e.version, e.type, e.event_id, e.occurred_at, (e.state#>>'{customer,id}')::uuid as customer, k.key,
        o.position is not null as waiting, o.parked_at is not null as parked, o.reason
    from write_model.events e
    left join write_model.outbox o on o.position = e.position
    left join lateral (
        select key from write_model.idempotency_keys
        where event_id = e.event_id and at between e.occurred_at - interval '10 seconds' and e.occurred_at + interval '10 seconds'
        limit 1) k on true
    where e.stream = $1::text order by e.version";

/// An event of an aggregate, and what the tables beside the log say of it.
#[derive(Debug)]
pub struct TracedEvent {
    /// The aggregate's version after it.
    pub version: i64,
    /// Its name with its major version.
    pub kind: String,
    /// Its id.
    pub event_id: Uuid,
    /// When it happened (UTC).
    pub at: OffsetDateTime,
    /// The customer of an order.
    pub customer: Option<Uuid>,
    /// The Idempotency-Key that it was asked for under, while that is kept.
    pub key: Option<String>,
    /// It is in the outbox.
    pub waiting: bool,
    /// The reason why the bus refuses it, if it does.
    pub parked: Option<String>,
}

impl TracedEvent {
    pub(super) fn read(row: &Row) -> Result<Self, PostgresError> {
        let parked: bool = row.try_get("parked")?;
        let reason: Option<String> = row.try_get("reason")?;
        Ok(Self {
            version: row.try_get("version")?,
            kind: row.try_get("type")?,
            event_id: row.try_get("event_id")?,
            at: row.try_get("occurred_at")?,
            customer: row.try_get("customer")?,
            key: row.try_get("key")?,
            waiting: row.try_get("waiting")?,
            parked: parked.then(|| reason.unwrap_or_default()),
        })
    }
}
