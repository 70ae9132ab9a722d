//! A stand-in for the Azure Functions host: reads an app folder, runs its handler and its triggers.
//! It never scales, and refuses by name what it cannot do.

mod bus;
mod call;
mod client;
pub mod command;
mod command_line;
mod cors;
mod edge;
mod envelope;
mod error;
mod error_chain;
mod forward;
mod function;
mod guard;
mod handler;
mod headers;
mod host_json;
mod http1;
mod http_options;
mod invoke;
mod json;
mod life;
mod log;
mod members;
mod outcome;
mod path;
mod payload;
mod proxy;
mod redirect;
mod request_line;
mod resend;
mod route;
mod schedule;
mod server;
mod settings;
pub mod sign_in;
mod storage;
mod timer;
mod timer_lock;
mod times;
mod user;

use std::{
    collections::BTreeMap,
    io,
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    sync::Arc,
    time::Instant,
};

use tokio::{
    net::TcpListener,
    sync::{mpsc, watch},
    task::JoinSet,
};
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};

pub use self::{
    error::Error,
    http_options::{HttpMode, HttpOptions},
    log::Log,
    sign_in::SignIn,
    storage::InnerStorage,
    times::HostTimes,
    user::{InvalidUser, Role, User},
};

use self::{
    call::HttpCalls,
    cors::Cors,
    function::{Function, Functions, Trigger},
    handler::Handler,
    host_json::HostJson,
    http1::{Http1Listener, Peer},
    invoke::Invoker,
    life::HostLife,
    log::Logger,
    server::App,
    settings::Settings,
    storage::Storage,
    timer_lock::TimerLock,
};

const STORAGE: &str = "AzureWebJobsStorage";

/// The environment of this app folder's handler, as [`HostOptions`] say; for its tools too.
///
/// # Errors
/// When local.settings.json is no such file.
pub(crate) fn settings(
    root: &Path,
    without: &[String],
    over: &BTreeMap<String, String>,
) -> Result<BTreeMap<String, String>, Error> {
    let settings = Settings::read(root, without, over)?;
    let owned = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
    Ok(settings.iter().map(owned).collect())
}

/// Everything that the host needs to start.
#[derive(Clone, Debug)]
pub struct HostOptions {
    /// The folder with host.json, the functions and the handler.
    pub script_root: PathBuf,
    /// The address to listen on; port 0 picks a free one.
    pub listen: SocketAddr,
    /// Settings over those of local.settings.json and of this process.
    pub environment: BTreeMap<String, String>,
    /// Settings that the app has only when `environment` names them, whatever local.settings.json and this process say.
    pub without: Vec<String>,
    /// The log of the host and of the handler.
    pub log: Log,
    /// The signed-in user, as App Service authentication would tell the handler; kept to change it later.
    pub sign_in: SignIn,
    /// The storage of an app with `AzureWebJobsStorage=UseDevelopmentStorage=true`.
    pub storage: InnerStorage,
    /// How long the host waits for what.
    pub times: HostTimes,
    /// Which host is played for HTTP.
    pub http: HttpOptions,
}

/// A running host; dropping it kills the handler.
pub struct Host {
    url: String,
    handler: Handler,
    /// Asks for the end.
    ask: CancellationToken,
    /// The reason once it has ended by itself.
    ended: watch::Receiver<Option<String>>,
    life: AbortOnDropHandle<()>,
}

impl Host {
    /// Starts the host; returns when it listens and the handler is ready.
    pub async fn start(options: HostOptions) -> Result<Self, Error> {
        let logger = Logger::open(&options.log)?;
        let root = std::path::absolute(&options.script_root)
            .map_err(|error| Error::file(options.script_root.display().to_string(), error.to_string()))?;
        let settings = Settings::read(&root, &options.without, &options.environment)?;
        let json = HostJson::read(&root, &settings)?;
        let cors = Cors::read(&root)?;
        let functions = function::discover(&root, &json, &settings)?;
        for line in &functions.failed {
            logger.error(line);
        }
        check(&settings, &functions)?;
        let buses = bus::sources(&functions.loaded, &settings)?;
        let storage = settings.get(STORAGE);
        let storage = Storage::read(storage, options.storage.clone()).map_err(|problem| Error::Setting {
            name: STORAGE.to_owned(),
            problem,
        })?;
        let listener = listen(options.listen).await?;
        let address = listener.local_addr().map_err(|source| Error::Listen {
            address: options.listen,
            source,
        })?;
        let url = format!("http://{address}");
        // Apart from what a setting says, a host on this machine is an app of its own, and comes again on its port.
        let host_id = settings.get("AzureFunctionsWebHost__hostid");
        let host_id = host_id.map_or_else(|| format!("devstack-{}", address.port()), str::to_owned);
        let handler = command_line::prepare(&root, &json, &settings, address, &logger)?;
        let invoker = Invoker {
            handler,
            client: client::new(),
            logger,
            timeout: json.function_timeout,
        };
        let parts = HostParts {
            invoker,
            buses,
            json,
            cors,
            options,
            url,
            storage,
            host_id,
        };
        Self::run(parts, functions, listener).await
    }

    async fn run(parts: HostParts, functions: Functions, listener: TcpListener) -> Result<Self, Error> {
        let invoker = parts.invoker.clone();
        let (logger, handler) = (invoker.logger.clone(), invoker.handler.clone());
        let Functions { loaded, failed } = functions;
        wait_for(&parts.storage, parts.options.times, &logger).await;
        let mut supervisor = None;
        if loaded.is_empty() {
            logger.warning("No functions found, so the handler is not started.");
        } else {
            supervisor = Some(AbortOnDropHandle::new(tokio::spawn(handler.clone().supervise())));
            handler.ready().await.map_err(Error::Handler)?;
        }
        let stop = CancellationToken::new();
        let cut = CancellationToken::new();
        let (listeners, faults) = parts.start_triggers(&loaded, &stop, &cut);
        for function in &loaded {
            let what = if function.disabled { "Disabled" } else { "Found" };
            logger.info(format!("{what} function {}", function.name));
        }
        logger.info(format!("Listening on {}", parts.url));
        let http = &parts.options.http;
        let calls = HttpCalls {
            invoker,
            mode: http.mode(&parts.json.handler),
            sign_in: http.easy_auth.then_some(parts.options.sign_in),
        };
        let app = Arc::new(App {
            functions: loaded,
            failed,
            calls,
            master_key: http.master_key.as_deref().map(Arc::from),
            url: parts.url.clone(),
            started: Instant::now(),
        });
        let close = CancellationToken::new();
        let closed = close.clone();
        let server = tokio::spawn(async move {
            // Kept-alive connections are closed as well: the next host on this port must get their requests.
            let router = Cors::layer(parts.cors, server::router(app));
            let router = router.into_make_service_with_connect_info::<Peer>();
            let serving = axum::serve(Http1Listener(listener), router);
            let _ = serving
                .with_graceful_shutdown(async move { closed.cancelled().await })
                .await;
        });
        let life = HostLife {
            handler: handler.clone(),
            supervisor,
            server: AbortOnDropHandle::new(server),
            close,
            stop,
            cut,
            listeners,
            faults,
            times: parts.options.times,
            logger,
        };
        Ok(Self::living(life, parts.url))
    }

    fn living(life: HostLife, url: String) -> Self {
        let (ask, (end, ended)) = (CancellationToken::new(), watch::channel(None));
        let (handler, asked) = (life.handler.clone(), ask.clone());
        let life = tokio::spawn(async move {
            let reason = life.run(asked).await;
            end.send_replace(reason);
        });
        Self {
            url,
            handler,
            ask,
            ended,
            life: AbortOnDropHandle::new(life),
        }
    }

    /// The base URL, without a slash at the end.
    #[must_use]
    pub fn url(&self) -> String {
        self.url.clone()
    }

    /// The id of the handler process; `None` while there is none.
    #[must_use]
    pub fn handler_pid(&self) -> Option<u32> {
        self.handler.pid()
    }

    /// Where the handler is told to listen: past the host.
    #[must_use]
    pub fn handler_address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.handler.port()).into()
    }

    /// Waits until the host has ended by itself, and returns the reason.
    pub async fn stopped(&self) -> String {
        let mut ended = self.ended.clone();
        let reason = ended.wait_for(Option::is_some).await;
        let reason = reason.ok().and_then(|reason| reason.clone());
        reason.unwrap_or_else(|| "the host was stopped".to_owned())
    }

    /// Ends the host as SIGTERM ends the real one: it closes its port, finishes HTTP requests while triggers go on, stops
    /// the triggers, and kills the handler.
    pub async fn stop(mut self) {
        self.ask.cancel();
        // A panic in it has ended everything as well.
        let _ = (&mut self.life).await;
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        self.handler.kill();
    }
}

/// Everything that has been read, before anything runs.
struct HostParts {
    invoker: Invoker,
    buses: Vec<bus::TriggerSource>,
    json: HostJson,
    cors: Option<Cors>,
    options: HostOptions,
    url: String,
    storage: Storage,
    /// The app's name in the storage account: hosts that have it share their timers.
    host_id: String,
}

impl HostParts {
    /// Starts a task for each trigger other than HTTP. What makes the host end comes out of the channel.
    fn start_triggers(
        &self,
        functions: &[Function],
        stop: &CancellationToken,
        cut: &CancellationToken,
    ) -> (JoinSet<()>, mpsc::UnboundedReceiver<String>) {
        let mut listeners = JoinSet::new();
        let (fault, faults) = mpsc::unbounded_channel();
        for plan in functions.iter().filter_map(timer::TimerPlan::of) {
            let lock = TimerLock::new(
                self.storage.clone(),
                &format!(
                    "locks/{}/Host.Functions.{}.Listener",
                    self.host_id, plan.function.name
                ),
                self.options.times,
                self.invoker.logger.clone(),
            );
            let (invoker, fault) = (self.invoker.clone(), fault.clone());
            listeners.spawn(timer::run(plan, invoker, lock, fault, stop.clone(), cut.clone()));
        }
        for source in self.buses.iter().cloned() {
            let (json, invoker) = (self.json.service_bus.clone(), self.invoker.clone());
            let (stop, cut) = (stop.clone(), cut.clone());
            listeners.spawn(async move {
                let listening = bus::listen(source, json, invoker, stop);
                cut.run_until_cancelled(listening).await;
            });
        }
        (listeners, faults)
    }
}

/// Gives the storage account its time to answer; a host starts without it as well.
async fn wait_for(storage: &Storage, times: HostTimes, logger: &Logger) {
    let answering = async {
        while !storage.answers().await {
            tokio::time::sleep(times.storage / 100).await;
        }
    };
    if tokio::time::timeout(times.storage_at_start, answering)
        .await
        .is_err()
    {
        logger.warning("The storage account is away: timers wait for it");
    }
}

/// The two settings without which `func` does not start either.
fn check(settings: &Settings, functions: &Functions) -> Result<(), Error> {
    let missing = |name: &str, problem: &str| Error::Setting {
        name: name.to_owned(),
        problem: problem.to_owned(),
    };
    let name = "FUNCTIONS_WORKER_RUNTIME";
    if !settings
        .get(name)
        .is_some_and(|runtime| runtime.eq_ignore_ascii_case("custom"))
    {
        return Err(missing(name, "must be 'custom'"));
    }
    let name = STORAGE;
    let needed = functions
        .loaded
        .iter()
        .any(|it| !matches!(it.trigger, Trigger::Http(_)));
    if needed && settings.get(name).is_none_or(|text| text.trim().is_empty()) {
        return Err(missing(
            name,
            "is required for all triggers other than httpTrigger",
        ));
    }
    Ok(())
}

async fn listen(address: SocketAddr) -> Result<TcpListener, Error> {
    TcpListener::bind(address)
        .await
        .map_err(|source| match source.kind() {
            io::ErrorKind::AddrInUse => Error::PortTaken { port: address.port() },
            _ => Error::Listen { address, source },
        })
}
