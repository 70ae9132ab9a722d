//! A link that messages come over, each under a lock.
//! Never asks for more messages than it was told to, and never settles one by itself.

use std::time::Duration;

use fe2o3_amqp::{
    Receiver,
    link::{CreditMode, RecvError},
    session::SessionHandle,
    types::{
        definitions::{ReceiverSettleMode, SenderSettleMode},
        messaging::Body,
        primitives::Value,
    },
};
use tokio::time::timeout;
use uuid::Uuid;

use super::{
    connection::{NamespaceConnection, within},
    error::{BusError, of_receipt, of_receiver, unavailable},
    lock::{LockedMessage, MessageLock, ReceivedBatch},
    received::ReceivedMessage,
};

/// Once messages come, the next one of a batch is not waited for longer than this.
const LULL: Duration = Duration::from_millis(250);

/// A receiver on a queue; it ends when dropped.
pub(super) struct ReceiverLink {
    receiver: Receiver,
    _session: SessionHandle<()>,
}

impl ReceiverLink {
    pub(super) async fn attach(connection: &mut NamespaceConnection, entity: &str) -> Result<Self, BusError> {
        let mut session = connection.session().await?;
        let attaching = async {
            Receiver::builder()
                .name(format!("{entity}-{}", Uuid::now_v7()))
                .source(entity)
                // A message is delivered under a lock, and stays in the queue until it is settled.
                .sender_settle_mode(SenderSettleMode::Unsettled)
                .receiver_settle_mode(ReceiverSettleMode::Second)
                .credit_mode(CreditMode::Manual)
                .attach(&mut session)
                .await
                .map_err(of_receiver)
        };
        let receiver = within(attaching).await?;
        Ok(Self {
            receiver,
            _session: session,
        })
    }

    /// Locks up to so many messages, and waits this long for the first one.
    pub(super) async fn receive(&mut self, most: usize, wait: Duration) -> Result<ReceivedBatch, BusError> {
        let credit = u32::try_from(most).map_err(unavailable)?;
        within(async { self.receiver.set_credit(credit).await.map_err(unavailable) }).await?;
        let mut batch = ReceivedBatch::default();
        let mut patience = wait;
        while batch.len() < most && next(&mut self.receiver, patience, &mut batch).await? {
            patience = LULL;
        }
        Ok(batch)
    }

    /// Forgets deliveries whose messages are out of the queue.
    pub(super) async fn forget(&self, locks: &[MessageLock]) -> Result<(), BusError> {
        let deliveries = locks.iter().map(|lock| lock.delivery.clone());
        let settling = self.receiver.accept_all(deliveries);
        within(async { settling.await.map_err(unavailable) }).await
    }

    /// Puts messages back uncounted, those too that are on their way to us, and ends.
    pub(super) async fn release(self, mut locks: Vec<MessageLock>) -> Result<(), BusError> {
        let Self {
            mut receiver,
            _session,
        } = self;
        // First no more may come: credit that is left would lock messages that this process never sees.
        within(async { receiver.drain().await.map_err(unavailable) }).await?;
        let mut late = ReceivedBatch::default();
        while next(&mut receiver, LULL, &mut late).await? {}
        locks.extend(late.locked.into_iter().map(|locked| locked.lock));
        locks.extend(late.unread);
        let releasing = async {
            let deliveries = locks.into_iter().map(|lock| lock.delivery);
            receiver.release_all(deliveries).await.map_err(unavailable)?;
            // What was released is released when the bus answers this: answers come in order.
            receiver.close().await.map_err(unavailable)
        };
        within(releasing).await
    }
}

/// Adds the next message to a batch; false when none comes in this time.
async fn next(
    receiver: &mut Receiver,
    patience: Duration,
    batch: &mut ReceivedBatch,
) -> Result<bool, BusError> {
    let Ok(delivery) = timeout(patience, receiver.recv::<Body<Value>>()).await else {
        return Ok(false);
    };
    match delivery {
        Ok(delivery) => {
            let (delivery, message) = delivery.into_parts();
            let received = ReceivedMessage::new(message);
            let sequence = received.sequence();
            let lock = MessageLock { sequence, delivery };
            batch.locked.push(LockedMessage { received, lock });
        }
        // It was delivered all the same, and the link is as good as before.
        Err(RecvError::MessageDecode(unread)) => batch.unread.push(MessageLock {
            sequence: 0,
            delivery: unread.info,
        }),
        Err(error) => return Err(of_receipt(error)),
    }
    Ok(true)
}
