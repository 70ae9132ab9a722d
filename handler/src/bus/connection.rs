//! A connection to the namespace, the sessions on it, and the tokens that open its entities.
//! Never shares a session between links: a refused attach may stop the session that it came on.

use std::{
    collections::HashMap,
    fmt,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use fe2o3_amqp::{
    Connection, Session, connection::ConnectionHandle, sasl_profile::SaslProfile, session::SessionHandle,
    types::primitives::Timestamp,
};
use fe2o3_amqp_cbs::{client::CbsClient, token::CbsToken};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};
use uuid::Uuid;

use crate::identity::TokenSource;

use super::{
    address::{NamespaceAddress, NamespaceCredential, SharedKey},
    error::{BusError, of_call, of_end, unavailable},
};

/// Longest wait for a connection to open, and for one answer.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);
/// Life of a token that a key signs. A fifth of it is left for a renewal that fails at first.
const SIGNED_LIFE: Duration = Duration::from_secs(3_600);
/// Time before its end at which an identity's token is put anew, and time after which one that is nearer to its end is tried again.
const IDENTITY_REST: Duration = Duration::from_secs(240);
const IDENTITY_PAUSE: Duration = Duration::from_secs(10);
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
            let mut handle = connect(address).await?;
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
        let audience = self.address.audience(entity);
        let (token, renew_in) = match self.address.credential() {
            NamespaceCredential::SharedKey(key) => signed(key, &audience)?,
            NamespaceCredential::Identity(tokens) => of_identity(tokens).await?,
        };
        let renew_at = Instant::now() + renew_in;
        let putting = async { self.tokens.put_token(audience, token).await.map_err(of_call) };
        tokio::select! {
            biased;
            put = within(putting) => put?,
            // Once the connection has ended no answer comes, and waiting for one would use up all patience.
            gone = self.handle.on_close() => return Err(of_end(gone)),
        }
        // By the monotonic clock: the wall clock may jump.
        self.renew_at.insert(entity.to_owned(), renew_at);
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

/// Opens a connection, over TLS from its first byte where the address says so: a namespace in Azure takes nothing else
/// (AMQP 1.0, part 5, section 5.2.1: "Alternative Establishment").
async fn connect(address: &NamespaceAddress) -> Result<ConnectionHandle<()>, BusError> {
    let stream = TcpStream::connect((address.host(), address.port())).await;
    let stream = stream.map_err(unavailable)?;
    stream.set_nodelay(true).map_err(unavailable)?;
    match address.tls() {
        None => greet(address, stream).await,
        Some(tls) => {
            let encrypted = tls.connect(address.host(), stream).await;
            greet(address, encrypted.map_err(unavailable)?).await
        }
    }
}

async fn greet<S>(address: &NamespaceAddress, stream: S) -> Result<ConnectionHandle<()>, BusError>
where
    S: AsyncRead + AsyncWrite + fmt::Debug + Send + Unpin + 'static,
{
    Connection::builder()
        .container_id(format!("handler-{}", Uuid::now_v7()))
        .hostname(address.host())
        .sasl_hostname(address.host())
        .scheme("amqp")
        .sasl_profile(SaslProfile::Anonymous)
        .idle_time_out(IDLE_TIMEOUT_MS)
        .open_with_stream(stream)
        .await
        .map_err(unavailable)
}

/// A token that the key signs, and the time until it is to be put anew.
fn signed(key: &SharedKey, audience: &str) -> Result<(CbsToken<'static>, Duration), BusError> {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_err(unavailable)?;
    let expiry_s = (now + SIGNED_LIFE).as_secs();
    let token = key.token(audience, expiry_s).map_err(unavailable)?;
    let token = cbs_token(token, "servicebus.windows.net:sastoken", expiry_s)?;
    Ok((token, SIGNED_LIFE * 4 / 5))
}

/// An identity's token, and the time until it is to be put anew.
async fn of_identity(tokens: &TokenSource) -> Result<(CbsToken<'static>, Duration), BusError> {
    let token = tokens.token().await.map_err(unavailable)?;
    let expiry_s = u64::try_from(token.expires_on.unix_timestamp()).map_err(unavailable)?;
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_err(unavailable)?;
    let left = Duration::from_secs(expiry_s).saturating_sub(now);
    let renew_in = left.saturating_sub(IDENTITY_REST).max(IDENTITY_PAUSE);
    let token = cbs_token(token.token.secret().to_owned(), "jwt", expiry_s)?;
    Ok((token, renew_in))
}

fn cbs_token(text: String, kind: &'static str, expiry_s: u64) -> Result<CbsToken<'static>, BusError> {
    let expires = i64::try_from(expiry_s * 1_000).map_err(unavailable)?;
    Ok(CbsToken::new(text, kind, Timestamp::from_milliseconds(expires)))
}

/// The work's outcome, or that the bus did not answer in time.
pub(super) async fn within<T, E: From<BusError>>(work: impl Future<Output = Result<T, E>>) -> Result<T, E> {
    let late = |_| unavailable(format!("the bus did not answer in {PATIENCE:?}"));
    tokio::time::timeout(PATIENCE, work).await.map_err(late)?
}
