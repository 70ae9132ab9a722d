//! A TCP proxy in front of a server, with faults at the turn of a switch.
//! It never reads or changes what passes through, so any protocol can run over it.

mod pipe;

use std::net::{Ipv4Addr, SocketAddr};

use anyhow::Result;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

/// What the wire does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    /// Bytes pass.
    Open,
    /// Connections stay, and nothing passes.
    Paused,
    /// Every connection is broken, and new ones with it.
    Cut,
}

/// A running proxy; dropping it breaks every connection.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    mode: watch::Sender<Mode>,
    acceptor: JoinHandle<()>,
}

impl Proxy {
    /// Listens on a free loopback port and passes every connection on to `upstream`.
    pub async fn start(upstream: SocketAddr) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let (mode, watcher) = watch::channel(Mode::Open);
        let acceptor = tokio::spawn(accept(listener, upstream, watcher));
        Ok(Self {
            address,
            mode,
            acceptor,
        })
    }

    /// Where clients connect.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Breaks every connection with a reset, and each new one as soon as it is made.
    pub fn cut(&self) {
        self.mode.send_replace(Mode::Cut);
    }

    /// Lets connections through again after a cut.
    pub fn restore(&self) {
        self.mode.send_replace(Mode::Open);
    }

    /// Holds back every byte while keeping connections open: a network that swallows packets.
    pub fn pause(&self) {
        self.mode.send_replace(Mode::Paused);
    }

    /// Lets held bytes pass.
    pub fn resume(&self) {
        self.mode.send_replace(Mode::Open);
    }

    /// Breaks every connection and gives up the port.
    pub async fn stop(mut self) -> Result<()> {
        self.acceptor.abort();
        let _ = (&mut self.acceptor).await;
        Ok(())
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.acceptor.abort();
    }
}

async fn accept(listener: TcpListener, upstream: SocketAddr, mode: watch::Receiver<Mode>) {
    // Connections live in the set, so that they end with the acceptor.
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((client, _)) => {
                    connections.spawn(serve(client, upstream, mode.clone()));
                }
                Err(error) => tracing::warn!(%error, "the wire could not accept a connection"),
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn serve(mut client: TcpStream, upstream: SocketAddr, mut mode: watch::Receiver<Mode>) {
    let mut until_cut = mode.clone();
    let passing = async {
        // A paused wire does not even reach the server.
        let _ = mode.wait_for(|mode| *mode != Mode::Paused).await;
        let Ok(mut server) = TcpStream::connect(upstream).await else {
            return;
        };
        let _ = (client.set_nodelay(true), server.set_nodelay(true));
        pipe::both(&mut client, &mut server, &mode).await;
    };
    let cut = tokio::select! {
        biased;
        cut = until_cut.wait_for(|mode| *mode == Mode::Cut) => cut.is_ok(),
        () = passing => false,
    };
    if cut {
        // A reset and not an orderly end: what a broken network looks like.
        let _ = client.set_zero_linger();
    }
}
