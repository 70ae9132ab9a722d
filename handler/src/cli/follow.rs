//! How a terminal works on a job: step by step to the end, telling how far it is.
//! Never loses one: a job that is stopped here by a signal is paused, and one that is killed here the app's timer goes on with.

use std::{process::ExitCode, time::Duration};

use futures_util::future::join;
use tokio::{
    signal::unix::{SignalKind, signal},
    time::{Instant, sleep, timeout},
};
use uuid::Uuid;

use super::progress::ProgressLine;
use crate::{
    config::Config,
    error_chain::chain,
    escape,
    jobs::{self, JobError, JobRow, JobState, Jobs, ProgressSink, TurnEnd, WantedState},
};

/// Documents differ from the log.
pub(super) const DIFFERENT: u8 = 3;
/// Longest turn of a terminal before it lets others work on the job.
const TURN: Duration = Duration::from_secs(20);
/// Longest wait for a step's end when the job is to stop.
const LAST_STEP: Duration = Duration::from_secs(5);
/// Between two looks at a job that somebody else works on, or that has to wait.
const LOOK: Duration = Duration::from_millis(500);

/// Opens the queue of jobs with these settings.
///
/// # Errors
/// When there is no database.
pub(super) fn open(config: &Config) -> Result<Jobs, String> {
    jobs::open(config).ok_or_else(|| "setting PGHOST: is missing".to_owned())
}

/// Works on a job to the end, or until it waits for a person, together with whoever else does.
///
/// # Errors
/// One line for the operator.
pub(super) async fn follow(jobs: &Jobs, id: Uuid) -> Result<(JobRow, ExitCode), String> {
    let line = ProgressLine::default();
    let sink = |doing: &str, done, of| line.tell(doing, done, of);
    let mut terminate = signal(SignalKind::terminate()).map_err(|error| error.to_string())?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(|error| error.to_string())?;
    let mut working = std::pin::pin!(work(jobs, id, &sink));
    let ended = tokio::select! {
        ended = &mut working => ended,
        _ = interrupt.recv() => stop(jobs, id, working).await,
        _ = terminate.recv() => stop(jobs, id, working).await,
    };
    line.leave();
    let job = ended?;
    if let Some(note) = &job.note {
        eprintln!("handler: {}", escape::line(note));
    }
    let code = code(&job);
    Ok((job, code))
}

async fn work(jobs: &Jobs, id: Uuid, sink: ProgressSink<'_>) -> Result<JobRow, String> {
    loop {
        let end = match jobs.turn(Some(id), Instant::now() + TURN, sink).await {
            Err(fault) if fault.is_transient() => {
                sink(&format!("waiting: {}", chain(&fault)), 0, 0);
                sleep(LOOK).await;
                continue;
            }
            turn => turn.map_err(|fault| chain(&fault).to_string())?,
        };
        let job = match jobs.get(id).await {
            Err(error) if error.is_transient() => {
                sleep(LOOK).await;
                continue;
            }
            got => got.map_err(words)?,
        };
        if !job.state.is_active() {
            return Ok(job);
        }
        if matches!(end, TurnEnd::TimeUp | TurnEnd::Done) {
            continue;
        }
        let progress = &job.progress;
        match &job.note {
            Some(note) => sink(&format!("waiting: {note}"), 0, 0),
            None => sink(&progress.doing, progress.done, progress.of),
        }
        sleep(LOOK).await;
    }
}

/// Stopped by a signal: paused, and left when what was done is written down.
async fn stop(
    jobs: &Jobs,
    id: Uuid,
    working: impl Future<Output = Result<JobRow, String>>,
) -> Result<JobRow, String> {
    let pausing = async {
        match jobs.set_state(id, WantedState::Paused).await {
            // A job that is only being planned has done nothing yet.
            Err(JobError::Refused(_)) => jobs.set_state(id, WantedState::Cancelled).await,
            paused => paused,
        }
    };
    // Both at once: the work may have the connection that is needed for stopping it.
    let (paused, _ended) = join(pausing, timeout(LAST_STEP, working)).await;
    let state = match paused {
        Ok(job) => job.state,
        Err(error) => return Err(format!("job {id} goes on elsewhere: {}", chain(&error))),
    };
    Err(match state {
        JobState::Paused => format!("job {id} is paused; `handler jobs run {id}` goes on with it"),
        _ => format!("job {id} is {}", state.name()),
    })
}

fn code(job: &JobRow) -> ExitCode {
    let number = |name: &str| job.result.as_ref().and_then(|result| result[name].as_i64());
    if number("different").is_some_and(|different| different > 0) {
        return ExitCode::from(DIFFERENT);
    }
    let refused = number("refused").is_some_and(|refused| refused > 0);
    match job.state {
        JobState::Planned => ExitCode::SUCCESS,
        JobState::Completed if !refused => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    }
}

/// The name of who sits here.
pub(super) fn user() -> String {
    let user = std::env::var("USER").unwrap_or_else(|_| "unknown".to_owned());
    format!("terminal:{user}")
}

/// An error for the operator.
pub(super) fn words(error: JobError) -> String {
    chain(&error).to_string()
}
