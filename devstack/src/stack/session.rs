//! Sessions of the stack itself at its database.
//! It never goes on without TLS where there is TLS.

use anyhow::Result;
use tokio::task::JoinHandle;
use tokio_postgres::config::SslMode;
use tokio_postgres::{Client, Config, Error, NoTls};

use crate::tls::PostgresTls;

/// Opens one; with the task that carries it.
pub(super) async fn connect(
    url: &str,
    tls: Option<&PostgresTls>,
) -> Result<(Client, JoinHandle<Result<(), Error>>)> {
    let mut config: Config = url.parse()?;
    let Some(tls) = tls else {
        let (client, connection) = config.connect(NoTls).await?;
        return Ok((client, tokio::spawn(connection)));
    };
    let (client, connection) = config.ssl_mode(SslMode::Require).connect(tls.clone()).await?;
    Ok((client, tokio::spawn(connection)))
}
