//! Puts the parts together and serves them until the Functions host is gone, or a second signal has come.
//! Never exits 0 while serving: the host would not start it again.

use std::{
    net::Ipv4Addr,
    process::ExitCode,
    sync::{Arc, LazyLock},
    time::Duration,
};

use axum::{
    Router,
    extract::{Request, State},
    http::{Method, StatusCode},
    middleware::{Next, from_fn_with_state},
    response::{IntoResponse, Response},
    routing::get,
    serve::ListenerExt,
};
use tokio::{
    net::TcpListener,
    sync::{Notify, oneshot},
    time,
};
use tower_http::catch_panic::CatchPanicLayer;

use crate::{
    bus::{MessageSettlement, TopicSender},
    config::{AuthMode, Config, Part, ReadModelKind, ServedParts},
    domain::quote,
    health::{Health, StoreConditions},
    http::{
        AppState, api,
        body::{self, BodyRoom},
        endpoint::Endpoint,
        health::host_probe,
        host_mode,
        openapi::{self, OpenApiVersion},
        preconditions,
        problem::{self, Problem, ProblemKind},
    },
    jobs,
    read::{self, CosmosConnection, PointerCache, Projector, TableReadModel, cosmos::CosmosReadModel},
    relay::{Outbox, Relay},
    signals::Signals,
    timer::Timer,
    triggers,
    write::{Writer, pool::CommandPool},
};

/// Connections to PostgreSQL for commands, per process.
const COMMAND_CONNECTIONS: usize = 2;
/// Time for requests under way at the end.
const GRACE: Duration = Duration::from_secs(2);
/// Exit code that the Functions host takes for a wanted restart, not an error.
const WANTED_RESTART: u8 = 200;

/// The OpenAPI document as it is served.
static OPENAPI: LazyLock<String> =
    LazyLock::new(|| openapi::document(OpenApiVersion::V31, &api::endpoints()).to_string());

/// Every route of the handler, and the relay that runs beside them when there is one.
pub fn assemble(config: &Config, auth: AuthMode) -> (Router, Option<Arc<Relay>>) {
    let serves = |part: Part| config.parts.has(part);
    let committed = Arc::new(Notify::new());
    let conditions = StoreConditions::default();
    let commands = config.postgres.clone().filter(|_| serves(Part::Command));
    let outbox = commands
        .clone()
        .map(|postgres| Arc::new(Outbox::new(postgres).reporting_to(&conditions.write_model)));
    let bus = config.bus.clone().map(TopicSender::new).map(Arc::new);
    let relay = outbox
        .clone()
        .zip(bus)
        .map(|(outbox, bus)| Arc::new(Relay::new(outbox, bus, Arc::clone(&committed))));
    let tables = tables(config, &conditions);
    let jobs = serves(Part::Operator).then(|| jobs::open(config)).flatten();
    let jobs = jobs.map(Arc::new);
    let timer = outbox.map(|outbox| Timer {
        outbox,
        relay: relay.clone(),
        tables: tables.clone(),
        forgets_outbox: config.forgets_outbox,
    });
    let writer = commands.map(|postgres| {
        let pool = CommandPool::new(postgres, config.pooler, COMMAND_CONNECTIONS);
        let pool = pool.reporting_to(&conditions.write_model);
        Arc::new(Writer::start(pool, COMMAND_CONNECTIONS, committed))
    });
    let cosmos = config.cosmos.clone().map(|account| {
        let connection = Arc::new(CosmosConnection::new(account));
        let generations = Arc::new(PointerCache::new(&connection));
        (connection, generations)
    });
    let documents = cosmos.as_ref().map(|(connection, _)| connection);
    let health = Arc::new(Health::new(config, documents, conditions));
    let read_model = match tables {
        Some(tables) => Some(read::ReadModel::Tables(tables)),
        None => cosmos.as_ref().map(|(connection, generations)| {
            read::ReadModel::Cosmos(CosmosReadModel::new(connection, generations))
        }),
    };
    let projected = cosmos.as_ref().filter(|_| serves(Part::Projector));
    let triggers = triggers::TriggerState {
        parts: config.parts.clone(),
        timer: timer.map(Arc::new),
        jobs: jobs.clone(),
        projector: projected
            .map(|(connection, generations)| Arc::new(Projector::new(connection, generations))),
        settlement: settlement(config),
    };
    let state = AppState {
        writer,
        read_model: read_model.map(Arc::new),
        health,
        jobs,
        auth,
        openapi: &OPENAPI,
    };
    (router(state, triggers, &config.parts), relay)
}

/// The projector's way to dead-letter, where there are a bus and documents.
fn settlement(config: &Config) -> Option<MessageSettlement> {
    let projects = config.cosmos.is_some() && config.parts.has(Part::Projector);
    let topic = config.bus.as_ref().filter(|_| projects)?;
    Some(MessageSettlement::start(topic, &config.subscription))
}

/// The tables that queries read and the timer sums up, where the read model is in PostgreSQL.
fn tables(config: &Config, conditions: &StoreConditions) -> Option<Arc<TableReadModel>> {
    let postgres = config.postgres.clone()?;
    let tables = TableReadModel::new(postgres, config.pooler).reporting_to(&conditions.read_model);
    (config.read_model == ReadModelKind::Postgres).then(|| Arc::new(tables))
}

/// Routes of the HTTP API, and of the functions that the host calls by itself.
fn router(state: AppState, triggers: triggers::TriggerState, parts: &ServedParts) -> Router {
    guarded(Endpoint::router(api::endpoints(), parts).route("/", get(host_probe)))
        .with_state(state)
        .merge(
            triggers::routes()
                .layer(CatchPanicLayer::custom(triggers::panicked))
                .with_state(triggers),
        )
}

/// These routes, with what is true of every call: its body is measured, and a panic is its own 500.
fn guarded<S: Clone + Send + Sync + 'static>(routes: Router<S>) -> Router<S> {
    routes
        .fallback(host_mode::no_route)
        .method_not_allowed_fallback(other_method)
        .layer(from_fn_with_state(BodyRoom::default(), serve_whole))
        .layer(CatchPanicLayer::custom(problem::panicked))
}

/// Reads the whole body before the call is made, and checks a read's preconditions against its answer. One layer for both:
/// each costs every call a box and a clone of what is below.
async fn serve_whole(room: State<BodyRoom>, request: Request, next: Next) -> Response {
    host_mode::log_first(&request);
    let asked = preconditions::of_read(&request);
    let answer = body::buffer(room, request, next).await;
    match asked {
        Some(asked) => preconditions::check_read(&asked, answer),
        None => answer,
    }
}

/// Another method than the path has; the router adds `Allow`. OPTIONS is allowed everywhere, and means just that header.
async fn other_method(method: Method) -> Response {
    match method {
        Method::OPTIONS => StatusCode::NO_CONTENT.into_response(),
        method => {
            let detail = format!("{} is not for this path", quote::brief(method.as_str()));
            Problem::new(ProblemKind::MethodNotAllowed, detail).into_response()
        }
    }
}

/// Listens on 127.0.0.1 and serves until [`Signals`] say that it is time to end.
///
/// # Errors
/// The port is taken, or signals cannot be watched.
pub async fn serve(config: Config, auth: AuthMode) -> std::io::Result<ExitCode> {
    let signals = Signals::watch()?;
    // Only now, with the signals watched, may anybody know that we are here.
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, config.port)).await?;
    tracing::info!(address = %listener.local_addr()?, "listening");
    warn_of_settings(&config, &auth);
    let (stop, stopped) = oneshot::channel::<()>();
    let (router, relay) = assemble(&config, auth);
    if let Some(relay) = relay {
        // It ends with the process: what it has not sent is in the outbox.
        tokio::spawn(async move { relay.run().await });
    }
    // What is written in two parts must not wait for the other side to have seen the first.
    let listener = listener.tap_io(|stream| {
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "nodelay_refused");
        }
    });
    let server = axum::serve(listener, router).with_graceful_shutdown(async {
        let _ = stopped.await;
    });
    let mut server = tokio::spawn(server.into_future());
    tokio::select! {
        () = signals.end() => {}
        // Only a defect ends it. The host starts another process then, which a deaf one would be in the way of.
        ended = &mut server => {
            tracing::error!(?ended, "server_ended");
            return Ok(ExitCode::FAILURE);
        }
    }
    let _ = stop.send(());
    if time::timeout(GRACE, server).await.is_err() {
        tracing::warn!("stopped_with_requests_under_way");
    }
    Ok(ExitCode::from(WANTED_RESTART))
}

/// Says what may be a mistake in settings that work.
fn warn_of_settings(config: &Config, auth: &AuthMode) {
    let has_no_bus = config.parts == ServedParts::Unsaid && config.bus.is_none();
    if config.read_model == ReadModelKind::Postgres && has_no_bus && !config.forgets_outbox {
        // Right where another app has the bus; without any, the outbox would grow for ever.
        tracing::warn!("outbox_is_left_to_others: if nobody has a bus, set OUTBOX=forget");
    }
    if matches!(auth, AuthMode::EasyAuth(admitted) if admitted.tenants.is_empty()) {
        tracing::warn!("nobody_can_sign_in: AUTH_TENANTS is not set");
    }
    if !config.unused.is_empty() {
        let settings = config.unused.join(", ");
        tracing::warn!(
            settings,
            "settings_not_used: the parts in PARTS have no use for them"
        );
    }
}

#[cfg(test)]
mod tests {
    use std::{
        convert::Infallible,
        io::{Read, Write},
        net::{SocketAddr, TcpStream},
    };

    use axum::body::{Body, Bytes};
    use futures_util::stream;

    use super::*;

    /// Panics when it is dropped.
    struct Broken;

    impl Drop for Broken {
        fn drop(&mut self) {
            panic!("dropped");
        }
    }

    async fn panics() -> StatusCode {
        panic!("called");
    }

    async fn drops() -> StatusCode {
        let _broken = Broken;
        StatusCode::OK
    }

    async fn spawns() -> String {
        let task = tokio::spawn(async { panic!("spawned") });
        format!("{:?}", task.await.is_err())
    }

    /// Panics when its answer is on its way already.
    async fn streams() -> Body {
        let broken = Broken;
        Body::from_stream(stream::once(async move {
            drop(broken);
            Ok::<_, Infallible>(Bytes::new())
        }))
    }

    /// The status that a call of this path is answered with; none when the connection breaks.
    fn status(address: SocketAddr, path: &str) -> Option<String> {
        let mut stream = TcpStream::connect(address).ok()?;
        let head = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
        stream.write_all(head.as_bytes()).ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        answer.get(9..12).map(str::to_owned)
    }

    #[tokio::test]
    async fn a_panic_in_a_call_a_drop_or_a_task_ends_nothing_else() {
        let routes: Router = Router::new()
            .route("/panics", get(panics))
            .route("/drops", get(drops))
            .route("/spawns", get(spawns))
            .route("/streams", get(streams));
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = tokio::spawn(axum::serve(listener, guarded(routes)).into_future());
        for (path, expected) in [
            ("/panics", Some("500")),
            ("/drops", Some("500")),
            ("/spawns", Some("200")),
            // Too late for an answer: its own connection breaks.
            ("/streams", None),
            ("/nothing", Some("404")),
        ] {
            let asked = tokio::task::spawn_blocking(move || status(address, path))
                .await
                .unwrap();
            assert_eq!(asked.as_deref(), expected, "{path}");
        }
        assert!(!server.is_finished());
    }
}
