//! A connection with a sender on the topic.
//! Never has more than one transfer on its way.

use fe2o3_amqp::{
    Sender,
    link::{LinkStateError, SendError as AmqpSendError},
    session::SessionHandle,
    types::{
        definitions::{AmqpError, Error, ErrorCondition, LinkError},
        messaging::Outcome,
    },
};
use uuid::Uuid;

use super::{
    address::Address,
    connection::{BusError, Connection, of_sender, within, words},
    sender::SendError,
};

/// Used where the bus names no limit: the standard tier's.
const USUAL_MAX_BYTES: u64 = 256 * 1024;

pub(super) struct Link {
    sender: Sender,
    // Dropped after the sender, in this order.
    _session: SessionHandle<()>,
    connection: Connection,
}

impl Link {
    pub(super) async fn open(address: &Address, topic: &str) -> Result<Self, BusError> {
        within(Self::try_open(address, topic)).await
    }

    async fn try_open(address: &Address, topic: &str) -> Result<Self, BusError> {
        let mut connection = Connection::open(address).await?;
        connection.authorize(topic).await?;
        let mut session = connection.session().await?;
        let name = format!("{topic}-{}", Uuid::now_v7());
        let sender = Sender::attach(&mut session, name, topic).await;
        Ok(Self {
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

    /// Puts a new token, whatever life the last one has left.
    pub(super) async fn prove(&mut self, topic: &str) -> Result<(), BusError> {
        self.connection.renew(topic).await
    }

    /// Sends one transfer, under a token that will last, and waits for what the bus says of it.
    pub(super) async fn send(
        &mut self,
        topic: &str,
        transfer: super::sender::Transfer,
    ) -> Result<(), SendError> {
        self.connection.authorize(topic).await?;
        let outcome = tokio::select! {
            biased;
            outcome = within(async { self.sender.send(transfer).await.map_err(classify) }) => outcome?,
            // A send whose connection has gone would wait for its answer until it is out of patience.
            gone = self.connection.ended() => return Err(gone.into()),
        };
        match outcome {
            Outcome::Accepted(_) => Ok(()),
            Outcome::Rejected(rejected) => Err(rejected.error.as_ref().map_or_else(
                || SendError::Busy("the bus rejected a batch without saying why".to_owned()),
                of_rejection,
            )),
            other => Err(SendError::Busy(format!("the bus answered {other:?}"))),
        }
    }
}

/// Only these conditions speak of the message; any other, an unknown one too, is the bus having a bad time.
fn of_error(error: &Error) -> SendError {
    match &error.condition {
        ErrorCondition::LinkError(LinkError::MessageSizeExceeded)
        | ErrorCondition::AmqpError(AmqpError::DecodeError | AmqpError::InvalidField) => {
            SendError::Refused(words(error))
        }
        ErrorCondition::Custom(name) if name.as_str() == "com.microsoft:argument-error" => {
            SendError::Refused(words(error))
        }
        _ => SendError::Unavailable(words(error)),
    }
}

/// The link that it came over is as good as before.
fn of_rejection(error: &Error) -> SendError {
    match of_error(error) {
        SendError::Unavailable(why) => SendError::Busy(why),
        other => other,
    }
}

/// The bus may also say what it thinks of a message by closing the link.
fn classify(error: AmqpSendError) -> SendError {
    match error {
        AmqpSendError::MessageSizeExceeded(_) | AmqpSendError::MessageEncodeError => {
            SendError::Refused(error.to_string())
        }
        AmqpSendError::LinkStateError(
            LinkStateError::RemoteDetachedWithError(error) | LinkStateError::RemoteClosedWithError(error),
        ) => of_error(&error),
        other => SendError::Unavailable(other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_busy_bus_is_not_a_bad_message() {
        let busy = ErrorCondition::Custom("com.microsoft:server-busy".into());
        let busy = Error::new(busy, None, None);
        assert!(matches!(of_rejection(&busy), SendError::Busy(_)));
        assert!(matches!(of_error(&busy), SendError::Unavailable(_)));
        let large = LinkError::MessageSizeExceeded;
        assert!(matches!(
            of_error(&Error::new(large, None, None)),
            SendError::Refused(_)
        ));
    }

    #[tokio::test]
    async fn a_namespace_that_speaks_no_tls_is_unavailable() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let text = format!("Endpoint=sb://127.0.0.1:{port};SharedAccessKeyName=n;SharedAccessKey=k");
        let address = Address::parse(&text).unwrap();
        let greeting = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            tokio::io::AsyncWriteExt::write_all(&mut stream, b"AMQP\0\x01\0\0")
                .await
                .unwrap();
        };
        let (opened, ()) = tokio::join!(Link::open(&address, "topic"), greeting);
        assert!(matches!(opened, Err(BusError::Unavailable(_))));
    }
}
