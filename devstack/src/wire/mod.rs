//! A TCP proxy in front of a server, with faults at the turn of a switch.
//! It never reads or changes what passes through, so any protocol can run over it.

mod pipe;
mod switch;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use anyhow::Result;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

use pipe::Pipe;
pub use switch::Moment;
use switch::{Direction, Line, Switch, WireMode};

/// A running proxy; dropping it breaks every connection.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    switch: Arc<watch::Sender<Switch>>,
    acceptor: JoinHandle<()>,
}

impl Proxy {
    /// Listens on a free loopback port and passes every connection on to `upstream`.
    pub async fn start(upstream: SocketAddr) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let switch = Arc::new(watch::Sender::new(Switch::default()));
        let acceptor = tokio::spawn(accept(listener, upstream, Arc::clone(&switch)));
        Ok(Self {
            address,
            switch,
            acceptor,
        })
    }

    /// The address that clients connect to.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Breaks every connection with a reset, and each new one as soon as it is made.
    ///
    /// After [`Self::hold_answers`] a connection is broken as soon as its server has got what its client has sent.
    pub fn cut(&self) {
        self.switch.send_modify(Switch::cut);
    }

    /// Lets connections through again after a cut.
    pub fn restore(&self) {
        self.turn(WireMode::Open);
    }

    /// Holds back every byte while keeping connections open: a network that swallows packets.
    pub fn pause(&self) {
        self.turn(WireMode::Paused);
    }

    /// Holds back what servers send, and passes what clients send: the work is done, and no client hears of it.
    pub fn hold_answers(&self) {
        self.turn(WireMode::HoldAnswers);
    }

    /// Holds back what clients send, and passes what servers send.
    pub fn hold_requests(&self) {
        self.turn(WireMode::HoldRequests);
    }

    /// Lets held bytes pass, and stops nowhere.
    pub fn resume(&self) {
        self.turn(WireMode::Open);
    }

    /// Stops at the `nth` piece that a client sends from now on, counted from 1 over all connections; [`Self::stopped`] tells
    /// when. A piece is what comes out of the network at a time, mostly one message of the protocol.
    pub fn stop_at(&self, nth: u64, moment: Moment) {
        self.switch.send_modify(|switch| switch.stop_at(nth, moment));
    }

    /// Breaks every connection with a reset when clients have sent so many bytes more, counted over all of them: mostly in the
    /// middle of something. New connections pass; [`Self::stopped`] tells when.
    pub fn break_after_requests(&self, bytes: usize) {
        self.switch
            .send_modify(|switch| switch.break_after(Direction::Requests, bytes));
    }

    /// The same when servers have sent so many bytes more.
    pub fn break_after_answers(&self, bytes: usize) {
        self.switch
            .send_modify(|switch| switch.break_after(Direction::Answers, bytes));
    }

    /// True when it has stopped, or broken, where it was told to.
    pub fn has_stopped(&self) -> bool {
        self.switch.borrow().stopped
    }

    /// Waits until it has stopped where it was told to; [`Self::resume`] lets bytes pass again.
    pub async fn stopped(&self) {
        let mut switch = self.switch.subscribe();
        // The sender is ours, so it is there.
        let _ = switch.wait_for(|switch| switch.stopped).await;
    }

    /// Breaks every connection and gives up the port.
    pub async fn stop(mut self) -> Result<()> {
        self.acceptor.abort();
        let _ = (&mut self.acceptor).await;
        Ok(())
    }

    fn turn(&self, mode: WireMode) {
        self.switch.send_modify(|switch| switch.turn(mode));
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.acceptor.abort();
    }
}

async fn accept(listener: TcpListener, upstream: SocketAddr, switch: Arc<watch::Sender<Switch>>) {
    // Connections live in the set, so that they end with the acceptor.
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((client, _)) => {
                    connections.spawn(serve(client, upstream, Line::new(Arc::clone(&switch))));
                }
                Err(error) => tracing::warn!(%error, "the wire could not accept a connection"),
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn serve(mut client: TcpStream, upstream: SocketAddr, line: Line) {
    let connecting = async {
        line.reaches().await.ok()?;
        TcpStream::connect(upstream).await.ok()
    };
    let mut server = tokio::select! {
        biased;
        _ = line.cut() => return reset(client),
        server = connecting => match server {
            Some(server) => server,
            None => return,
        },
    };
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let mut pipe = Pipe::new(&mut client, &mut server);
    let requests_first = tokio::select! {
        biased;
        requests_first = line.cut() => requests_first,
        () = pipe.pass(&line) => return,
    };
    if requests_first {
        pipe.finish_requests().await;
    }
    reset(client);
    if requests_first {
        pipe::hang_up(server).await;
    }
}

/// A reset and not an orderly end: what a broken network looks like.
fn reset(client: TcpStream) {
    let _ = client.set_zero_linger();
}
