//! The servers of one round: the handler by itself, or the one that the Functions host's stand-in has started.
//! Never two handlers: what is asked directly and what is asked through the host is the same process.

use std::{collections::BTreeMap, net::SocketAddr, path::Path};

use anyhow::Result;

use super::report::System;
use crate::{figures::Processes, handler::Handler, servers::Host};

/// They end when this is dropped.
#[derive(Debug)]
pub(super) enum Running {
    Alone(Handler),
    BehindHost(Host),
}

impl Running {
    /// Starts what the handler is measured beside this partner with.
    pub(super) fn start(partner: System, binary: &Path, settings: &BTreeMap<String, String>) -> Result<Self> {
        if partner == System::Host {
            return Host::start(binary, settings).map(Self::BehindHost);
        }
        Handler::start(binary, settings).map(Self::Alone)
    }

    /// Where this system is asked.
    pub(super) fn address(&self, system: System) -> SocketAddr {
        match self {
            Self::Alone(handler) => handler.address(),
            Self::BehindHost(host) if system == System::Host => host.address(),
            Self::BehindHost(host) => host.handler_address,
        }
    }

    /// Those that are watched, over this database; the host too while it is not asked, when it should use nothing.
    pub(super) fn processes(&self, store: u32) -> Processes {
        let (app, host) = match self {
            Self::Alone(handler) => (handler.pid(), None),
            Self::BehindHost(host) => (host.handler_pid, Some(host.pid())),
        };
        Processes {
            store,
            app: Some(app),
            host,
        }
    }
}
