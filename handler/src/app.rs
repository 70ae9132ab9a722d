//! Puts the parts together and serves them until told to stop or left alone by the Functions host.
//! Never exits 0 while serving: the host takes 0 for a wish to stay stopped.

use std::{net::Ipv4Addr, os::unix::process::parent_id, process::ExitCode, sync::Arc, time::Duration};

use axum::{Router, routing::get};
use tokio::{net::TcpListener, signal::unix::SignalKind, sync::oneshot, time};

use crate::{
    config::Config,
    http::{Reach, commands, operations, problem::Problem},
    write::{Writer, pool::Pool},
};

/// Connections to PostgreSQL for commands, per process.
const COMMAND_CONNECTIONS: usize = 2;
/// How long requests that are under way may take after SIGTERM.
const GRACE: Duration = Duration::from_secs(2);
/// Exit code that the Functions host takes for a wanted restart, not an error.
const WANTED_RESTART: u8 = 200;

/// Every route of the handler.
pub fn router(config: &Config) -> Router {
    let pool = |postgres: &tokio_postgres::Config| Pool::new(postgres.clone(), COMMAND_CONNECTIONS);
    let writer = config
        .postgres
        .as_ref()
        .map(|postgres| Arc::new(Writer::new(pool(postgres))));
    commands::routes()
        .route("/", get(operations::ready))
        .route("/api/health", get(operations::health))
        .fallback(async || {
            Problem::new(
                axum::http::StatusCode::NOT_FOUND,
                "unknown-route",
                "there is nothing here",
            )
        })
        .with_state(Reach {
            writer,
            auth: config.auth,
        })
}

/// Listens on 127.0.0.1 and serves until SIGTERM, or until the process that started it is gone.
///
/// # Errors
/// When the port is taken or signals cannot be watched.
pub async fn serve(config: Config) -> std::io::Result<ExitCode> {
    let mut terminate = tokio::signal::unix::signal(SignalKind::terminate())?;
    let mut interrupt = tokio::signal::unix::signal(SignalKind::interrupt())?;
    // Only now, with the signals watched, may anybody know that we are here.
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, config.port)).await?;
    tracing::info!(address = %listener.local_addr()?, "listening");
    let (stop, stopped) = oneshot::channel::<()>();
    let server = axum::serve(listener, router(&config)).with_graceful_shutdown(async {
        let _ = stopped.await;
    });
    let server = tokio::spawn(server.into_future());
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
        () = orphaned() => tracing::warn!("orphaned"),
    }
    let _ = stop.send(());
    if time::timeout(GRACE, server).await.is_err() {
        tracing::warn!("stopped_with_requests_under_way");
    }
    Ok(ExitCode::from(WANTED_RESTART))
}

/// Ends when the parent has died. The host SIGKILLed leaves us running; a parent id that changes is how we know.
async fn orphaned() {
    let parent = parent_id();
    let mut ticks = time::interval(Duration::from_millis(500));
    while parent_id() == parent {
        ticks.tick().await;
    }
}
