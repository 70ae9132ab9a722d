//! An app's identity.
//! It never says what the app may do.

use uuid::Uuid;

/// An identity that belongs to an app.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ManagedIdentity {
    /// The resource's name; its login role in PostgreSQL has it too.
    pub name: String,
    /// Which identity an app asks for (`AZURE_CLIENT_ID`).
    pub client_id: Uuid,
    /// Who it is to a store; Azure also says principal id.
    pub object_id: Uuid,
}
