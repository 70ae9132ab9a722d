//! The roles that Azure's stores know, as far as a stack gives them.
//! It never holds a role over the whole of a subscription or resource group: a scope is a path within one store.

/// A built-in role of Azure's; the scope that it is given over says of which store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// "Azure Service Bus Data Sender".
    ServiceBusSender,
    /// "Azure Service Bus Data Receiver".
    ServiceBusReceiver,
    /// "Cosmos DB Built-in Data Reader".
    CosmosReader,
    /// "Cosmos DB Built-in Data Contributor".
    CosmosContributor,
}

/// What a store wants to know of an identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Claim {
    Send,
    Listen,
    ReadMetadata,
    ReadItems,
    WriteItems,
}

impl Role {
    /// True when this role is enough.
    pub(super) fn grants(self, claim: Claim) -> bool {
        match self {
            Self::ServiceBusSender => claim == Claim::Send,
            Self::ServiceBusReceiver => claim == Claim::Listen,
            Self::CosmosReader => matches!(claim, Claim::ReadMetadata | Claim::ReadItems),
            Self::CosmosContributor => {
                matches!(claim, Claim::ReadMetadata | Claim::ReadItems | Claim::WriteItems)
            }
        }
    }

    /// True for the roles of an account of documents.
    pub(super) fn is_of_cosmos(self) -> bool {
        self.grants(Claim::ReadMetadata)
    }
}

/// True when a grant for one path reaches another: itself and all below it.
pub(crate) fn covers(granted: &str, wanted: &str) -> bool {
    match wanted.strip_prefix(granted) {
        Some(rest) => granted.is_empty() || rest.is_empty() || rest.starts_with('/'),
        None => false,
    }
}
