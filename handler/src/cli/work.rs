//! How a terminal works on an operation: piece by piece to the end, telling how far it is.
//! Never loses one: what is stopped here by a signal is paused, and what is killed here the app's timer goes on with.

use std::{process::ExitCode, time::Duration};

use futures_util::future::join;
use tokio::{
    signal::unix::{SignalKind, signal},
    time::{Instant, sleep, timeout},
};
use uuid::Uuid;

use super::progress::Progress;
use crate::{
    bus::TopicAddress,
    config::{Config, ReadModelKind},
    error_chain::chain,
    operations::{
        Failed, Operations,
        operation::{Operation, Request, State, Wanted},
    },
};

/// What was compared differs.
pub(super) const DIFFERENT: u8 = 3;
/// How long a terminal keeps an operation before it lets others have a turn.
const TURN: Duration = Duration::from_secs(20);
/// How long what is being done may take to come to its end when it is to stop.
const LAST_PIECE: Duration = Duration::from_secs(5);
/// Between two looks at one that somebody else works on, or that has to wait.
const LOOK: Duration = Duration::from_millis(500);

/// What this process can do with these settings.
///
/// # Errors
/// When there is no database.
pub(super) fn reach(config: Config) -> Result<Operations, String> {
    let postgres = config.postgres.ok_or("setting PGHOST: is missing")?;
    let forgets = config.forgets_outbox;
    Ok(Operations::new(&postgres, forgets, config.bus, config.cosmos))
}

/// The topic, for what is about messages.
///
/// # Errors
/// When this process has none, or nobody has one.
pub(super) fn bus(config: &Config) -> Result<TopicAddress, String> {
    let without = || match config.forgets_outbox {
        true => "not applicable: OUTBOX is forget, because nobody has a bus".to_owned(),
        false => "setting ServiceBusConnection: is missing".to_owned(),
    };
    config.bus.clone().ok_or_else(without)
}

/// The same, for what is about documents in Cosmos DB.
///
/// # Errors
/// When there are none.
pub(super) fn reach_documents(config: Config) -> Result<Operations, String> {
    if config.read_model == ReadModelKind::Postgres {
        return Err(
            "not applicable: READ_MODEL is postgres, which is kept by each command itself".to_owned(),
        );
    }
    if config.cosmos.is_none() {
        return Err("setting COSMOS_ENDPOINT: is missing".to_owned());
    }
    reach(config)
}

/// Asks for it, and works on it to the end, or until it waits for somebody.
///
/// # Errors
/// One line for the operator.
pub(super) async fn ask(operations: &Operations, request: &Request) -> Result<(Operation, ExitCode), String> {
    let asked = operations.ask(request, &who()).await.map_err(words)?;
    finish(operations, asked.id).await
}

/// Works on one to the end, or until it waits for somebody, together with whoever else does.
///
/// # Errors
/// One line for the operator.
pub(super) async fn finish(operations: &Operations, id: Uuid) -> Result<(Operation, ExitCode), String> {
    let progress = Progress::default();
    let tell = |what: &str, done, of| progress.tell(what, done, of);
    let mut terminate = signal(SignalKind::terminate()).map_err(|error| error.to_string())?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(|error| error.to_string())?;
    let mut working = std::pin::pin!(work(operations, id, &tell));
    let ended = tokio::select! {
        ended = &mut working => ended,
        _ = interrupt.recv() => stop(operations, id, working).await,
        _ = terminate.recv() => stop(operations, id, working).await,
    };
    progress.done();
    let operation = ended?;
    if let Some(note) = &operation.note {
        eprintln!("handler: {note}");
    }
    let code = code(&operation);
    Ok((operation, code))
}

async fn work(
    operations: &Operations,
    id: Uuid,
    tell: &(impl Fn(&str, i64, i64) + Sync),
) -> Result<Operation, String> {
    loop {
        let waits = match operations.step(Some(id), Instant::now() + TURN, tell).await {
            Err(fault) if fault.is_transient() => {
                tell(&format!("waiting: {}", chain(&fault)), 0, 0);
                sleep(LOOK).await;
                continue;
            }
            stepped => stepped.map_err(|fault| chain(&fault).to_string())?,
        };
        let operation = match operations.get(id).await {
            Err(failed) if failed.is_transient() => {
                sleep(LOOK).await;
                continue;
            }
            got => got.map_err(words)?,
        };
        if !operation.state.is_open() {
            return Ok(operation);
        }
        if waits == Some(false) {
            continue;
        }
        let progress = &operation.progress;
        match &operation.note {
            Some(note) => tell(&format!("waiting: {note}"), 0, 0),
            None => tell(&progress.doing, progress.done, progress.of),
        }
        sleep(LOOK).await;
    }
}

/// Stopped by a signal: paused, and left when what was done is written down.
async fn stop(
    operations: &Operations,
    id: Uuid,
    working: impl Future<Output = Result<Operation, String>>,
) -> Result<Operation, String> {
    let pausing = async {
        match operations.steer(id, Wanted::Paused).await {
            // What is only being planned has done nothing yet.
            Err(Failed::Refused(_)) => operations.steer(id, Wanted::Cancelled).await,
            paused => paused,
        }
    };
    // Both at once: the work may have the connection that is needed for stopping it.
    let (paused, _ended) = join(pausing, timeout(LAST_PIECE, working)).await;
    let state = match paused {
        Ok(operation) => operation.state,
        Err(failed) => return Err(format!("operation {id} goes on elsewhere: {}", chain(&failed))),
    };
    Err(match state {
        State::Paused => format!("operation {id} is paused; `handler operations run {id}` goes on with it"),
        _ => format!("operation {id} is {}", state.name()),
    })
}

fn code(operation: &Operation) -> ExitCode {
    let number = |name: &str| operation.result.as_ref().and_then(|result| result[name].as_i64());
    if number("different").is_some_and(|different| different > 0) {
        return ExitCode::from(DIFFERENT);
    }
    let refused = number("refused").is_some_and(|refused| refused > 0);
    match operation.state {
        State::Planned => ExitCode::SUCCESS,
        State::Completed if !refused => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    }
}

/// Who sits here.
fn who() -> String {
    let user = std::env::var("USER").unwrap_or_else(|_| "unknown".to_owned());
    format!("terminal:{user}")
}

/// For the operator.
pub(super) fn words(failed: Failed) -> String {
    chain(&failed).to_string()
}
