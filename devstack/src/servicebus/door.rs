//! The ways into a bus: plain with its key, or as in Azure, by TLS and the tokens of a directory.
//! Never takes the key where tokens are wanted, and never anything but TLS where TLS is.

use std::fmt;

use tokio_rustls::TlsAcceptor;
use uuid::Uuid;

use super::token;
use crate::identity::{Claim, Directory, SERVICE_BUS_AUDIENCE, TokenFault};

/// One way in; the connections of a listener all have the same.
#[derive(Clone)]
pub(crate) enum Door {
    /// Whoever knows the key may do everything.
    Key,
    /// Each identity may do what its roles say.
    Azure { tls: TlsAcceptor, directory: Directory },
}

impl fmt::Debug for Door {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Key => "Key",
            Self::Azure { .. } => "Azure",
        })
    }
}

/// A token that is good: until when in Unix milliseconds, and whose it is where it is somebody's.
pub(crate) type Admitted = (i64, Option<Uuid>);

impl Door {
    /// True for a client that showed the key at the start of its connection.
    pub(crate) fn knows(&self, key_name: &[u8], key: &[u8]) -> bool {
        matches!(self, Self::Key) && key_name == token::KEY_NAME.as_bytes() && key == token::KEY.as_bytes()
    }

    /// Reads a token for `audience`; the reason against it is in the service's words where they are known.
    pub(crate) fn admit(&self, token: &str, audience: &str, now_ms: i64) -> Result<Admitted, &'static str> {
        match self {
            Self::Key => Ok((token::verify(token, audience, now_ms)?, None)),
            Self::Azure { .. } if token.starts_with(token::SHARED_ACCESS) => Err(
                "LocalAuthDisabled: Authorization failed because SAS authentication has been disabled for the namespace.",
            ),
            Self::Azure { directory, .. } => {
                let verified = directory.verify(token, SERVICE_BUS_AUDIENCE, now_ms / 1_000);
                let verified = verified.map_err(|fault| match fault {
                    TokenFault::Malformed => "MalformedToken: The token cannot be read.",
                    TokenFault::Signature => "InvalidSignature: The token has an invalid signature.",
                    TokenFault::Audience => "InvalidAudience: Invalid authorization token audience.",
                    TokenFault::Expired => "ExpiredToken: The token is expired.",
                })?;
                Ok((verified.expires * 1_000, Some(verified.object_id)))
            }
        }
    }

    /// True when the holder of a token may do this; the key's may do everything.
    pub(crate) fn may(&self, holder: Option<Uuid>, claim: Claim, path: &str) -> bool {
        match (self, holder) {
            (Self::Azure { directory, .. }, Some(holder)) => directory.may(holder, claim, path),
            (Self::Key, None) => true,
            _ => false,
        }
    }
}
