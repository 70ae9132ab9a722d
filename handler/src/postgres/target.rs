//! The server and the database that a process connects to, and how: the way there, and who it is.
//! Never opens a connection before one is asked for.

use tokio::task::JoinHandle;
use tokio_postgres::{Client, Config, Connection, Error, NoTls, Socket, tls::TlsStream};

use super::{error::PostgresError, tls::PostgresTls};
use crate::{error_chain::cause, tls::TlsClient};

/// A database, and how to connect to it.
#[derive(Debug, Clone)]
pub struct PostgresTarget {
    /// Server, database, user, and password where there is one.
    config: Config,
    /// In plain text without it.
    tls: Option<TlsClient>,
}

/// An open connection. The task moves its bytes, and ends with it.
pub(crate) type Wire = JoinHandle<Result<(), Error>>;

impl PostgresTarget {
    /// In plain text: for a server that no network leads to.
    #[must_use]
    pub fn in_plain_text(config: Config) -> Self {
        Self { config, tls: None }
    }

    /// By TLS only: a server that has none is refused.
    #[must_use]
    pub fn by_tls(mut config: Config, tls: TlsClient) -> Self {
        config.ssl_mode(tokio_postgres::config::SslMode::Require);
        Self {
            config,
            tls: Some(tls),
        }
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
        let connected = match self.tls.clone() {
            None => self.config.connect(NoTls).await.map(driven),
            Some(tls) => self.config.connect(PostgresTls(tls)).await.map(driven),
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
