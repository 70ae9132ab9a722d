//! Who this process is to Azure: a managed identity, or at a person's terminal whoever has signed in there.
//! Never holds a secret of its own, and never shows a token.

mod source;

use std::sync::Arc;

use azure_core::{
    credentials::TokenCredential,
    http::{ClientOptions, RetryOptions},
};
use azure_identity::{
    DeveloperToolsCredential, ManagedIdentityCredential, ManagedIdentityCredentialOptions, UserAssignedId,
};

pub use source::{IdentityError, TokenSource};

/// A service that takes tokens of Microsoft Entra ID.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenAudience {
    /// Azure Database for PostgreSQL.
    Postgres,
    /// Azure Service Bus.
    ServiceBus,
    /// Azure Cosmos DB.
    Cosmos,
}

impl TokenAudience {
    /// The scope that a token for it is asked with; without `/.default`, its audience.
    #[must_use]
    pub fn scope(self) -> &'static str {
        match self {
            Self::Postgres => "https://ossrdbms-aad.database.windows.net/.default",
            Self::ServiceBus => "https://servicebus.azure.net/.default",
            Self::Cosmos => "https://cosmos.azure.com/.default",
        }
    }
}

/// The way to tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Identity {
    /// The identity that the platform gives this process; the one with this client id where there are several.
    Managed(Option<String>),
    /// Whoever has signed in at this machine with the Azure CLI, or else with azd.
    SignedIn,
}

impl Identity {
    /// The tokens for a service. Each has its own credential, since the crate's lets one service wait for another's token.
    ///
    /// # Errors
    /// There is no such identity here.
    pub fn tokens(&self, audience: TokenAudience) -> Result<Arc<TokenSource>, azure_core::Error> {
        let credential: Arc<dyn TokenCredential> = match self {
            Self::SignedIn => DeveloperToolsCredential::new(None)?,
            Self::Managed(client_id) => ManagedIdentityCredential::new(Some(options(client_id.as_deref())))?,
        };
        Ok(Arc::new(TokenSource::new(credential, audience.scope())))
    }
}

/// One try each: when to try again is the token source's to say.
fn options(client_id: Option<&str>) -> ManagedIdentityCredentialOptions {
    ManagedIdentityCredentialOptions {
        user_assigned_id: client_id.map(|id| UserAssignedId::ClientId(id.to_owned())),
        client_options: ClientOptions {
            retry: RetryOptions::none(),
            ..ClientOptions::default()
        },
    }
}
