//! `handler operations`, and how a terminal works on an operation: piece by piece to the end, telling how far it is.
//! Never loses one: what is stopped here by Ctrl-C is paused, and what is killed here the app's timer goes on with.

use std::{process::ExitCode, time::Duration};

use clap::{Args, Subcommand};
use serde_json::{Value, json};
use tokio::{
    signal::unix::{SignalKind, signal},
    time::{Instant, sleep, timeout},
};
use uuid::Uuid;

use super::{progress::Progress, say::say};
use crate::{
    config::{Config, ReadModel},
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

#[derive(Debug, Args)]
#[command(
    after_help = "Exit codes: 0 done, 1 failed or stopped, 2 wrong usage, 3 what was compared differs."
)]
pub(super) struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// List operations, newest first.
    List {
        /// Only those that are not over.
        #[arg(long)]
        open: bool,
        /// No more than so many.
        #[arg(long, default_value = "20")]
        limit: u32,
        /// One JSON object a line.
        #[arg(long)]
        json: bool,
    },
    /// Show one as JSON.
    Show {
        /// Its id.
        id: Uuid,
    },
    /// Start one that is planned, or go on with one that was stopped, and work on it here to its end.
    Run {
        /// Its id.
        id: Uuid,
        /// The result as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Stop one for now, whoever works on it.
    Pause {
        /// Its id.
        id: Uuid,
    },
    /// Stop one for good.
    Cancel {
        /// Its id.
        id: Uuid,
    },
}

/// Does what the arguments say.
///
/// # Errors
/// One line for the operator.
pub(super) async fn run(arguments: Arguments, config: Config) -> Result<ExitCode, String> {
    let operations = reach(config)?;
    match arguments.action {
        Action::List { open, limit, json } => {
            let states = [State::Planning, State::Planned, State::Running, State::Paused];
            let only = open.then_some(states.as_slice());
            let listed = operations.list(None, only, limit.into()).await.map_err(words)?;
            for operation in &listed {
                say!(
                    "{}",
                    if json {
                        json!(operation).to_string()
                    } else {
                        line(operation)
                    }
                );
            }
            return Ok(ExitCode::SUCCESS);
        }
        Action::Run { id, json } => {
            operations.steer(id, Wanted::Running).await.map_err(words)?;
            let (operation, code) = finish(&operations, id).await?;
            print(&operation, json);
            return Ok(code);
        }
        Action::Show { id } => say!("{:#}", json!(operations.get(id).await.map_err(words)?)),
        Action::Pause { id } => {
            say!(
                "{}",
                line(&operations.steer(id, Wanted::Paused).await.map_err(words)?)
            );
        }
        Action::Cancel { id } => {
            say!(
                "{}",
                line(&operations.steer(id, Wanted::Cancelled).await.map_err(words)?)
            );
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Shows how things are.
///
/// # Errors
/// When there is no database.
pub(super) async fn status(subscription: &str, as_json: bool, config: Config) -> Result<ExitCode, String> {
    let status = reach(config)?.status(subscription).await;
    if as_json {
        say!("{}", json!(status));
    } else {
        if let Some(outbox) = &status.outbox {
            let oldest = outbox.oldest_seconds;
            let oldest = oldest
                .map(|seconds| format!(", the oldest for {seconds:.0} s"))
                .unwrap_or_default();
            say!(
                "outbox: {} waiting{oldest}, {} parked",
                outbox.waiting,
                outbox.parked
            );
        }
        if let Some(messages) = &status.subscription {
            let (name, waiting) = (&messages.name, messages.waiting);
            say!(
                "subscription {name}: {waiting} waiting, {} dead letters",
                messages.dead_letters
            );
        }
        if let Some(pointer) = &status.generations {
            say!("generations: {}", json!(pointer));
        }
        for operation in &status.operations {
            say!("operation {}", line(operation));
        }
        for unknown in &status.unknown {
            say!("unknown: {unknown}");
        }
    }
    Ok(match status.unknown.as_slice() {
        [] => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    })
}

/// What this process can do with these settings.
///
/// # Errors
/// When there is no database.
pub(super) fn reach(config: Config) -> Result<Operations, String> {
    let postgres = config.postgres.ok_or("setting PGHOST: is missing")?;
    Ok(Operations::new(&postgres, config.bus, config.cosmos))
}

/// The same, for what is about documents in Cosmos DB.
///
/// # Errors
/// When there are none.
pub(super) fn reach_documents(config: Config) -> Result<Operations, String> {
    if config.read_model == ReadModel::Postgres {
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
            Err(fault) if fault.passes() => {
                tell(&format!("waiting: {fault}"), 0, 0);
                sleep(LOOK).await;
                continue;
            }
            stepped => stepped.map_err(|fault| fault.to_string())?,
        };
        let operation = match operations.get(id).await {
            Err(failed) if failed.passes() => {
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
    let paused = match operations.steer(id, Wanted::Paused).await {
        // What is only being planned has done nothing yet.
        Err(Failed::Refused(_)) => operations.steer(id, Wanted::Cancelled).await,
        paused => paused,
    };
    let state = match paused {
        Ok(operation) => operation.state,
        Err(failed) => return Err(format!("operation {id} goes on elsewhere: {failed}")),
    };
    // Whoever stops here stops for good after that.
    let _ended = timeout(LAST_PIECE, working).await;
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

/// What came of it.
pub(super) fn print(operation: &Operation, as_json: bool) {
    if as_json {
        say!("{}", operation.result.as_ref().unwrap_or(&Value::Null));
    } else {
        say!("{}", line(operation));
    }
}

/// An operation on a line.
pub(super) fn line(operation: &Operation) -> String {
    let progress = &operation.progress;
    let far = match (progress.done, progress.of) {
        (0, 0) => String::new(),
        (done, 0) => format!(", {}: {done}", progress.doing),
        (done, of) => format!(", {}: {done} of {of}", progress.doing),
    };
    let note = operation
        .note
        .as_ref()
        .map(|note| format!(" ({note})"))
        .unwrap_or_default();
    format!(
        "{} {} by {}: {}{far}{note}",
        operation.id,
        operation.request.kind(),
        operation.requested_by,
        operation.state.name()
    )
}

/// Who sits here.
fn who() -> String {
    let user = std::env::var("USER").unwrap_or_else(|_| "unknown".to_owned());
    format!("terminal:{user}")
}

/// For the operator.
pub(super) fn words(failed: Failed) -> String {
    failed.to_string()
}
