//! The way in as in Azure for the emulator alone: an authority, a directory with two identities, and their endpoint.
//! Never gives the second identity a role: with it one sees what is refused.

use std::net::SocketAddr;

use anyhow::{Context as _, Result};
use tempfile::NamedTempFile;
use tokio::net::TcpListener;

use super::ServiceBusEmulator;
use crate::identity::{Directory, IdentityEndpoint, ManagedIdentity, Role};
use crate::tls::CertificateAuthority;

/// All of it; it ends when dropped.
pub(super) struct AzureEntrance {
    endpoint: IdentityEndpoint,
    trusted: ManagedIdentity,
    stranger: ManagedIdentity,
    roots: NamedTempFile,
}

impl AzureEntrance {
    pub(super) async fn open(
        emulator: &mut ServiceBusEmulator,
        address: SocketAddr,
        token_life: Option<i64>,
    ) -> Result<Self> {
        let listener = TcpListener::bind(address).await;
        let listener = listener.with_context(|| format!("cannot listen on {address}"))?;
        let authority = CertificateAuthority::new()?;
        let directory = Directory::default();
        emulator.serve_like_azure(listener, &authority.certify()?, &directory)?;
        let (trusted, stranger) = (directory.create("id-trusted"), directory.create("id-stranger"));
        for role in [Role::ServiceBusSender, Role::ServiceBusReceiver] {
            directory.assign(&trusted, role, "");
        }
        let endpoint = IdentityEndpoint::start(directory).await?;
        if let Some(life) = token_life {
            // A client that asks in the last quarter gets a new one.
            endpoint.switches().live(life, life / 4);
        }
        let roots = NamedTempFile::new()?;
        std::fs::write(roots.path(), authority.pem())?;
        Ok(Self {
            endpoint,
            trusted,
            stranger,
            roots,
        })
    }

    /// What a client needs, besides the host name `localhost`.
    pub(super) fn settings(&self) -> Vec<(String, String)> {
        let mut settings: Vec<_> = self.endpoint.environment(&self.trusted).into_iter().collect();
        settings.push((
            "STRANGER_CLIENT_ID".to_owned(),
            self.stranger.client_id.to_string(),
        ));
        let roots = self.roots.path().display().to_string();
        settings.push(("SSL_CERT_FILE".to_owned(), roots));
        settings
    }
}
