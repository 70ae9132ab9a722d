//! The life of the handler process: its environment, its ends and the end of the host.
//! Never leaves one running: a stopped host has no process, and a dropped one has not either.

use std::time::Instant;

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

/// Makes the handler end so; the body lets it come only once.
async fn exit(running: &Running, code: u8) {
    let request = running.request("POST", &format!("/api/exit/{code}"));
    running
        .send(request.body(Body::from("{}")).expect("a request"))
        .await;
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
async fn exit_code_0_is_final_but_the_host_goes_on() {
    let running = App::new().http("Echo", "echo").start().await;
    exit(&running, 0).await;
    eventually(|| running.host.handler_pid().is_none().then_some(())).await;
    let asked = Instant::now();
    assert_eq!(
        running.call("GET", "/api/echo").await.0,
        StatusCode::INTERNAL_SERVER_ERROR
    );
    assert!(asked.elapsed().as_millis() >= 1_850, "it was tried ten times");
    assert_eq!(running.call("GET", "/admin/host/status").await.0, StatusCode::OK);
    running.stop().await;
}

#[tokio::test]
async fn exit_code_200_starts_another_one_as_often_as_it_likes() {
    let running = App::new().http("Echo", "echo").start().await;
    for _ in 0..4 {
        let before = running.host.handler_pid().expect("a process");
        exit(&running, 200).await;
        running.another_pid(before).await;
    }
    assert_eq!(running.call("GET", "/api/echo").await.0, StatusCode::IM_A_TEAPOT);
    running.stop().await;
}

#[tokio::test]
async fn another_exit_code_starts_another_one_and_calls_wait_for_it() {
    let running = App::new().http("Echo", "echo").start().await;
    let before = running.host.handler_pid().expect("a process");
    exit(&running, 3).await;
    // It has been seen to go, and the next one has just been started.
    running.another_pid(before).await;
    assert_eq!(running.call("GET", "/api/echo").await.0, StatusCode::IM_A_TEAPOT);
    running.logged(&["Language Worker Process exited", "3"]).await;
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
async fn a_handler_that_does_not_get_ready_has_three_tries() {
    for (setting, value) in [("PROBE_DEAF", "yes"), ("PROBE_EXIT_AT_ONCE", "0")] {
        let app = App::new()
            .setting(setting, value)
            .host("customHandler__initializationTimeout", "00:00:00.3");
        let started = Instant::now();
        let refused = app.refused().await;
        assert!(
            refused.contains("restart retry count") && refused.contains("Initializing HttpWorker timed out"),
            "{refused}"
        );
        assert!(started.elapsed().as_millis() >= 900, "{setting}");
    }
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
