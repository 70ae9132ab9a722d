//! The life of the handler process: its environment, its ends and the end of the host.
//! Never leaves one running: a stopped host has no process, and a dropped one has not either.

use std::time::Duration;

use axum::body::Body;
use hyper::StatusCode;
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use crate::app::{App, Running, eventually, within};

fn pid(number: u32) -> Pid {
    Pid::from_raw(i32::try_from(number).expect("a process id"))
}

pub(crate) fn is_running(number: u32) -> bool {
    kill(pid(number), None).is_ok()
}

async fn kill_it(running: &Running) -> u32 {
    let number = running.host.handler_pid().expect("a process");
    kill(pid(number), Signal::SIGKILL).expect("it runs");
    number
}

#[tokio::test]
async fn the_handler_has_the_settings_and_the_variables_of_the_host() {
    let running = App::new()
        .write(
            "local.settings.json",
            r#"{ "Values": { "FROM_FILE": "file", "FROM_BOTH": "file" } }"#,
        )
        .setting("FROM_BOTH", "caller")
        .http("Environment", "environment/{name}")
        .start()
        .await;
    let read = async |name: &str| {
        let (_, body) = running.call("GET", &format!("/api/environment/{name}")).await;
        String::from_utf8(body).expect("text")
    };
    assert_eq!(read("FROM_FILE").await, "file");
    assert_eq!(read("FROM_BOTH").await, "caller");
    assert_eq!(
        read("FUNCTIONS_HTTPWORKER_PORT").await,
        read("FUNCTIONS_CUSTOMHANDLER_PORT").await
    );
    assert_eq!(
        read("FUNCTIONS_APP_ROOT_PATH").await,
        running.app.folder.path().to_string_lossy()
    );
    assert_eq!(read("AZURE_FUNCTIONS_ENVIRONMENT").await, "Development");
    running.logged(&["INF", "probe started"]).await;
    running.logged(&["ERR", "probe writes to stderr"]).await;
    running.stop().await;
}

#[tokio::test]
async fn an_omitted_setting_comes_from_the_caller_alone() {
    let running = App::new()
        .write(
            "local.settings.json",
            r#"{ "Values": { "FROM_FILE": "file", "FROM_BOTH": "file" } }"#,
        )
        .without("from_file")
        .without("FROM_BOTH")
        .without("PATH")
        .setting("FROM_BOTH", "caller")
        .http("Environment", "environment/{name}")
        .start()
        .await;
    let read = async |name: &str| {
        let (_, body) = running.call("GET", &format!("/api/environment/{name}")).await;
        String::from_utf8(body).expect("text")
    };
    assert!(std::env::var("PATH").is_ok_and(|path| !path.is_empty()));
    for (name, value) in [("FROM_FILE", ""), ("PATH", ""), ("FROM_BOTH", "caller")] {
        assert_eq!(read(name).await, value, "{name}");
    }
    running.stop().await;
}

#[tokio::test]
async fn the_third_kill_stops_the_host_with_a_reason() {
    let running = App::new().http("Echo", "echo").start().await;
    for _ in 0..2 {
        let killed = kill_it(&running).await;
        running.another_pid(killed).await;
        assert_eq!(running.call("GET", "/api/echo").await.0, StatusCode::IM_A_TEAPOT);
    }
    kill_it(&running).await;
    let reason = within(running.host.stopped()).await;
    assert!(
        reason.contains("restart retry count") && reason.contains("signal: 9"),
        "{reason}"
    );
    assert_eq!(running.host.handler_pid(), None);
    let address = running.host.url().replace("http://", "");
    std::net::TcpStream::connect(address).expect_err("the port is closed");
    running.stop().await;
}

#[tokio::test]
async fn a_handler_that_never_starts_is_an_error_that_names_it() {
    let crashes = App::new().setting("PROBE_EXIT_AT_ONCE", "7").refused().await;
    assert!(
        crashes.contains("probe_handler") && crashes.contains('7'),
        "{crashes}"
    );
    let key = "customHandler__description__defaultExecutablePath";
    let missing = App::new().host(key, "no-such-program").refused().await;
    assert!(
        missing.contains("Failed to start Worker Channel") && missing.contains("no-such-program"),
        "{missing}"
    );
}

#[tokio::test]
async fn no_process_is_left_after_a_stop_or_a_drop() {
    let stopped = App::new().start().await;
    let first = stopped.host.handler_pid().expect("a process");
    stopped.stop().await;
    assert!(!is_running(first));
    let dropped = App::new().start().await;
    let second = dropped.host.handler_pid().expect("a process");
    drop(dropped);
    eventually(|| (!is_running(second)).then_some(())).await;
}

#[tokio::test]
async fn a_stop_that_cuts_calls_short_says_so() {
    let running = App::new()
        .http("Hang", "hang")
        .timer("Tick", "* * * * * *")
        .setting("PROBE_TICK", "hold")
        .times(|times| {
            (times.drain, times.listeners) = (Duration::from_millis(200), Duration::from_millis(200))
        })
        .start()
        .await;
    let hanging = running.request("GET", "/api/hang").body(Body::empty());
    let hanging = tokio::spawn(running.client.request(hanging.expect("a request")));
    running.calls("Tick", 1).await;
    let Running { host, app, client: _ } = running;
    within(host.stop()).await;
    app.logged(&["WRN", "HTTP requests are still under way"]).await;
    app.logged(&["WRN", "Calls of triggers are still under way"])
        .await;
    // It broke, or a 500 was the last that the host said.
    drop(within(hanging).await.expect("no panic"));
}
