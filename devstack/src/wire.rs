//! A TCP proxy that can cut the wire between two parts, for tests of outages.
//! Never looks at or changes the bytes that pass.

use std::{io, net::SocketAddr};

use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    sync::watch,
};
use tokio_util::task::AbortOnDropHandle;

/// A wire to one upstream; it goes when this is dropped.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    whole: watch::Sender<bool>,
    _accepting: AbortOnDropHandle<()>,
}

impl Proxy {
    /// Listens on a free port of 127.0.0.1 and passes every connection on to `upstream`.
    ///
    /// # Errors
    /// When no port can be had.
    pub async fn start(upstream: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let (whole, state) = watch::channel(true);
        let accepting = tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                tokio::spawn(pass(near, upstream, state.clone()));
            }
        });
        Ok(Self {
            address,
            whole,
            _accepting: AbortOnDropHandle::new(accepting),
        })
    }

    /// Where the near end listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Breaks every connection, and every new one at once, until [`Self::restore`].
    pub fn cut(&self) {
        self.whole.send_replace(false);
    }

    /// Lets new connections through again.
    pub fn restore(&self) {
        self.whole.send_replace(true);
    }
}

/// Copies both ways until an end closes or the wire is cut.
async fn pass(mut near: TcpStream, upstream: SocketAddr, mut whole: watch::Receiver<bool>) {
    let copy = async {
        if let Ok(mut far) = TcpStream::connect(upstream).await {
            let _closed = copy_bidirectional(&mut near, &mut far).await;
        }
    };
    tokio::select! {
        biased;
        _ = whole.wait_for(|whole| !whole) => {}
        () = copy => {}
    }
}
