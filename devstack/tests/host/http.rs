//! HTTP functions: what the handler sees, and what the caller gets back.
//! Never checks timing: streaming is seen by a body that goes back and forth.

use axum::body::Body;
use bytes::Bytes;
use futures_util::StreamExt;
use http_body_util::BodyExt;
use hyper::StatusCode;
use serde_json::Value;

use crate::app::{App, Running, within};

pub(crate) async fn echo(running: &Running, request: hyper::Request<Body>) -> Value {
    let response = running.send(request).await;
    assert_eq!(response.status(), StatusCode::IM_A_TEAPOT);
    assert_eq!(response.headers()["x-probe"], "yes");
    let body = within(response.into_body().collect())
        .await
        .expect("a body")
        .to_bytes();
    serde_json::from_slice(&body).expect("JSON")
}

#[tokio::test]
async fn a_request_arrives_whole_with_the_headers_of_the_host() {
    let running = App::new().http("Echo", "echo/{id}").start().await;
    let request = running
        .request("PUT", "/api/echo/a%20b?x=1&x=2")
        .header("x-mine", "1")
        .header("user-agent", "test")
        .body(Body::from("hello"));
    let seen = echo(&running, request.expect("a request")).await;
    assert_eq!(seen["method"], "PUT");
    assert_eq!(seen["path"], "/api/echo/a%20b?x=1&x=2");
    assert_eq!(seen["body"], "hello");
    let headers = &seen["headers"];
    assert_eq!(headers["x-mine"], "1");
    assert_eq!(headers["user-agent"], "test");
    let host = headers["host"].as_str().expect("a host");
    assert!(host.starts_with("127.0.0.1:") && !running.host.url().ends_with(host));
    assert!(
        headers["x-azure-functions-hostversion"]
            .as_str()
            .is_some_and(|it| it.starts_with("4."))
    );
    assert_eq!(
        headers["x-azure-functions-invocationid"],
        headers["x-ms-invocation-id"]
    );
    running.stop().await;
}

#[tokio::test]
async fn bodies_stream_both_ways() {
    let running = App::new().http("Stream", "stream").start().await;
    let (sender, receiver) = tokio::sync::mpsc::channel::<Bytes>(1);
    let pieces = futures_util::stream::unfold(receiver, |mut receiver| async {
        let piece = receiver.recv().await?;
        Some((Ok::<_, std::io::Error>(piece), receiver))
    });
    let request = running
        .request("POST", "/api/stream")
        .body(Body::from_stream(pieces));
    let response = running.send(request.expect("a request")).await;
    assert_eq!(response.status(), StatusCode::OK);
    let mut back = response.into_body().into_data_stream();
    for piece in ["one", "two"] {
        // The second piece is not sent before the first has come back.
        within(sender.send(Bytes::from(piece)))
            .await
            .expect("the host reads");
        let answer = within(back.next()).await.expect("a piece").expect("no error");
        assert_eq!(answer, piece);
    }
    drop(sender);
    assert!(within(back.next()).await.is_none());
    running.stop().await;
}
