//! The handler process: started, watched, restarted by the rules of the real host, and killed.
//! It never asks the handler to end: like the real host it only knows SIGKILL.

use std::{
    collections::VecDeque,
    process::{ExitStatus, Stdio},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use tokio::{
    io::{AsyncBufReadExt, AsyncRead, BufReader},
    process::{Child, Command},
    sync::watch,
};
use tokio_util::sync::CancellationToken;

use super::{
    host_json::HandlerJson,
    log::{Level, Logger},
};

const CATEGORY: &str = "Host.Function.Console";
const NOT_READY: &str = "Initializing HttpWorker timed out.";
const STRIKES: usize = 3;
const STRIKE_WINDOW: Duration = Duration::from_secs(30 * 60);

/// The state of the handler process.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum HandlerState {
    Starting,
    Ready,
    /// The host has given up, for this reason.
    Stopped(String),
}

/// The handler: its start and its watch; clones see the same process.
#[derive(Clone, Debug)]
pub(crate) struct Handler {
    shared: Arc<HandlerShared>,
}

#[derive(Debug)]
struct HandlerShared {
    json: HandlerJson,
    arguments: Vec<String>,
    environment: Vec<(String, String)>,
    port: u16,
    logger: Logger,
    state: watch::Sender<HandlerState>,
    pid: Mutex<Option<u32>>,
    /// The process that the host itself wants replaced.
    unwanted: Mutex<Option<u32>>,
    end: CancellationToken,
}

enum ProcessEnd {
    Exited(ExitStatus),
    Unwanted,
    Failed(String),
    Stopping,
}

impl Handler {
    pub(crate) fn new(
        json: HandlerJson,
        arguments: Vec<String>,
        environment: Vec<(String, String)>,
        port: u16,
        logger: Logger,
    ) -> Self {
        let state = watch::Sender::new(HandlerState::Starting);
        let (pid, unwanted, end) = (Mutex::new(None), Mutex::new(None), CancellationToken::new());
        let shared = HandlerShared {
            json,
            arguments,
            environment,
            port,
            logger,
            state,
            pid,
            unwanted,
            end,
        };
        Self {
            shared: Arc::new(shared),
        }
    }

    pub(crate) fn pid(&self) -> Option<u32> {
        *self.shared.pid.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn port(&self) -> u16 {
        self.shared.port
    }

    pub(crate) fn state(&self) -> watch::Receiver<HandlerState> {
        self.shared.state.subscribe()
    }

    /// Waits until the handler is ready; the reason when the host has stopped.
    pub(crate) async fn ready(&self) -> Result<(), String> {
        let mut state = self.state();
        let state = state.wait_for(|state| *state != HandlerState::Starting).await;
        match state.as_deref() {
            Ok(HandlerState::Stopped(reason)) => Err(reason.clone()),
            Ok(_) => Ok(()),
            Err(_) => Err("the host has stopped".to_owned()),
        }
    }

    /// Kills this process, which is then started again; does nothing when another one has taken its place.
    pub(crate) fn restart(&self, pid: u32) {
        let pid = Some(pid);
        if pid == self.pid() {
            *self
                .shared
                .unwanted
                .lock()
                .unwrap_or_else(PoisonError::into_inner) = pid;
            self.kill();
        }
    }

    /// Sends SIGKILL to the process, if there is one.
    pub(crate) fn kill(&self) {
        if let Some(pid) = self.pid().and_then(|pid| i32::try_from(pid).ok()) {
            // The process may have ended by itself: then there is nothing to kill.
            let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
        }
    }

    /// Makes `supervise` kill the process, wait for its end and return.
    pub(crate) fn end(&self) {
        self.shared.end.cancel();
    }

    /// Keeps a process running until three failures, or until this future is dropped.
    pub(crate) async fn supervise(self) {
        let shared = &*self.shared;
        let mut strikes: VecDeque<Instant> = VecDeque::new();
        loop {
            shared.state.send_replace(HandlerState::Starting);
            let mut child = match shared.spawn() {
                Ok(child) => child,
                Err(error) => return shared.stop(&error),
            };
            let failure = match shared.run(&mut child).await {
                ProcessEnd::Exited(status) if status.code() == Some(0) => {
                    shared
                        .logger
                        .debug("The handler exited with code 0; it is not started again.");
                    // The state stays as it is, so every later call is refused.
                    return;
                }
                ProcessEnd::Exited(status) if status.code() == Some(200) => None,
                ProcessEnd::Exited(status) => Some(format!("{} exited with {status}", shared.program())),
                ProcessEnd::Failed(reason) => Some(reason),
                ProcessEnd::Unwanted => None,
                ProcessEnd::Stopping => {
                    shared
                        .state
                        .send_replace(HandlerState::Stopped("the host was stopped".to_owned()));
                    return;
                }
            };
            let Some(failure) = failure else { continue };
            shared
                .logger
                .error(format!("Language Worker Process exited. {failure}"));
            if strikes.back().is_some_and(|last| last.elapsed() > STRIKE_WINDOW) {
                strikes.clear();
            }
            strikes.push_back(Instant::now());
            if strikes.len() >= STRIKES {
                let reason = "Exceeded http worker restart retry count. Shutting down Functions Host";
                return shared.stop(&format!("{reason}: {failure}"));
            }
        }
    }
}

impl HandlerShared {
    fn program(&self) -> String {
        self.json.executable.display().to_string()
    }

    fn stop(&self, reason: &str) {
        self.logger.error(reason);
        self.state.send_replace(HandlerState::Stopped(reason.to_owned()));
    }

    fn set_pid(&self, pid: Option<u32>) {
        *self.pid.lock().unwrap_or_else(PoisonError::into_inner) = pid;
    }

    fn spawn(&self) -> Result<Child, String> {
        let mut child = Command::new(&self.json.executable)
            .args(&self.arguments)
            // It has this process's variables among its settings, but for those it is not to have.
            .env_clear()
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .current_dir(&self.json.working_directory)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| {
                format!(
                    "Failed to start Worker Channel. Process fileName: {}: {error}",
                    self.program()
                )
            })?;
        self.set_pid(child.id());
        let only_errors = self.json.errors_only_on_stderr;
        copy(child.stdout.take(), self.logger.clone(), |_| Level::Information);
        copy(child.stderr.take(), self.logger.clone(), move |line| {
            error_level(line, only_errors)
        });
        Ok(child)
    }

    /// Runs one process to its end, whatever ends it.
    async fn run(&self, child: &mut Child) -> ProcessEnd {
        let pid = child.id();
        let late = tokio::time::Instant::now() + self.json.initialization_timeout;
        let end = tokio::select! {
            status = child.wait() => match status {
                Ok(status) => ProcessEnd::Exited(status),
                Err(error) => ProcessEnd::Failed(error.to_string()),
            },
            reason = self.watch() => ProcessEnd::Failed(reason),
            () = self.end.cancelled() => ProcessEnd::Stopping,
        };
        self.kill_child(child).await;
        let early = *self.state.borrow() == HandlerState::Starting;
        let end = match end {
            ProcessEnd::Exited(_) if self.take_unwanted() == pid => ProcessEnd::Unwanted,
            ProcessEnd::Exited(status) if early && status.code() == Some(0) => {
                // The real host does not notice: it goes on waiting for the port.
                tokio::select! {
                    () = tokio::time::sleep_until(late) => ProcessEnd::Failed(NOT_READY.to_owned()),
                    () = self.end.cancelled() => ProcessEnd::Stopping,
                }
            }
            end => end,
        };
        let refuses_from_now_on = matches!(&end, ProcessEnd::Exited(status) if status.code() == Some(0));
        if !refuses_from_now_on {
            self.state.send_replace(HandlerState::Starting);
        }
        end
    }

    fn take_unwanted(&self) -> Option<u32> {
        self.unwanted
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
    }

    async fn kill_child(&self, child: &mut Child) {
        // `start_kill` fails only when the process has been reaped already.
        let _ = child.start_kill();
        let _ = child.wait().await;
        self.set_pid(None);
    }

    /// Turns the state to ready, and then waits for ever; returns only when that took too long.
    async fn watch(&self) -> String {
        let limit = self.json.initialization_timeout;
        match tokio::time::timeout(limit, self.answers()).await {
            Err(_) => NOT_READY.to_owned(),
            Ok(()) => {
                self.state.send_replace(HandlerState::Ready);
                std::future::pending().await
            }
        }
    }

    /// Any answer to `GET /` will do, as it does for the real host.
    async fn answers(&self) {
        let client = super::client::new();
        let url = format!("http://127.0.0.1:{}/", self.port);
        loop {
            let request = hyper::Request::get(&url).body(axum::body::Body::empty());
            let Ok(request) = request else { return };
            match client.request(request).await {
                Err(error) if error.is_connect() => tokio::time::sleep(Duration::from_millis(25)).await,
                _ => return,
            }
        }
    }
}

fn error_level(line: &str, only_errors: bool) -> Level {
    let line = line.to_ascii_lowercase();
    let bad = ["error", "fail", "severe", "unhandled exception"]
        .iter()
        .any(|word| line.contains(word));
    match () {
        () if line.contains("warn") => Level::Warning,
        () if only_errors || bad => Level::Error,
        () => Level::Information,
    }
}

fn copy(
    stream: Option<impl AsyncRead + Unpin + Send + 'static>,
    logger: Logger,
    level: impl Fn(&str) -> Level + Send + 'static,
) {
    let Some(stream) = stream else { return };
    tokio::spawn(async move {
        let mut reader = BufReader::new(stream);
        let mut line = Vec::new();
        while reader
            .read_until(b'\n', &mut line)
            .await
            .is_ok_and(|read| read > 0)
        {
            let text = String::from_utf8_lossy(&line);
            logger.write(level(&text), CATEGORY, text.trim_end());
            line.clear();
        }
    });
}
