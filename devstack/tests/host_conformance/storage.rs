//! The storage account of a row: Azurite behind a wire that can be cut.
//! Never the account that other apps use: each row has its own.

use devstack::{azurite::Azurite, wire::Proxy};

use crate::runtime::wait;

/// A running account.
pub(crate) struct StorageAccount {
    azurite: Azurite,
    wire: Proxy,
}

impl StorageAccount {
    /// Starts one; `None` where Azurite cannot be had, which is a fault where CI says so.
    pub(crate) fn start() -> Option<Self> {
        if !Azurite::can_start() {
            assert!(std::env::var_os("CI").is_none(), "Azurite needs npm and Node.js");
            println!("not run: Azurite needs npm and Node.js");
            return None;
        }
        let azurite = wait(Azurite::start()).expect("Azurite starts");
        let wire = wait(Proxy::start(azurite.address())).expect("a wire");
        Some(Self { azurite, wire })
    }

    pub(crate) fn connection_string(&self) -> String {
        let (own, wired) = (self.azurite.address(), self.wire.address());
        let text = self.azurite.connection_string();
        text.replace(&own.to_string(), &wired.to_string())
    }

    pub(crate) fn take_away(&self) {
        self.wire.cut();
    }

    pub(crate) fn give_back(&self) {
        self.wire.restore();
    }
}
