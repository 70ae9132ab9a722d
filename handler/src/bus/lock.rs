//! Messages under locks, and the tokens by which they are settled.
//! Never ends a lock: that is for the queue, or for time.

use fe2o3_amqp::link::delivery::DeliveryInfo;
use uuid::Uuid;

use super::{
    error::{BusError, unavailable},
    received::ReceivedMessage,
};

/// A message that no other receiver gets while its lock lasts.
#[derive(Debug)]
pub struct LockedMessage {
    /// The message.
    pub received: ReceivedMessage,
    /// The lock, by which it is settled.
    pub lock: MessageLock,
}

/// Messages that were locked together.
#[derive(Debug, Default)]
pub struct ReceivedBatch {
    /// Messages.
    pub locked: Vec<LockedMessage>,
    /// Locks on messages that cannot be read here, and so have no known number.
    pub unread: Vec<MessageLock>,
}

/// The lock on a message; dropping it leaves the message locked until the time is up.
#[derive(Debug, Clone)]
pub struct MessageLock {
    /// 0 where it is not known.
    pub(super) sequence: i64,
    pub(super) delivery: DeliveryInfo,
}

/// The outcome of taking one message out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Completion {
    /// It is out.
    Done,
    /// Its lock had run out before, and it is still there.
    LockLost,
}

impl ReceivedBatch {
    pub(super) fn len(&self) -> usize {
        self.locked.len() + self.unread.len()
    }
}

impl MessageLock {
    /// The token, which travels as the delivery's tag, in the byte order of a .NET Guid.
    pub(super) fn token(&self) -> Result<Uuid, BusError> {
        let tag: &[u8] = self.delivery.delivery_tag();
        let bytes = tag.try_into().map_err(unavailable)?;
        Ok(Uuid::from_bytes_le(bytes))
    }
}
