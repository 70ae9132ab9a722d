//! The listener: one task per connection, one for what runs out.
//! Never lets one connection's failure reach another.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::task::{JoinHandle, JoinSet};
use tokio_util::task::AbortOnDropHandle;
use tracing::Instrument;

use super::clock::{now_ms, until};
use super::door::Door;
use super::entities::Entities;
use super::shared::SharedState;
use super::switches::ServiceBusSwitches;
use super::{peer, token};
use crate::identity::Directory;
use crate::tls::ServerCertificate;

/// A running emulator; dropping it stops it.
#[derive(Debug)]
pub struct ServiceBusEmulator {
    address: SocketAddr,
    shared: Arc<SharedState>,
    task: JoinHandle<()>,
    /// Those of other ways in.
    others: Vec<AbortOnDropHandle<()>>,
}

impl ServiceBusEmulator {
    /// Listens on `address`; port 0 takes a free one.
    pub async fn start(entities: Entities, address: SocketAddr) -> io::Result<Self> {
        Self::serve(entities, TcpListener::bind(address).await?)
    }

    /// Serves the clients that connect to `listener`.
    pub fn serve(entities: Entities, listener: TcpListener) -> io::Result<Self> {
        let address = listener.local_addr()?;
        let shared = Arc::new(SharedState::new(&entities));
        Ok(Self {
            address,
            shared: Arc::clone(&shared),
            task: tokio::spawn(serve(listener, shared)),
            others: Vec::new(),
        })
    }

    /// Serves other clients as Azure does: with TLS from the first byte, and by the roles that identities of the directory
    /// have. There is no key to it.
    pub fn serve_like_azure(
        &mut self,
        listener: TcpListener,
        certificate: &ServerCertificate,
        directory: &Directory,
    ) -> anyhow::Result<()> {
        let door = Door::Azure {
            tls: certificate.acceptor(&[])?,
            directory: directory.clone(),
        };
        let accepting = tokio::spawn(accept(listener, Arc::clone(&self.shared), door));
        self.others.push(AbortOnDropHandle::new(accepting));
        Ok(())
    }

    /// The address that it listens on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The connection string for clients.
    pub fn connection_string(&self) -> String {
        format!(
            "Endpoint=sb://{};SharedAccessKeyName={};SharedAccessKey={};UseDevelopmentEmulator=true;",
            reachable(self.address),
            token::KEY_NAME,
            token::KEY
        )
    }

    /// The faults that can be switched on, all off at the start.
    pub fn switches(&self) -> ServiceBusSwitches {
        ServiceBusSwitches(Arc::clone(&self.shared))
    }

    /// Stops listening and drops every connection.
    pub async fn stop(mut self) {
        self.task.abort();
        // A cancelled task is what was asked for.
        let _ = (&mut self.task).await;
    }
}

impl Drop for ServiceBusEmulator {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// The address that clients use: of one that stands for all of them, the one that other machines see.
fn reachable(mut address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        // Nothing is sent: connecting only chooses the way out. The addresses are those of documentation (RFC 5737, 3849).
        let [here, away] = if address.is_ipv4() {
            ["0.0.0.0:0", "192.0.2.1:9"]
        } else {
            ["[::]:0", "[2001:db8::1]:9"]
        };
        let way = UdpSocket::bind(here).and_then(|socket| {
            socket.connect(away)?;
            socket.local_addr()
        });
        let loopback = if address.is_ipv4() {
            IpAddr::from(Ipv4Addr::LOCALHOST)
        } else {
            IpAddr::from(Ipv6Addr::LOCALHOST)
        };
        address.set_ip(way.map_or(loopback, |way| way.ip()));
    }
    address
}

/// The plain way in, and what runs out in the meantime.
async fn serve(listener: TcpListener, shared: Arc<SharedState>) {
    tokio::join!(expire(Arc::clone(&shared)), accept(listener, shared, Door::Key));
}

async fn accept(listener: TcpListener, shared: Arc<SharedState>, door: Door) {
    let mut tasks = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, remote)) => {
                    // Before the look at the other switch, so that refusing and then dropping misses no connection.
                    let mut drops = shared.faults.drops();
                    if shared.faults.is_refusing() {
                        continue;
                    }
                    let (shared, door) = (shared.clone(), door.clone());
                    let serve = async move {
                        tokio::select! {
                            biased;
                            _ = drops.changed() => {}
                            ended = peer::run(stream, shared, door) => match ended {
                                Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                                    tracing::warn!(why = ?error.to_string(), "a connection is refused");
                                }
                                Err(error) => tracing::debug!(%error, "a connection ended"),
                                Ok(()) => {}
                            }
                        }
                    };
                    tasks.spawn(serve.instrument(tracing::warn_span!("client", %remote)));
                }
                Err(error) => {
                    tracing::warn!(%error, "cannot accept");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            },
            Some(_) = tasks.join_next() => {}
        }
    }
}

/// Returns messages to their queues when their locks run out, and takes away those past their time to live.
async fn expire(shared: Arc<SharedState>) {
    loop {
        let next = shared.broker().next_expiry();
        let wait = next.map(until);
        tokio::select! {
            () = shared.next_dated() => {}
            () = tokio::time::sleep(wait.unwrap_or(Duration::from_secs(60))) => {}
        }
        let expired = shared.broker().expire(now_ms());
        if expired {
            shared.wake();
        }
    }
}
