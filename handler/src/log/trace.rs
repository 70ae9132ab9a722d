//! An event with its way in and its way out: the key that it was asked for under, and its place in the outbox.
//! Never says whether a subscriber has it: that is for the documents to show.

use std::fmt;

use tokio_postgres::Row;
use uuid::Uuid;

use crate::{domain::timestamp::Timestamp, postgres::PostgresError};

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
    /// Time of the event (UTC); `None` where that is no time that could be written.
    pub at: Option<Timestamp>,
    /// The customer of an order.
    pub customer: Option<Uuid>,
    /// The Idempotency-Key that it was asked for under, while that is kept.
    pub key: Option<String>,
    /// Its way out.
    pub outbox: OutboxState,
}

/// An event's place between the log and the bus.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OutboxState {
    /// The bus has it.
    Sent,
    /// It is in the outbox.
    Waiting,
    /// It is in the outbox, and the bus refuses it for this reason.
    Parked(String),
}

/// As an operator reads it: `parked: message-size-exceeded`.
impl fmt::Display for OutboxState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sent => f.write_str("sent"),
            Self::Waiting => f.write_str("waiting"),
            Self::Parked(reason) => write!(f, "parked: {reason}"),
        }
    }
}

impl TracedEvent {
    pub(super) fn read(row: &Row) -> Result<Self, PostgresError> {
        let reason: Option<String> = row.try_get("reason")?;
        let outbox = match (row.try_get("waiting")?, row.try_get("parked")?) {
            (_, true) => OutboxState::Parked(reason.unwrap_or_default()),
            (true, false) => OutboxState::Waiting,
            (false, false) => OutboxState::Sent,
        };
        Ok(Self {
            version: row.try_get("version")?,
            kind: row.try_get("type")?,
            event_id: row.try_get("event_id")?,
            at: row.try_get("occurred_at").ok(),
            customer: row.try_get("customer")?,
            key: row.try_get("key")?,
            outbox,
        })
    }
}
