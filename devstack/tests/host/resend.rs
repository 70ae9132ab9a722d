//! Requests whose connection to the handler breaks: how often it sees them, and what their caller gets.
//! Never waits for a request that does not come: the last answer comes after it.

use std::time::Instant;

use axum::body::Body;
use hyper::{Request, StatusCode};

use crate::app::{App, Running, within};

/// Sends it where the handler cuts every connection; how often it came, and the milliseconds until there was an answer.
async fn cut(running: &Running, request: Request<Body>) -> (usize, u128) {
    let before = running.calls("cut", 0).await.len();
    let asked = Instant::now();
    assert_eq!(
        running.send(request).await.status(),
        StatusCode::INTERNAL_SERVER_ERROR
    );
    let took = asked.elapsed().as_millis();
    let calls = running.calls("cut", 0).await.split_off(before);
    assert!(calls[0].as_str().is_some_and(|id| !id.is_empty()));
    assert!(
        calls.iter().all(|call| *call == calls[0]),
        "one invocation id: {calls:?}"
    );
    (calls.len(), took)
}

#[tokio::test]
async fn a_request_without_a_body_comes_again_up_to_40_times() {
    let running = App::new().http("Cut", "cut").start().await;
    for method in ["GET", "DELETE", "POST"] {
        let request = running.request(method, "/api/cut").body(Body::empty());
        let (seen, took) = cut(&running, request.expect("a request")).await;
        assert_eq!(seen, 40, "{method}");
        assert!(took >= 1_850, "{method}: {took} ms");
    }
    running.stop().await;
}

#[tokio::test]
async fn a_request_with_a_length_of_zero_comes_ten_times() {
    let running = App::new().http("Cut", "cut").start().await;
    for method in ["POST", "PUT"] {
        let request = running.request(method, "/api/cut").header("content-length", "0");
        let (seen, took) = cut(&running, request.body(Body::empty()).expect("a request")).await;
        assert_eq!(seen, 10, "{method}");
        assert!(took >= 1_850, "{method}: {took} ms");
    }
    running.stop().await;
}

#[tokio::test]
async fn a_request_with_a_body_comes_once() {
    let running = App::new().http("Cut", "cut").start().await;
    for method in ["POST", "PUT", "DELETE"] {
        let request = running.request(method, "/api/cut").body(Body::from("{}"));
        assert_eq!(cut(&running, request.expect("a request")).await.0, 1, "{method}");
    }
    running.stop().await;
}

#[tokio::test]
async fn a_waiting_request_is_answered_by_the_next_handler() {
    let running = App::new()
        .http("Held", "held")
        .http("Hang", "hang")
        .host("functionTimeout", "00:00:10")
        .start()
        .await;
    let before = running.host.handler_pid().expect("a process");
    let waiting = async { running.call("GET", "/api/held").await };
    let replacing = async {
        running.calls("held", 1).await;
        let pid = nix::unistd::Pid::from_raw(i32::try_from(before).expect("an id"));
        nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL).expect("it runs");
        let next = running.another_pid(before).await;
        running.calls("held", 1).await;
        running.call("POST", "/api/release").await;
        next
    };
    let ((status, answered_by), next) = tokio::join!(waiting, replacing);
    assert_eq!(status, StatusCode::OK);
    assert_eq!(String::from_utf8_lossy(&answered_by), next.to_string());
    running.stop().await;
}

#[tokio::test]
async fn a_get_that_ends_the_handler_ends_the_host() {
    let running = App::new().start().await;
    // On a busy machine one request's tries may be over before the third handler is there.
    let asking = async {
        loop {
            let request = running.request("GET", "/api/exit/1").body(Body::empty());
            let _ = running.client.request(request.expect("a request")).await;
        }
    };
    let reason = tokio::select! {
        reason = within(running.host.stopped()) => reason,
        () = asking => unreachable!(),
    };
    assert!(reason.contains("restart retry count"), "{reason}");
    assert_eq!(running.lines("probe started"), 3);
    running.stop().await;
}
