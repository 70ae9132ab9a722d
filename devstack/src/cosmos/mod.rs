//! A Cosmos DB account in memory: Microsoft's own emulator of the service, served over HTTP.
//! It never keeps anything beyond its process, and never answers a request whose signature is wrong.

mod account;
mod admission;
mod answer;
mod authorization;
mod batches;
mod changes;
pub mod command;
mod containers;
mod definitions;
mod documents;
mod door;
mod gateway;
mod patch;
mod properties;
mod query;
mod reader;
mod refusal;
mod request;
mod resource_ids;
mod rights;
mod serve;
mod switches;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result};
use axum::Router;
use axum::extract::Request;
use axum::middleware::map_request;
use axum::serve::ListenerExt as _;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;
use url::Url;

use crate::identity::Directory;
use crate::tls::{ServerCertificate, TlsListener};
use authorization::KEY;
pub(crate) use containers::names;
use door::Door;
use gateway::Gateway;
pub(crate) use reader::DocumentReader;
pub use switches::{CosmosSwitches, Refused};

const STOP_LIMIT: Duration = Duration::from_secs(2);

/// The account's containers and address.
#[derive(Clone, Debug)]
pub struct CosmosOptions {
    /// The file with the database and its containers, shared with the deployment.
    pub containers: PathBuf,
    /// Address to listen on; port 0 takes a free one.
    pub listen: SocketAddr,
    /// The address clients are told to use, where it is not the listening one.
    pub advertise: Option<SocketAddr>,
}

/// Binds the address that an account will be served on.
pub(crate) async fn listen(on: SocketAddr) -> Result<TcpListener> {
    let listener = TcpListener::bind(on).await;
    listener.with_context(|| format!("cannot listen on {on} for Cosmos DB"))
}

/// A running account; dropping it ends it.
#[derive(Debug)]
pub struct CosmosEmulator {
    address: SocketAddr,
    advertised: SocketAddr,
    switches: CosmosSwitches,
    requests: Arc<AtomicU64>,
    gateway: Arc<Gateway>,
    cancel: CancellationToken,
    server: JoinHandle<()>,
    /// Those of other ways in.
    others: Vec<AbortOnDropHandle<()>>,
}

impl CosmosEmulator {
    /// Listens, with every container made.
    pub async fn start(options: CosmosOptions) -> Result<Self> {
        let listener = listen(options.listen).await?;
        Self::serve(listener, &options.containers, options.advertise).await
    }

    /// The same with each container spread over so many physical partitions: the service in memory copies one for each
    /// batch, which takes the longer the more is in it.
    pub async fn start_spread(options: CosmosOptions, partitions: u32) -> Result<Self> {
        let listener = listen(options.listen).await?;
        Self::serve_spread(listener, &options.containers, options.advertise, Some(partitions)).await
    }

    /// Like [`Self::start`], on what has been bound already.
    pub(crate) async fn serve(
        listener: TcpListener,
        containers: &Path,
        advertise: Option<SocketAddr>,
    ) -> Result<Self> {
        Self::serve_spread(listener, containers, advertise, None).await
    }

    async fn serve_spread(
        listener: TcpListener,
        containers: &Path,
        advertise: Option<SocketAddr>,
        partitions: Option<u32>,
    ) -> Result<Self> {
        let containers = containers::read(containers)?;
        let address = listener.local_addr()?;
        let advertised = advertise.unwrap_or(address);
        let switches = CosmosSwitches::default();
        let gateway = Gateway::new(advertised, switches.clone())?;
        containers::make(&gateway, &containers, partitions).await?;
        let gateway = Arc::new(gateway);
        let requests = Arc::new(AtomicU64::new(0));
        let endpoint = Url::parse(&format!("http://{advertised}/"))?;
        let app = app(&gateway, Door::new(endpoint, None), &requests);
        // Clients speak HTTP/2, many answers over one connection: Nagle's algorithm would hold one back for 40 ms.
        let listener = listener.tap_io(|stream| {
            if let Err(error) = stream.set_nodelay(true) {
                tracing::warn!(%error, "small answers will be late");
            }
        });
        let cancel = CancellationToken::new();
        let cancelled = cancel.clone().cancelled_owned();
        let server = tokio::spawn(async move {
            if let Err(error) = axum::serve(listener, app).with_graceful_shutdown(cancelled).await {
                tracing::error!(%error, "the Cosmos DB emulator ended");
            }
        });
        Ok(Self {
            address,
            advertised,
            switches,
            requests,
            gateway,
            cancel,
            server,
            others: Vec::new(),
        })
    }

    /// Serves other clients as Azure does: over HTTPS, by the roles that identities of the directory have, and not by the key.
    /// They come to `advertise` where that is another port; gives their endpoint.
    pub fn serve_like_azure(
        &mut self,
        listener: TcpListener,
        certificate: &ServerCertificate,
        directory: &Directory,
        advertise: Option<SocketAddr>,
    ) -> Result<String> {
        let address = advertise.map_or_else(|| listener.local_addr(), Ok)?;
        let endpoint = Url::parse(&format!("https://localhost:{}/", address.port()))?;
        let door = Door::new(endpoint.clone(), Some(directory.clone()));
        let app = app(&self.gateway, door, &self.requests);
        let listener = TlsListener::new(listener, certificate.acceptor(&["h2", "http/1.1"])?)?;
        let cancelled = self.cancel.clone().cancelled_owned();
        let server = tokio::spawn(async move {
            if let Err(error) = axum::serve(listener, app).with_graceful_shutdown(cancelled).await {
                tracing::error!(%error, "the Cosmos DB emulator ended");
            }
        });
        self.others.push(AbortOnDropHandle::new(server));
        Ok(endpoint.to_string())
    }

    /// The address that it listens on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The account's endpoint, as clients are told.
    pub fn endpoint(&self) -> String {
        format!("http://{}/", self.advertised)
    }

    /// The account's key.
    pub fn key(&self) -> &'static str {
        KEY
    }

    /// The faults that can be switched on, all off at the start.
    pub fn switches(&self) -> CosmosSwitches {
        self.switches.clone()
    }

    /// The number of requests so far, refused ones too.
    pub fn requests(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }

    /// Finishes open requests and closes every connection.
    pub async fn stop(mut self) -> Result<()> {
        self.cancel.cancel();
        // A client that never closes its side is left behind rather than waited for.
        let _ = tokio::time::timeout(STOP_LIMIT, &mut self.server).await;
        Ok(())
    }
}

/// Answers those who come through this door, and counts them.
fn app(gateway: &Arc<Gateway>, door: Door, requests: &Arc<AtomicU64>) -> Router {
    let counter = Arc::clone(requests);
    let count = move |request: Request| {
        counter.fetch_add(1, Ordering::Relaxed);
        std::future::ready(request)
    };
    Router::new()
        .fallback(serve::answer)
        .layer(map_request(count))
        .with_state((Arc::clone(gateway), door))
}

impl Drop for CosmosEmulator {
    fn drop(&mut self) {
        self.cancel.cancel();
        self.server.abort();
    }
}
