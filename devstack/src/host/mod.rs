//! A stand-in for the Azure Functions host: reads an app folder, runs its custom handler, serves its HTTP functions.
//! Never kinder than the real one; triggers that it cannot run yet (timer, Service Bus) are refused by name.

mod contract;
mod handler;
mod proxy;

use std::{collections::BTreeMap, io, net::SocketAddr, path::PathBuf};

use tokio::{net::TcpListener, sync::watch};
use tokio_util::task::AbortOnDropHandle;

/// What to run, and where.
#[derive(Debug)]
pub struct Options {
    /// The app folder.
    pub script_root: PathBuf,
    /// Where callers reach the functions; port 0 is any free one.
    pub listen: SocketAddr,
    /// Settings that win over local.settings.json.
    pub environment: BTreeMap<String, String>,
    /// True: the handler's log lines are thrown away.
    pub quiet: bool,
}

/// Why the host did not start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file of the app folder is wrong; the message names it.
    #[error("{0}")]
    App(String),
    /// The port is not to be had.
    #[error("port {} of {} is taken: choose another one", .0.port(), .0.ip())]
    Taken(SocketAddr),
    /// The handler did not start.
    #[error("{0}")]
    Handler(String),
    /// The system refused something else.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// A running host; the handler is killed when this is dropped.
#[derive(Debug)]
pub struct Host {
    address: SocketAddr,
    state: watch::Receiver<handler::State>,
    _serving: AbortOnDropHandle<()>,
    _supervising: AbortOnDropHandle<()>,
}

impl Host {
    /// Starts the handler, waits until it listens, and serves its functions.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn start(options: Options) -> Result<Self, Error> {
        let root = options.script_root.canonicalize()?;
        let app = contract::App::read(&root)?;
        let listener = TcpListener::bind(options.listen)
            .await
            .map_err(|error| match error.kind() {
                io::ErrorKind::AddrInUse => Error::Taken(options.listen),
                _ => Error::Io(error),
            })?;
        let address = listener.local_addr()?;
        let upstream = handler::free_port()?;
        let mut environment = app.settings.clone();
        environment.extend(options.environment);
        environment.insert(
            "WEBSITE_HOSTNAME".to_owned(),
            format!("localhost:{}", address.port()),
        );
        let executable = root.join(&app.executable);
        let launch = handler::Launch {
            executable,
            script_root: root,
            environment,
            quiet: options.quiet,
        };
        let (report, mut state) = watch::channel(handler::State::Starting);
        let supervising = AbortOnDropHandle::new(tokio::spawn(handler::supervise(launch, upstream, report)));
        let router = proxy::router(&app, upstream, state.clone());
        let serving = tokio::spawn(async move {
            // axum::serve never ends by itself; it goes with the host.
            let _ended = axum::serve(listener, router).await;
        });
        let serving = AbortOnDropHandle::new(serving);
        let settled = state
            .wait_for(|state| *state != handler::State::Starting)
            .await
            .map(|state| state.clone());
        match settled {
            Ok(handler::State::Ready(_)) => {}
            Ok(handler::State::Stopped(why)) => return Err(Error::Handler(why)),
            _ => return Err(Error::Handler("the handler ended with exit code 0".to_owned())),
        }
        Ok(Self {
            address,
            state,
            _serving: serving,
            _supervising: supervising,
        })
    }

    /// Base of the functions' URLs, without the route prefix and without a slash at the end.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Process id of the handler, while it is ready.
    #[must_use]
    pub fn handler_pid(&self) -> Option<u32> {
        match *self.state.borrow() {
            handler::State::Ready(pid) => Some(pid),
            _ => None,
        }
    }

    /// Waits until the host has given up, and says why.
    pub async fn stopped(&self) -> String {
        let mut state = self.state.clone();
        let given_up = state
            .wait_for(|state| matches!(state, handler::State::Stopped(_)))
            .await;
        match given_up.as_deref() {
            Ok(handler::State::Stopped(why)) => why.clone(),
            _ => std::future::pending().await,
        }
    }
}
