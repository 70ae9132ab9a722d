//! The storage account of a stack: within the host, or Azurite; it can be taken away like every service.
//! It never holds anything but the locks of timers.

use std::net::{Ipv4Addr, SocketAddr};

use anyhow::Result;

use super::StorageChoice;
use crate::azurite::{self, Azurite};
use crate::host::InnerStorage;
use crate::wire::Proxy;

/// The account, and the wire to it where there is one to break.
#[derive(Debug, Default)]
pub(super) struct StackStorage {
    inner: InnerStorage,
    /// Where Azurite is, seen from the host; `None` for the inner one.
    address: Option<SocketAddr>,
    wire: Option<Proxy>,
    /// Kept because dropping it ends it; `None` when it is not ours.
    _azurite: Option<Azurite>,
}

impl StackStorage {
    pub(super) async fn start(choice: &StorageChoice, faults: bool) -> Result<Self> {
        let (azurite, address) = match choice {
            StorageChoice::Inner => return Ok(Self::default()),
            StorageChoice::Azurite => {
                let azurite = Azurite::start().await?;
                let address = azurite.address();
                (Some(azurite), address)
            }
            StorageChoice::Shared(port) => (None, SocketAddr::from((Ipv4Addr::LOCALHOST, *port))),
        };
        let wire = if faults {
            Some(Proxy::start(address).await?)
        } else {
            None
        };
        Ok(Self {
            inner: InnerStorage::default(),
            address: Some(wire.as_ref().map_or(address, Proxy::address)),
            wire,
            _azurite: azurite,
        })
    }

    pub(super) fn inner(&self) -> InnerStorage {
        self.inner.clone()
    }

    /// `None` for the inner one, which local.settings.json names.
    pub(super) fn connection_string(&self) -> Option<String> {
        self.address.map(azurite::connection_string)
    }

    pub(super) fn take_away(&self) {
        self.inner.take_away();
        if let Some(wire) = &self.wire {
            wire.cut();
        }
    }

    pub(super) fn give_back(&self) {
        self.inner.give_back();
        if let Some(wire) = &self.wire {
            wire.restore();
        }
    }
}
