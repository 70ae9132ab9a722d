//! The handler of a host that a row has started, as itself tells it: its process, its own address, and its calls.
//! Never asks a host that is ending: the handler is asked itself then.

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::Value;

use crate::{
    host::{Host, eventually},
    http::Call,
};

/// The text of an answer.
pub(crate) fn text(host: impl AsRef<str>, target: &str) -> String {
    let answer = Call::get(target).send(host);
    assert_eq!(answer.status, 200, "{target}: {answer:?}");
    String::from_utf8_lossy(&answer.body).into_owned()
}

/// The handler's process.
pub(crate) fn pid(host: impl AsRef<str>) -> Pid {
    Pid::from_raw(text(host, "/api/pid").parse().expect("a process id"))
}

/// Waits for a process other than this one.
pub(crate) fn another(host: &Host, than: Pid) -> Pid {
    eventually("another handler", || {
        let answer = Call::get("/api/pid").try_send(host);
        let text = answer.map(|answer| String::from_utf8_lossy(&answer.body).into_owned());
        let pid = text.and_then(|text| text.parse().ok()).map(Pid::from_raw);
        pid.filter(|pid| *pid != than)
    })
}

/// Where the handler itself listens.
pub(crate) fn address(host: &Host) -> String {
    let port = text(host, "/api/environment/FUNCTIONS_CUSTOMHANDLER_PORT");
    format!("127.0.0.1:{port}")
}

pub(crate) fn is_running(handler: Pid) -> bool {
    kill(handler, None).is_ok()
}

/// Kills the handler, as nothing but the platform does.
pub(crate) fn kill_handler(handler: Pid) {
    kill(handler, Signal::SIGKILL).expect("it runs");
}

/// Makes the handler end so; the body lets that come only once.
pub(crate) fn exit(host: &Host, code: i32) {
    // Whoever ends gives no answer.
    let _ = Call::new("POST", &format!("/api/exit/{code}"))
        .body("{}")
        .try_send(host);
}

/// Lets held calls go on.
pub(crate) fn release(host: impl AsRef<str>) {
    text(host, "/api/release");
}

/// Waits until this handler has been called so often by this name, and gives all those calls.
pub(crate) fn calls(host: impl AsRef<str>, name: &str, count: usize) -> Vec<Value> {
    let target = format!("/api/calls/{name}/0");
    eventually(&format!("{count} calls of {name}"), || {
        let answer = Call::get(&target).try_send(&host)?;
        let calls = answer.json().as_array().expect("a list").clone();
        (calls.len() >= count).then_some(calls)
    })
}
