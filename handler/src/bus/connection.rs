//! A connection to the namespace, the sessions on it, and the tokens that open its entities.
//! Never shares a session between links: a refused attach may stop the session that it came on.

use std::{
    collections::HashMap,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use fe2o3_amqp::{
    Connection, Session, connection::ConnectionHandle, sasl_profile::SaslProfile, session::SessionHandle,
    types::primitives::Timestamp,
};
use fe2o3_amqp_cbs::{client::CbsClient, token::CbsToken};
use uuid::Uuid;

use super::{
    address::NamespaceAddress,
    error::{BusError, of_call, of_end, unavailable},
};

/// Longest wait for a connection to open, and for one answer.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);
const TOKEN_LIFE: Duration = Duration::from_secs(3_600);
/// A connection on which nothing has come for so long is dead; the bus sends empty frames well before.
const IDLE_TIMEOUT_MS: u32 = 60_000;

/// One connection; it ends when dropped.
pub(super) struct NamespaceConnection {
    address: NamespaceAddress,
    tokens: CbsClient,
    /// The time at which the token of each entity is to be put again.
    renew_at: HashMap<String, Instant>,
    // Dropping a session or the connection ends it, so they are kept; the order of fields is the order of dropping.
    _session: SessionHandle<()>,
    handle: ConnectionHandle<()>,
}

impl NamespaceConnection {
    /// Connects, and attaches to the node that takes tokens.
    pub(super) async fn open(address: &NamespaceAddress) -> Result<Self, BusError> {
        let opening = async {
            let mut handle = Connection::builder()
                .container_id(format!("handler-{}", Uuid::now_v7()))
                .sasl_profile(SaslProfile::Anonymous)
                .idle_time_out(IDLE_TIMEOUT_MS)
                .open(address.url().as_str())
                .await
                .map_err(unavailable)?;
            let mut session = Session::begin(&mut handle).await.map_err(unavailable)?;
            let tokens = CbsClient::attach(&mut session).await.map_err(unavailable)?;
            Ok(Self {
                address: address.clone(),
                tokens,
                renew_at: HashMap::new(),
                _session: session,
                handle,
            })
        };
        within(opening).await
    }

    /// Puts a token for an entity, its dead letters and its management node included, unless the last one still has most
    /// of its life before it.
    pub(super) async fn authorize(&mut self, entity: &str) -> Result<(), BusError> {
        let now = Instant::now();
        if self.renew_at.get(entity).is_some_and(|renew_at| now < *renew_at) {
            return Ok(());
        }
        self.renew(entity).await
    }

    /// Puts a token.
    pub(super) async fn renew(&mut self, entity: &str) -> Result<(), BusError> {
        let now = Instant::now();
        let since_1970 = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_err(unavailable)?;
        let expiry_s = (since_1970 + TOKEN_LIFE).as_secs();
        let audience = self.address.audience(entity);
        let token = self.address.token(&audience, expiry_s);
        let token = token.map_err(unavailable)?;
        let expires = i64::try_from(expiry_s * 1_000).map_err(unavailable)?;
        let expires = Timestamp::from_milliseconds(expires);
        let token = CbsToken::new(token, "servicebus.windows.net:sastoken", expires);
        let putting = async { self.tokens.put_token(audience, token).await.map_err(of_call) };
        tokio::select! {
            biased;
            put = within(putting) => put?,
            // Once the connection has ended no answer comes, and waiting for one would use up all patience.
            gone = self.handle.on_close() => return Err(of_end(gone)),
        }
        // By the monotonic clock: the wall clock may jump. A fifth of its life is left for a renewal that fails at first.
        self.renew_at.insert(entity.to_owned(), now + TOKEN_LIFE * 4 / 5);
        Ok(())
    }

    /// Waits until the connection has ended, and says why.
    pub(super) async fn ended(&mut self) -> BusError {
        of_end(self.handle.on_close().await)
    }

    /// A session for one link.
    pub(super) async fn session(&mut self) -> Result<SessionHandle<()>, BusError> {
        within(async { Session::begin(&mut self.handle).await.map_err(unavailable) }).await
    }
}

/// The work's outcome, or that the bus did not answer in time.
pub(super) async fn within<T, E: From<BusError>>(work: impl Future<Output = Result<T, E>>) -> Result<T, E> {
    let late = |_| unavailable(format!("the bus did not answer in {PATIENCE:?}"));
    tokio::time::timeout(PATIENCE, work).await.map_err(late)?
}
