//! Managed identities as Azure has them: a directory, the tokens it gives, and the endpoint where an app gets its own.
//! It never decides what a store does with a token: each store asks the directory what the identity may do.

mod directory;
mod endpoint;
mod issuer;
mod managed;
mod passwords;
mod roles;
mod switches;
mod token;

pub use directory::Directory;
pub use endpoint::IdentityEndpoint;
pub use managed::ManagedIdentity;
pub use passwords::PasswordWriter;
pub use roles::Role;
pub(crate) use roles::{Claim, covers};
pub use switches::IdentitySwitches;
pub(crate) use token::TokenFault;

/// The audience of tokens for Azure Database for PostgreSQL.
pub const POSTGRES_AUDIENCE: &str = "https://ossrdbms-aad.database.windows.net";
/// The audience of tokens for Service Bus.
pub const SERVICE_BUS_AUDIENCE: &str = "https://servicebus.azure.net";
/// The audience of tokens for Cosmos DB.
pub const COSMOS_AUDIENCE: &str = "https://cosmos.azure.com";
