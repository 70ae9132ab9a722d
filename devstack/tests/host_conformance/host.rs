//! A host that runs: its address, its process where the suite has started it, and its log.
//! Never outlives its test: the process and its handler are killed when the last one who asks is done.

use std::{
    fs::File,
    net::TcpListener,
    os::unix::process::CommandExt as _,
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread::sleep,
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, kill, killpg},
    unistd::Pid,
};
use tempfile::TempDir;

use crate::{app::App, http::Call};

/// The master key: of the stand-in, and where `HOST_KEY` does not say another, of the other host.
pub(crate) const KEY: &str = "conformance";
/// How many times shorter the stand-in's long waits are, in rows that are about them.
const SPEED: u32 = 20;
/// Core Tools take their time to start.
const DEADLINE: Duration = Duration::from_secs(90);
/// Between two looks at something that is waited for.
const PAUSE: Duration = Duration::from_millis(10);

/// A running host; clones are the same one.
#[derive(Clone)]
pub(crate) struct Host {
    /// Name and port.
    pub(crate) address: String,
    process: Option<Arc<HostProcess>>,
}

struct HostProcess {
    child: Mutex<Child>,
    folder: TempDir,
}

/// How a host starts over an app folder.
pub(crate) struct Start {
    command: String,
    /// Arguments with which its long waits are so many times shorter; none for a host that has its own times.
    speed: Option<u32>,
}

impl Start {
    /// By this command of a shell.
    pub(crate) fn by(command: String) -> Self {
        Self { command, speed: None }
    }

    /// The stand-in, whose long waits can be shortened.
    pub(crate) fn stand_in(command: String) -> Self {
        Self {
            command,
            speed: Some(SPEED),
        }
    }

    /// Starts it over this app, and waits until it serves.
    pub(crate) fn start(&self, app: &App) -> Host {
        Host::start(&self.command, app, "")
    }

    /// Starts it with more arguments, which only the stand-in knows.
    pub(crate) fn start_with(&self, app: &App, arguments: &str) -> Host {
        Host::start(&self.command, app, arguments)
    }

    /// Starts it with its long waits shortened, where that can be done.
    pub(crate) fn start_hurried(&self, app: &App) -> Host {
        let speed = self.speed.map(|speed| format!("--speed {speed}"));
        Host::start(&self.command, app, &speed.unwrap_or_default())
    }

    /// How long a host of [`Self::start_hurried`] waits, where the real one waits so many seconds.
    pub(crate) fn hurried(&self, seconds: u64) -> Duration {
        Duration::from_secs(seconds) / self.speed.unwrap_or(1)
    }

    /// Starts it, and waits for nothing.
    pub(crate) fn launch(&self, app: &App) -> Host {
        Host::launch(&self.command, app, "")
    }
}

/// Asks again and again, until there is an answer or the deadline has passed.
pub(crate) fn eventually<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let until = Instant::now() + DEADLINE;
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(Instant::now() < until, "in time: {what}");
        sleep(PAUSE);
    }
}

impl AsRef<str> for Host {
    fn as_ref(&self) -> &str {
        &self.address
    }
}

impl Host {
    /// One that runs already.
    pub(crate) fn at(url: &str) -> Self {
        let address = url.trim_start_matches("http://").trim_end_matches('/').to_owned();
        Self {
            address,
            process: None,
        }
    }

    /// Starts one by this command over an app folder of its own, and waits until it serves.
    fn start(command: &str, app: &App, arguments: &str) -> Self {
        let host = Self::launch(command, app, arguments);
        eventually("the host serves", || {
            assert!(host.exit_code().is_none(), "the host has ended:\n{}", host.log());
            // Whatever the app has at this path: somebody answers for the host.
            Call::get("/api/echo/ready").try_send(&host)
        });
        host
    }

    /// Starts one, and waits for nothing.
    fn launch(command: &str, app: &App, arguments: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let root = folder.path().join("app");
        app.write(&root);
        let log = File::create(folder.path().join("host.log")).expect("a log");
        // Closed again before the host opens it: no host takes "any port".
        let probe = TcpListener::bind("127.0.0.1:0").and_then(|probe| probe.local_addr());
        let port = probe.expect("a port").port();
        let child = Command::new("sh")
            .args(["-c", &format!("exec {command} {arguments}")])
            .env("PORT", port.to_string())
            .env("SCRIPT_ROOT", &root)
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("the same file"))
            .stderr(log)
            .process_group(0)
            .spawn()
            .expect("the command starts");
        let child = Mutex::new(child);
        Self {
            address: format!("127.0.0.1:{port}"),
            process: Some(Arc::new(HostProcess { child, folder })),
        }
    }

    fn process(&self) -> &HostProcess {
        self.process.as_ref().expect("the suite has started it")
    }

    /// The process of the host alone.
    pub(crate) fn signal(&self, signal: Signal) {
        let child = self.child();
        let id = i32::try_from(child.id()).expect("a process id");
        kill(Pid::from_raw(id), signal).expect("it runs");
    }

    /// Waits for the end of the host, and gives its exit code.
    pub(crate) fn ended(&self) -> i32 {
        eventually("the host ends", || self.exit_code())
    }

    fn child(&self) -> MutexGuard<'_, Child> {
        let child = self.process().child.lock();
        child.unwrap_or_else(PoisonError::into_inner)
    }

    /// How the host ended, if it has; -1 by a signal.
    pub(crate) fn exit_code(&self) -> Option<i32> {
        let status = self.child().try_wait().expect("it can be asked");
        status.map(|status| status.code().unwrap_or(-1))
    }

    /// All that it has said so far, its handler too.
    pub(crate) fn log(&self) -> String {
        let path = self.process().folder.path().join("host.log");
        let text = std::fs::read(path).unwrap_or_default();
        String::from_utf8_lossy(&text).into_owned()
    }

    /// Waits until a line of the log has all these words.
    pub(crate) fn logged(&self, words: &[&str]) {
        let has = |line: &str| words.iter().all(|word| line.contains(word));
        eventually(&format!("a line with {words:?}"), || {
            self.log().lines().any(has).then_some(())
        });
    }

    /// How many lines of the log say this so far.
    pub(crate) fn lines(&self, words: &str) -> usize {
        self.log().lines().filter(|line| line.contains(words)).count()
    }

    /// Starts a function by hand, with this input.
    pub(crate) fn start_function(&self, name: &str, input: &str) {
        let key = std::env::var("HOST_KEY").unwrap_or_else(|_| KEY.to_owned());
        let body = serde_json::json!({ "input": input }).to_string();
        let answer = Call::new("POST", &format!("/admin/functions/{name}"))
            .header("x-functions-key", &key)
            .header("content-type", "application/json")
            .body(&body)
            .send(self);
        assert_eq!(answer.status, 202, "{answer:?}");
    }
}

impl Drop for HostProcess {
    fn drop(&mut self) {
        let child = self.child.get_mut().unwrap_or_else(PoisonError::into_inner);
        if let Ok(id) = i32::try_from(child.id()) {
            // The host may have ended by itself; its handler must not be left either way.
            let _ = killpg(Pid::from_raw(id), Signal::SIGKILL);
        }
        let _ = child.wait();
    }
}
