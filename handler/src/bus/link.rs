//! One AMQP connection with a sender on the topic, and the token that keeps it open.
//! Never shares a session between links: a refused attach may stop the session that it came on.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use fe2o3_amqp::{
    Connection, Sender, Session,
    connection::ConnectionHandle,
    link::{LinkStateError, SendError as AmqpSendError},
    sasl_profile::SaslProfile,
    session::SessionHandle,
    types::{
        definitions::{AmqpError, Error, ErrorCondition, LinkError},
        messaging::Outcome,
        primitives::Timestamp,
    },
};
use fe2o3_amqp_cbs::{client::CbsClient, token::CbsToken};
use uuid::Uuid;

use super::{address::Address, sender::SendError};

/// How long opening may take, and how long one answer may.
const PATIENCE: Duration = Duration::from_secs(5);
const TOKEN_LIFE: Duration = Duration::from_secs(3_600);
/// Used where the bus names no limit: the standard tier's.
const USUAL_MAX_BYTES: u64 = 256 * 1024;
/// A connection on which nothing has come for so long is dead; the bus sends empty frames well before.
const IDLE_TIMEOUT_MS: u32 = 60_000;

pub(super) struct Link {
    sender: Sender,
    cbs: CbsClient,
    renew_at: Instant,
    // Dropping a session or the connection ends it: they are kept, and dropped in this order.
    _sessions: [SessionHandle<()>; 2],
    _connection: ConnectionHandle<()>,
}

impl Link {
    pub(super) async fn open(address: &Address, topic: &str) -> Result<Self, SendError> {
        within(Self::try_open(address, topic)).await
    }

    async fn try_open(address: &Address, topic: &str) -> Result<Self, SendError> {
        let mut connection = Connection::builder()
            .container_id(format!("handler-{}", Uuid::now_v7()))
            .sasl_profile(SaslProfile::Anonymous)
            .idle_time_out(IDLE_TIMEOUT_MS)
            .open(address.url().as_str())
            .await
            .map_err(unavailable)?;
        let mut tokens = Session::begin(&mut connection).await.map_err(unavailable)?;
        let mut cbs = CbsClient::attach(&mut tokens).await.map_err(unavailable)?;
        let renew_at = put_token(&mut cbs, address, topic).await?;
        let mut sending = Session::begin(&mut connection).await.map_err(unavailable)?;
        let name = format!("{topic}-{}", Uuid::now_v7());
        let sender = Sender::attach(&mut sending, name, topic)
            .await
            .map_err(unavailable)?;
        Ok(Self {
            sender,
            cbs,
            renew_at,
            _sessions: [tokens, sending],
            _connection: connection,
        })
    }

    /// Largest transfer that the bus takes, in bytes.
    pub(super) fn max_bytes(&self) -> u64 {
        self.sender
            .max_message_size()
            .filter(|bytes| *bytes > 0)
            .unwrap_or(USUAL_MAX_BYTES)
    }

    /// Puts a fresh token when most of the old one's life has passed.
    pub(super) async fn keep_authorized(&mut self, address: &Address, topic: &str) -> Result<(), SendError> {
        if Instant::now() >= self.renew_at {
            self.renew_at = within(put_token(&mut self.cbs, address, topic)).await?;
        }
        Ok(())
    }

    /// Sends one transfer and waits for what the bus says of it.
    pub(super) async fn send(&mut self, transfer: super::sender::Transfer) -> Result<(), SendError> {
        let outcome = within(async { self.sender.send(transfer).await.map_err(classify) }).await?;
        match outcome {
            Outcome::Accepted(_) => Ok(()),
            Outcome::Rejected(rejected) => Err(rejected.error.map_or_else(
                || SendError::Unavailable("the bus rejected a batch without saying why".to_owned()),
                of_error,
            )),
            other => Err(SendError::Unavailable(format!("the bus answered {other:?}"))),
        }
    }
}

/// A token is renewed after four fifths of its life, counted on the monotonic clock.
async fn put_token(cbs: &mut CbsClient, address: &Address, topic: &str) -> Result<Instant, SendError> {
    let asked = Instant::now();
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_err(unavailable)?;
    let expiry_s = (now + TOKEN_LIFE).as_secs();
    let audience = address.audience(topic);
    let token = address
        .token(&audience, expiry_s)
        .map_err(SendError::Unavailable)?;
    let expires = i64::try_from(expiry_s * 1_000).map_err(unavailable)?;
    let expires = Timestamp::from_milliseconds(expires);
    let token = CbsToken::new(token, "servicebus.windows.net:sastoken", expires);
    cbs.put_token(audience, token).await.map_err(unavailable)?;
    Ok(asked + TOKEN_LIFE * 4 / 5)
}

async fn within<T>(work: impl Future<Output = Result<T, SendError>>) -> Result<T, SendError> {
    let late = |_| SendError::Unavailable(format!("the bus did not answer in {PATIENCE:?}"));
    tokio::time::timeout(PATIENCE, work).await.map_err(late)?
}

/// Only these conditions speak of the message; any other, an unknown one too, is the bus having a bad time.
fn of_error(error: Error) -> SendError {
    let said = format!("{:?} {}", error.condition, error.description.unwrap_or_default());
    match error.condition {
        ErrorCondition::LinkError(LinkError::MessageSizeExceeded)
        | ErrorCondition::AmqpError(AmqpError::DecodeError | AmqpError::InvalidField) => {
            SendError::Refused(said)
        }
        ErrorCondition::Custom(name) if name.as_str() == "com.microsoft:argument-error" => {
            SendError::Refused(said)
        }
        _ => SendError::Unavailable(said),
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
        ) => of_error(error),
        other => SendError::Unavailable(other.to_string()),
    }
}

fn unavailable(error: impl std::error::Error) -> SendError {
    let mut said = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        said = format!("{said}: {error}");
        cause = error.source();
    }
    SendError::Unavailable(said)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_busy_bus_is_not_a_bad_message() {
        let busy = ErrorCondition::Custom("com.microsoft:server-busy".into());
        assert!(matches!(
            of_error(Error::new(busy, None, None)),
            SendError::Unavailable(_)
        ));
        let large = LinkError::MessageSizeExceeded;
        assert!(matches!(
            of_error(Error::new(large, None, None)),
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
        assert!(matches!(opened, Err(SendError::Unavailable(_))));
    }
}
