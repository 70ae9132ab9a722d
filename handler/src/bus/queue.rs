//! A queue as an operator works on it - a subscription, or its dead letters: looked at, received under locks, emptied.
//! Never takes a message out before it is told to, and never waits without an end.

use std::time::Duration;

use uuid::Uuid;

use super::{
    address::NamespaceAddress,
    connection::NamespaceConnection,
    error::BusError,
    lock::{Completion, MessageLock, ReceivedBatch},
    management::ManagementClient,
    received::ReceivedMessage,
    receiver::ReceiverLink,
    rule::SubscriptionRule,
    subscription::SubscriptionName,
};

/// One queue over a connection of its own; it ends when dropped, and locks that are left end by time.
pub struct MessageQueue {
    entity: String,
    // Dropped before their connection, in the order of fields.
    receiver: Option<ReceiverLink>,
    management: ManagementClient,
    connection: NamespaceConnection,
    page: PageSize,
}

/// The rules of a subscription.
///
/// # Errors
/// [`BusError::NotFound`] when there is no such subscription.
pub async fn rules(
    address: &NamespaceAddress,
    topic: &str,
    subscription: &SubscriptionName,
) -> Result<Vec<SubscriptionRule>, BusError> {
    let entity = format!("{topic}/Subscriptions/{subscription}");
    let mut connection = NamespaceConnection::open(address).await?;
    connection.authorize(&entity).await?;
    ManagementClient::attach(&mut connection, &entity)
        .await?
        .rules()
        .await
}

impl MessageQueue {
    /// The dead letters of a subscription.
    ///
    /// # Errors
    /// [`BusError::NotFound`] when there is no such subscription.
    pub async fn dead_letters(
        address: &NamespaceAddress,
        topic: &str,
        subscription: &SubscriptionName,
    ) -> Result<Self, BusError> {
        Self::open(
            address,
            format!("{topic}/Subscriptions/{subscription}/$DeadLetterQueue"),
        )
        .await
    }

    /// The messages of a subscription.
    ///
    /// # Errors
    /// [`BusError::NotFound`] when there is no such subscription.
    pub async fn subscription(
        address: &NamespaceAddress,
        topic: &str,
        subscription: &SubscriptionName,
    ) -> Result<Self, BusError> {
        Self::open(address, format!("{topic}/Subscriptions/{subscription}")).await
    }

    async fn open(address: &NamespaceAddress, entity: String) -> Result<Self, BusError> {
        let mut connection = NamespaceConnection::open(address).await?;
        connection.authorize(&entity).await?;
        let management = ManagementClient::attach(&mut connection, &entity).await?;
        Ok(Self {
            entity,
            receiver: None,
            management,
            connection,
            page: PageSize(i32::MAX),
        })
    }

    /// Looks at up to so many messages from this sequence number on, in its order; none when there are no more. It locks
    /// nothing, counts nothing, and shows what others have locked, too. An answer may hold fewer than there are.
    ///
    /// # Errors
    /// When the bus is away.
    pub async fn peek(&mut self, from: i64, count: i32) -> Result<Vec<ReceivedMessage>, BusError> {
        let Self {
            entity,
            management,
            connection,
            page,
            ..
        } = self;
        connection.authorize(entity).await?;
        loop {
            let most = count.min(page.0);
            match management.peek(from, most).await {
                // The link is gone with the answer that did not fit.
                Err(BusError::TooLarge) => *management = ManagementClient::attach(connection, entity).await?,
                answer => return answer,
            }
            page.halve(most)?;
        }
    }

    /// Locks up to so many messages, and waits this long for the first one; none when nothing came.
    ///
    /// # Errors
    /// When the bus is away.
    pub async fn receive(&mut self, most: usize, wait: Duration) -> Result<ReceivedBatch, BusError> {
        self.connection.authorize(&self.entity).await?;
        let link = match &mut self.receiver {
            Some(link) => link,
            // Only now: looking needs no receiver.
            absent => absent.insert(ReceiverLink::attach(&mut self.connection, &self.entity).await?),
        };
        link.receive(most, wait).await
    }

    /// Gives locks their whole time again.
    ///
    /// # Errors
    /// [`BusError::LockLost`] when one of them has run out.
    pub async fn renew(&mut self, locks: &[MessageLock]) -> Result<(), BusError> {
        self.connection.authorize(&self.entity).await?;
        let tokens: Vec<Uuid> = locks.iter().map(MessageLock::token).collect::<Result<_, _>>()?;
        // So many tokens fit into one frame with room to spare.
        for some in tokens.chunks(500) {
            self.management.renew(some).await?;
        }
        Ok(())
    }

    /// Takes messages out of the queue, and says of each whether it is out now.
    ///
    /// # Errors
    /// When the bus is away: they may be out or not.
    pub async fn complete(&mut self, locks: &[MessageLock]) -> Result<Vec<Completion>, BusError> {
        self.connection.authorize(&self.entity).await?;
        let tokens: Vec<Uuid> = locks.iter().map(MessageLock::token).collect::<Result<_, _>>()?;
        // Asked for by request, because only then is there an answer: what the bus says to a disposition does not reach us.
        let mut outcomes = vec![Completion::Done; locks.len()];
        if !self.try_complete(&tokens).await? {
            // Some may be out all the same, so what counts is what is there.
            for ((lock, token), outcome) in locks.iter().zip(&tokens).zip(&mut outcomes) {
                if !self.try_complete(&[*token]).await? && self.has(lock.sequence).await? {
                    *outcome = Completion::LockLost;
                }
            }
        }
        // The link keeps what it has delivered until it is settled there as well.
        if let Some(link) = &self.receiver {
            link.forget(locks).await?;
        }
        Ok(outcomes)
    }

    /// False when one of the locks was lost.
    async fn try_complete(&mut self, tokens: &[Uuid]) -> Result<bool, BusError> {
        match self.management.complete(tokens).await {
            Err(BusError::LockLost) => Ok(false),
            other => other.map(|()| true),
        }
    }

    async fn has(&mut self, sequence: i64) -> Result<bool, BusError> {
        let found = self.management.peek(sequence, 1).await?;
        Ok(found.first().is_some_and(|found| found.sequence() == sequence))
    }

    /// Puts messages back uncounted, those too that are on their way to us, and ends.
    ///
    /// # Errors
    /// When the bus is away: what was locked comes back by itself when its time is up.
    pub async fn release(mut self, locks: Vec<MessageLock>) -> Result<(), BusError> {
        match self.receiver.take() {
            Some(link) => link.release(locks).await,
            None => Ok(()),
        }
    }
}

/// The number of messages that fit into one answer, as far as it is known.
struct PageSize(i32);

impl PageSize {
    /// So many did not fit: half of them may.
    fn halve(&mut self, tried: i32) -> Result<(), BusError> {
        if tried <= 1 {
            return Err(BusError::TooLarge);
        }
        self.0 = tried / 2;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_that_is_too_large_is_halved_until_one_message_is_too_large() {
        let mut page = PageSize(i32::MAX);
        let mut tried = Vec::new();
        let end = loop {
            let most = page.0.min(50);
            tried.push(most);
            if let Err(error) = page.halve(most) {
                break error;
            }
        };
        assert_eq!(tried, [50, 25, 12, 6, 3, 1]);
        assert!(matches!(end, BusError::TooLarge));
    }
}
