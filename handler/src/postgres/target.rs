//! The server and the database that a process connects to, and how: the way there, and who it is.
//! Never opens a connection before one is asked for.

use std::{sync::Arc, time::Duration};

use tokio::task::JoinHandle;
use tokio_postgres::{Client, Config, Connection, Error, NoTls, Socket, tls::TlsStream};

use super::{error::PostgresError, tls::PostgresTls};
use crate::{error_chain::cause, identity::TokenSource, tls::TlsClient};

/// The age at which a connection is used no more, unless a setting says otherwise.
const LIFETIME: Duration = Duration::from_secs(1_800);

/// A database, and how to connect to it.
#[derive(Debug, Clone)]
pub struct PostgresTarget {
    /// Server, database, user, and password where there is one.
    config: Config,
    /// In plain text without it.
    tls: Option<TlsClient>,
    /// Where passwords come from that are tokens; without it, the configuration has one or needs none.
    tokens: Option<Arc<TokenSource>>,
    /// The age at which a connection that nobody uses is closed.
    lifetime: Duration,
}

/// An open connection. The task moves its bytes, and ends with it.
pub(crate) type Wire = JoinHandle<Result<(), Error>>;

impl PostgresTarget {
    /// In plain text: for a server that no network leads to.
    #[must_use]
    pub fn in_plain_text(config: Config) -> Self {
        Self {
            config,
            tls: None,
            tokens: None,
            lifetime: LIFETIME,
        }
    }

    /// By TLS only: a server that has none is refused.
    #[must_use]
    pub fn by_tls(mut config: Config, tls: TlsClient) -> Self {
        config.ssl_mode(tokio_postgres::config::SslMode::Require);
        Self {
            config,
            tls: Some(tls),
            ..Self::in_plain_text(Config::new())
        }
    }

    /// The same with an identity's token as the password of each new connection: PostgreSQL asks for it only then. Only for a
    /// server whose name is verified, since any other could use the token.
    #[must_use]
    pub fn with_tokens(self, tokens: Arc<TokenSource>) -> Self {
        let tokens = Some(tokens);
        Self { tokens, ..self }
    }

    /// The same, and connections older than this are closed when they are idle.
    #[must_use]
    pub fn with_lifetime(self, lifetime: Duration) -> Self {
        Self { lifetime, ..self }
    }

    /// The age at which a connection that nobody uses is closed.
    pub(super) fn lifetime(&self) -> Duration {
        self.lifetime
    }

    /// The same for another database of the server.
    #[must_use]
    pub fn to_database(&self, name: &str) -> Self {
        let mut target = self.clone();
        target.config.dbname(name);
        target
    }

    /// The name of the database.
    #[must_use]
    pub fn database(&self) -> &str {
        self.config.get_dbname().unwrap_or_default()
    }

    /// A new connection.
    ///
    /// # Errors
    /// [`PostgresError::Refused`] when the server does not let us in, else [`PostgresError::Unreachable`].
    pub(crate) async fn connect(&self) -> Result<(Client, Wire), PostgresError> {
        let mut config = self.config.clone();
        if let Some(tokens) = &self.tokens {
            let token = tokens.token().await;
            let token = token.map_err(|error| PostgresError::Unreachable(cause(error)))?;
            config.password(token.token.secret());
        }
        let connected = match self.tls.clone() {
            None => config.connect(NoTls).await.map(driven),
            Some(tls) => config.connect(PostgresTls(tls)).await.map(driven),
        };
        connected.map_err(|error| match error.as_db_error() {
            Some(_) => PostgresError::Refused(error),
            None => PostgresError::Unreachable(cause(error)),
        })
    }
}

fn driven<S: TlsStream + Unpin + Send + 'static>(
    (client, connection): (Client, Connection<Socket, S>),
) -> (Client, Wire) {
    (client, tokio::spawn(connection))
}
