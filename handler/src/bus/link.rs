//! A connection with a sender on the topic.
//! Never has more than one transfer on its way.

use fe2o3_amqp::{
    Sendable, Sender,
    session::SessionHandle,
    types::{
        messaging::{Body, Outcome},
        primitives::Value,
    },
};
use uuid::Uuid;

use crate::error_chain::cause;

use super::{
    address::TopicAddress,
    connection::{NamespaceConnection, within},
    error::{BusError, SendError, of_rejection, of_sender, of_transfer},
};

/// A batch as one AMQP message.
pub(super) type BatchTransfer = Sendable<Body<Value>>;

/// Used where the bus names no limit: the standard tier's.
const USUAL_MAX_BYTES: u64 = 256 * 1024;

/// A sender on the topic, over a connection of its own; it ends when dropped.
pub(super) struct SenderLink {
    topic: String,
    sender: Sender,
    // Dropped after the sender, in this order.
    _session: SessionHandle<()>,
    connection: NamespaceConnection,
}

impl SenderLink {
    pub(super) async fn open(topic: &TopicAddress) -> Result<Self, BusError> {
        within(Self::try_open(topic)).await
    }

    async fn try_open(TopicAddress { address, name: topic }: &TopicAddress) -> Result<Self, BusError> {
        let mut connection = NamespaceConnection::open(address).await?;
        connection.authorize(topic).await?;
        let mut session = connection.session().await?;
        let name = format!("{topic}-{}", Uuid::now_v7());
        let sender = Sender::attach(&mut session, name, topic.as_str()).await;
        Ok(Self {
            topic: topic.clone(),
            sender: sender.map_err(of_sender)?,
            _session: session,
            connection,
        })
    }

    /// Largest transfer that the bus takes, in bytes.
    pub(super) fn max_bytes(&self) -> u64 {
        self.sender
            .max_message_size()
            .filter(|bytes| *bytes > 0)
            .unwrap_or(USUAL_MAX_BYTES)
    }

    /// Puts a new token, even where the last one would do.
    pub(super) async fn prove(&mut self) -> Result<(), BusError> {
        self.connection.renew(&self.topic).await
    }

    /// Sends one transfer, under a token that will last, and waits for what the bus says of it.
    pub(super) async fn send(&mut self, transfer: BatchTransfer) -> Result<(), SendError> {
        self.connection.authorize(&self.topic).await?;
        let outcome = tokio::select! {
            biased;
            outcome = within(async { self.sender.send(transfer).await.map_err(of_transfer) }) => outcome?,
            // Once the connection has ended no answer comes, and waiting for one would use up all patience.
            gone = self.connection.ended() => return Err(gone.into()),
        };
        match outcome {
            Outcome::Accepted(_) => Ok(()),
            Outcome::Rejected(rejected) => Err(of_rejection(rejected.error.as_ref())),
            other => Err(SendError::Busy(cause(format!("the bus answered {other:?}")))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_namespace_that_speaks_no_tls_is_unavailable() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let text = format!("Endpoint=sb://127.0.0.1:{port};SharedAccessKeyName=n;SharedAccessKey=k");
        let address = TopicAddress::parse(&text, "topic").unwrap();
        let greeting = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            tokio::io::AsyncWriteExt::write_all(&mut stream, b"AMQP\0\x01\0\0")
                .await
                .unwrap();
        };
        let (opened, ()) = tokio::join!(SenderLink::open(&address), greeting);
        assert!(matches!(opened, Err(BusError::Unavailable(_))));
    }
}
