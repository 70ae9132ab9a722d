//! What the sessions of one connection need of it, and how they end what is wrong.
//! Never does input or output.

use std::collections::HashMap;
use std::sync::Arc;

use crate::servicebus::amqp::{AmqpError, Malformed};
use crate::servicebus::shared::SharedState;
use crate::servicebus::token;

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

/// The entities that the client's tokens reach, and until when.
#[derive(Debug, Default)]
pub(super) struct TokenGrants {
    pub(super) trusted: bool,
    pub(super) paths: HashMap<String, i64>,
}

impl TokenGrants {
    pub(super) fn allow(&self, path: &str, now: i64) -> bool {
        let reaches = |(granted, until): (&String, &i64)| *until > now && token::covers(granted, path);
        self.trusted || self.paths.iter().any(reaches)
    }

    /// Lets every token run out.
    pub(super) fn expire(&mut self) {
        self.paths.values_mut().for_each(|until| *until = 0);
    }

    /// Forgets the tokens that have run out; tells whether there were any.
    pub(super) fn forget(&mut self, now: i64) -> bool {
        let before = self.paths.len();
        self.paths.retain(|_, until| *until > now);
        self.paths.len() < before
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
