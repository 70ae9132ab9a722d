//! What the sessions of one connection need of it, and how they end what is wrong.
//! Never does input or output.

use std::sync::Arc;

use super::grants::TokenGrants;
use crate::servicebus::amqp::{AmqpError, Malformed};
use crate::servicebus::shared::SharedState;

/// The part of the connection that a wrong frame ends.
#[derive(Debug)]
pub(super) enum ProtocolFault {
    Connection(AmqpError),
    Session(AmqpError),
    Link(u32, AmqpError),
    /// The connection breaks, and the peer is not told.
    Cut,
}

impl From<Malformed> for ProtocolFault {
    fn from(error: Malformed) -> Self {
        Self::Connection(error.into())
    }
}

impl ProtocolFault {
    pub(super) fn session(condition: &'static str, description: impl Into<String>) -> Self {
        Self::Session(AmqpError::new(condition, description))
    }
}

/// The state of a connection that its sessions need.
#[derive(Debug)]
pub(super) struct ConnectionContext {
    pub(super) shared: Arc<SharedState>,
    pub(super) grants: TokenGrants,
    pub(super) max_frame: usize,
    pub(super) now: i64,
}
