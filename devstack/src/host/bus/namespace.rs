//! The namespace that a trigger listens to, and how the host proves there who it is: by a key, or as an identity of the app.
//! It never falls back from the one to the other.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use fe2o3_amqp::{Connection, connection::ConnectionHandle, sasl_profile::SaslProfile};
use uuid::Uuid;

use super::credential::Credential;
use crate::{bus_address::Address, host::error_chain::chain, tls::TlsClient};

/// A token made from the key outlives half of this before it is put again.
const KEY_TOKEN_S: u64 = 3_600;

/// A namespace, and who comes.
#[derive(Clone, Debug)]
pub(crate) enum BusNamespace {
    Key(Address),
    Identity(Box<IdentityNamespace>),
}

/// A namespace as in Azure: TLS, and a token for the identity.
#[derive(Clone, Debug)]
pub(crate) struct IdentityNamespace {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) tls: TlsClient,
    pub(super) credential: Credential,
}

/// A token as `put-token` takes it.
pub(super) struct BusToken {
    pub(super) text: String,
    pub(super) kind: &'static str,
    pub(super) expires_ms: i64,
    /// When the next one is to be put.
    pub(super) renew_after: Duration,
}

impl BusNamespace {
    /// Its name, as functions are told it.
    pub(crate) fn host(&self) -> &str {
        match self {
            Self::Key(address) => &address.host,
            Self::Identity(namespace) => &namespace.host,
        }
    }

    /// Its name for a person.
    pub(super) fn title(&self) -> String {
        match self {
            Self::Key(address) => format!("{address:?}"),
            Self::Identity(namespace) => format!("sb://{}:{}", namespace.host, namespace.port),
        }
    }

    pub(super) async fn open(&self) -> Result<ConnectionHandle<()>, String> {
        let builder = Connection::builder()
            .container_id(format!("functions-host-{}", Uuid::new_v4()))
            .sasl_profile(SaslProfile::Anonymous)
            .idle_time_out(60_000_u32);
        let opened = match self {
            Self::Key(address) => builder.open(address.url().as_str()).await,
            Self::Identity(namespace) => {
                let IdentityNamespace { host, port, tls, .. } = &**namespace;
                // TLS comes first, without AMQP's own header for it.
                let stream = tls.connect(host, *port).await.map_err(|error| chain(&error))?;
                let builder = builder.scheme("amqp").hostname(Some(host.as_str()));
                builder.open_with_stream(stream).await
            }
        };
        opened.map_err(|error| chain(&error))
    }

    /// The name of an entity in a token and in `put-token`.
    pub(super) fn audience(&self, entity: &str) -> String {
        match self {
            Self::Key(address) => address.audience(entity),
            Self::Identity(namespace) => format!("sb://{}/{entity}", namespace.host),
        }
    }

    pub(super) async fn token(&self, audience: &str) -> Result<BusToken, String> {
        match self {
            Self::Key(address) => {
                let (text, expires_ms) = address.token(audience, KEY_TOKEN_S)?;
                Ok(BusToken {
                    text,
                    kind: "servicebus.windows.net:sastoken",
                    expires_ms,
                    renew_after: Duration::from_secs(KEY_TOKEN_S / 2),
                })
            }
            Self::Identity(namespace) => {
                let (text, expires) = namespace.credential.token().await?;
                let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
                let left = Duration::from_secs(expires).saturating_sub(now);
                Ok(BusToken {
                    text,
                    kind: "jwt",
                    expires_ms: i64::try_from(expires).unwrap_or(i64::MAX).saturating_mul(1_000),
                    // The same token may be given again for a while.
                    renew_after: (left / 2).max(Duration::from_secs(1)),
                })
            }
        }
    }
}
