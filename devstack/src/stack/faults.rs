//! The wires between the handler and its services, each of which can be broken.
//! It never stands between a test and a service, so what happened can still be seen.

use std::net::SocketAddr;

use anyhow::Result;

use crate::wire::Proxy;

/// One proxy before each service; one whose service was not started leads nowhere.
#[derive(Debug)]
pub struct Faults {
    /// Before PostgreSQL.
    pub postgres: Proxy,
    /// Before the bus.
    pub servicebus: Proxy,
    /// Before the documents.
    pub cosmos: Proxy,
}

impl Faults {
    pub(super) async fn start(
        postgres: SocketAddr,
        servicebus: SocketAddr,
        cosmos: SocketAddr,
    ) -> Result<Self> {
        Ok(Self {
            postgres: Proxy::start(postgres).await?,
            servicebus: Proxy::start(servicebus).await?,
            cosmos: Proxy::start(cosmos).await?,
        })
    }

    pub(super) async fn stop(self) -> Result<()> {
        self.postgres.stop().await?;
        self.servicebus.stop().await?;
        self.cosmos.stop().await
    }
}
