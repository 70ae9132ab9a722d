//! A request that a command came with: what the edge knows of it, and the domain must not make up.
//! Never holds a connection, a clock or an id generator.

use uuid::Uuid;

use super::preconditions::Preconditions;
use crate::domain::timestamp::Timestamp;

/// Everything about a request that its command does not say.
#[derive(Debug, Clone)]
pub struct CommandContext {
    /// Id of the event, made once per request: a lost answer is found again by it.
    pub event_id: Uuid,
    /// Time of the request.
    pub at: Timestamp,
    /// Id of the caller, for the audit trail.
    pub caller: String,
    /// The only customer whose data this caller may touch; all other data does not exist for them.
    pub only: Option<Uuid>,
    /// W3C trace context of the request.
    pub traceparent: Option<String>,
    /// Checked before any rule of the domain.
    pub preconditions: Preconditions,
    /// The caller's key for this request, under which it happens once.
    pub idempotency_key: Option<IdempotencyKey>,
}

/// An Idempotency-Key (draft-ietf-httpapi-idempotency-key-header-07), scoped by the caller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdempotencyKey {
    /// The key as it was sent.
    pub key: String,
    /// Digest of the whole request that was sent under it.
    pub fingerprint: String,
}

impl CommandContext {
    /// True when the caller may touch the data of this customer.
    pub(super) fn may_touch(&self, customer: Uuid) -> bool {
        self.only.is_none_or(|only| only == customer)
    }
}
