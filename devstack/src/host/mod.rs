//! A stand-in for the Azure Functions host: reads an app folder, runs its handler and its triggers.
//! It never checks keys, never scales, and refuses by name what it cannot do.

mod bus;
mod client;
mod cors;
mod error;
mod function;
mod guard;
mod handler;
mod host_json;
mod invoke;
mod json;
mod log;
mod outcome;
mod payload;
mod proxy;
mod redirect;
mod resend;
mod route;
mod schedule;
mod server;
mod settings;
pub mod sign_in;
mod timer;
mod user;

use std::{
    collections::BTreeMap,
    io,
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::{net::TcpListener, task::JoinHandle};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

pub use self::{
    error::Error,
    log::Log,
    sign_in::SignIn,
    user::{InvalidUser, Role, User},
};

use self::{
    cors::Cors,
    function::{Function, Functions, Trigger},
    handler::{Handler, HandlerState},
    host_json::HostJson,
    invoke::Invoker,
    log::Logger,
    server::App,
    settings::Settings,
};

/// The longest that a stop waits for the calls in flight, as the real host does.
const DRAIN: Duration = Duration::from_secs(10);

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
}

/// A running host; dropping it kills the handler.
pub struct Host {
    url: String,
    handler: Handler,
    tracker: TaskTracker,
    sign_in: SignIn,
    stop: CancellationToken,
    supervisor: Option<JoinHandle<()>>,
    server: Option<JoinHandle<()>>,
    listeners: TaskTracker,
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
        let listener = listen(options.listen).await?;
        let address = listener.local_addr().map_err(|source| Error::Listen {
            address: options.listen,
            source,
        })?;
        let url = format!("http://{address}");
        let handler = prepare(&root, &json, &settings, address, &logger)?;
        let invoker = Invoker {
            handler: handler.clone(),
            client: client::new(),
            logger: logger.clone(),
            timeout: json.function_timeout,
            tracker: TaskTracker::new(),
        };
        let mut host = Self {
            url,
            handler,
            tracker: invoker.tracker.clone(),
            sign_in: options.sign_in,
            stop: CancellationToken::new(),
            supervisor: None,
            server: None,
            listeners: TaskTracker::new(),
        };
        host.run(functions, invoker, (listener, cors), buses, &json)
            .await?;
        Ok(host)
    }

    async fn run(
        &mut self,
        functions: Functions,
        invoker: Invoker,
        (listener, cors): (TcpListener, Option<Cors>),
        buses: Vec<bus::TriggerSource>,
        json: &HostJson,
    ) -> Result<(), Error> {
        let Functions { loaded, failed } = functions;
        let logger = invoker.logger.clone();
        if loaded.is_empty() {
            logger.warning("No functions found, so the handler is not started.");
        } else {
            self.supervisor = Some(tokio::spawn(self.handler.clone().supervise()));
            self.handler.ready().await.map_err(Error::Handler)?;
        }
        self.start_timers(&loaded, &invoker);
        for source in buses {
            let listener = bus::listen(
                source,
                json.service_bus.clone(),
                invoker.clone(),
                self.stop.clone(),
            );
            self.listeners.spawn(listener);
        }
        for function in &loaded {
            let what = if function.disabled { "Disabled" } else { "Found" };
            logger.info(format!("{what} function {}", function.name));
        }
        logger.info(format!("Listening on {}", self.url));
        let (url, started) = (self.url.clone(), Instant::now());
        let app = Arc::new(App {
            functions: loaded,
            failed,
            invoker,
            sign_in: self.sign_in.clone(),
            url,
            started,
        });
        let stop = self.stop.clone();
        self.server = Some(tokio::spawn(async move {
            // Kept-alive connections are closed as well: the next host on this port must get their requests.
            let serving = axum::serve(listener, Cors::layer(cors, server::router(app)));
            let _ = serving
                .with_graceful_shutdown(async move { stop.cancelled().await })
                .await;
        }));
        Ok(())
    }

    fn start_timers(&self, functions: &[Function], invoker: &Invoker) {
        for function in functions {
            if let Trigger::Timer {
                schedule,
                run_on_startup,
                use_monitor,
            } = &function.trigger
            {
                let plan = timer::TimerPlan {
                    function: function.clone(),
                    schedule: schedule.clone(),
                    at_once: *run_on_startup,
                    monitor: *use_monitor,
                };
                self.listeners
                    .spawn(timer::run(plan, invoker.clone(), self.stop.clone()));
            }
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

    /// Waits until the host stops by itself, and returns the reason.
    pub async fn stopped(&self) -> String {
        let mut state = self.handler.state();
        let state = state
            .wait_for(|state| matches!(state, HandlerState::Stopped(_)))
            .await;
        match state.as_deref() {
            Ok(HandlerState::Stopped(reason)) => reason.clone(),
            _ => "the host has stopped".to_owned(),
        }
    }

    /// Stops the listeners, waits up to 10 s for the calls in flight, and kills the handler.
    pub async fn stop(mut self) {
        self.stop.cancel();
        self.listeners.close();
        self.tracker.close();
        let drained = async {
            self.listeners.wait().await;
            self.tracker.wait().await;
        };
        // A handler that has stopped for good answers nothing, so there is nothing to wait for.
        let drain = if self.handler.pid().is_some() {
            DRAIN
        } else {
            Duration::from_secs(1)
        };
        let _ = tokio::time::timeout(drain, drained).await;
        self.handler.end();
        if let Some(mut server) = self.server.take() {
            // With the handler gone no answer can hold it up for long; the port is free when it has ended.
            if tokio::time::timeout(Duration::from_secs(1), &mut server)
                .await
                .is_err()
            {
                server.abort();
                let _ = server.await;
            }
        }
        if let Some(supervisor) = self.supervisor.take() {
            // It ends when the process has been reaped; a panic in it has dropped the process as well.
            let _ = supervisor.await;
        }
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        self.stop.cancel();
        self.handler.kill();
        for task in self.server.iter().chain(&self.supervisor) {
            task.abort();
        }
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
    let name = "AzureWebJobsStorage";
    let needed = functions
        .loaded
        .iter()
        .any(|it| !matches!(it.trigger, Trigger::Http { .. }));
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

/// The handler with its arguments and the environment that the real host and `func` give it.
fn prepare(
    root: &std::path::Path,
    json: &HostJson,
    settings: &Settings,
    address: SocketAddr,
    logger: &Logger,
) -> Result<Handler, Error> {
    let handler = &json.handler;
    let port = match handler.port {
        Some(port) => port,
        // Closed again before the handler opens it: a small race, which the real host has as well.
        None => std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .and_then(|probe| probe.local_addr())
            .map_err(|source| Error::Listen {
                address: (Ipv4Addr::LOCALHOST, 0).into(),
                source,
            })?
            .port(),
    };
    let mut environment: Vec<(String, String)> = settings
        .iter()
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    let (port_text, id) = (port.to_string(), uuid::Uuid::new_v4().to_string());
    let root = root.display().to_string();
    let own = [
        ("FUNCTIONS_CUSTOMHANDLER_PORT", port_text.as_str()),
        ("FUNCTIONS_HTTPWORKER_PORT", &port_text),
        ("FUNCTIONS_CUSTOMHANDLER_WORKER_ID", &id),
        ("FUNCTIONS_HTTPWORKER_ID", &id),
        ("FUNCTIONS_APP_ROOT_PATH", &root),
        ("AzureWebJobsScriptRoot", &root),
        ("WEBSITE_HOSTNAME", &address.to_string()),
        ("AZURE_FUNCTIONS_ENVIRONMENT", "Development"),
        ("FUNCTIONS_CORETOOLS_ENVIRONMENT", "true"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()));
    environment.extend(own.clone());
    let arguments = handler.arguments.iter().map(|text| {
        let text = text.replace("%FUNCTIONS_CUSTOMHANDLER_PORT%", &port_text);
        settings.expand(&text)
    });
    // The real host joins the arguments with spaces, so one with spaces is two unless it brings quotes.
    let line = arguments.collect::<Vec<_>>().join(" ");
    Ok(Handler::new(
        handler.clone(),
        words(&line),
        environment,
        port,
        logger.clone(),
    ))
}

/// Splits a command line at spaces outside double quotes.
fn words(line: &str) -> Vec<String> {
    let (mut words, mut word, mut quoted, mut begun) = (Vec::new(), String::new(), false, false);
    for letter in line.chars() {
        match letter {
            '"' => (quoted, begun) = (!quoted, true),
            ' ' if !quoted => {
                if begun {
                    words.push(std::mem::take(&mut word));
                }
                begun = false;
            }
            letter => {
                word.push(letter);
                begun = true;
            }
        }
    }
    if begun {
        words.push(word);
    }
    words
}
