//! A custom handler for the tests of the host: it answers as the test told it to, and counts its calls.
//! It never knows about orders; see `PROBE_<FUNCTION>` for what it can be told.

#![expect(clippy::expect_used, reason = "a probe that cannot go on panics")]

use std::{
    net::Ipv4Addr,
    sync::{Arc, Mutex},
};

use axum::{
    Json, Router,
    body::Body,
    extract::{Path, Request, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::{any, get, post},
};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tokio::sync::watch;

/// The calls so far, and which held ones may go on.
struct Probe {
    calls: Mutex<Vec<(String, Value)>>,
    changed: watch::Sender<usize>,
    released: watch::Sender<bool>,
}

#[tokio::main]
async fn main() {
    let variable = |name: &str| std::env::var(name).unwrap_or_default();
    if let Ok(code) = variable("PROBE_EXIT_AT_ONCE").parse() {
        std::process::exit(code);
    }
    println!("probe started");
    eprintln!("probe writes to stderr");
    let probe = Arc::new(Probe {
        calls: Mutex::default(),
        changed: watch::Sender::new(0),
        released: watch::Sender::new(false),
    });
    let app = Router::new()
        .route("/", get(StatusCode::NOT_FOUND))
        .route("/api/health", get(Json(json!({ "status": "ok" }))))
        .route("/api/exit/{code}", any(exit))
        .route("/api/stream", any(stream))
        .route("/api/environment/{name}", any(environment))
        .route("/api/calls/{name}/{count}", get(calls))
        .route("/api/release", any(release))
        .route(
            "/api/hang",
            any(|| async { std::future::pending::<StatusCode>().await }),
        )
        .route("/{function}", post(call))
        .fallback(echo)
        .with_state(probe);
    let port = variable("FUNCTIONS_CUSTOMHANDLER_PORT").parse().expect("a port");
    let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, port))
        .await
        .expect("a free port");
    axum::serve(listener, app).await.expect("to serve");
}

/// Says how the request arrived.
async fn echo(request: Request) -> Response {
    let (head, body) = request.into_parts();
    let headers = head.headers.iter().map(|(name, value)| {
        (
            name.as_str().to_owned(),
            Value::String(String::from_utf8_lossy(value.as_bytes()).into_owned()),
        )
    });
    let headers: serde_json::Map<String, Value> = headers.collect();
    let body = body
        .collect()
        .await
        .map(|body| body.to_bytes())
        .unwrap_or_default();
    let echo = json!({
        "method": head.method.as_str(),
        "path": head.uri.to_string(),
        "headers": headers,
        "body": String::from_utf8_lossy(&body),
    });
    let headers = [("x-probe", "yes"), ("x-method", head.method.as_str())];
    (StatusCode::IM_A_TEAPOT, headers, Json(echo)).into_response()
}

async fn exit(Path(code): Path<i32>) -> StatusCode {
    std::process::exit(code)
}

/// Gives every piece back as soon as it comes.
async fn stream(request: Request) -> Body {
    Body::from_stream(request.into_body().into_data_stream())
}

async fn environment(Path(name): Path<String>) -> String {
    std::env::var(name).unwrap_or_default()
}

/// Waits until a function has been called so often, and gives all its calls.
async fn calls(State(probe): State<Arc<Probe>>, Path((name, count)): Path<(String, usize)>) -> Json<Value> {
    let mut changed = probe.changed.subscribe();
    loop {
        let calls: Vec<Value> = {
            let calls = probe.calls.lock().expect("no panic");
            calls
                .iter()
                .filter(|(function, _)| *function == name)
                .map(|(_, body)| body.clone())
                .collect()
        };
        if calls.len() >= count {
            return Json(calls.into());
        }
        changed.changed().await.expect("the probe lives");
    }
}

async fn release(State(probe): State<Arc<Probe>>) -> StatusCode {
    probe.released.send_replace(true);
    StatusCode::OK
}

/// `PROBE_<FUNCTION>` is `ok`, `empty`, `text`, `fail`, `fail-once`, `hold` (until `/api/release`) or
/// `hold-fail` (until then, and then it fails).
async fn call(State(probe): State<Arc<Probe>>, Path(name): Path<String>, request: Request) -> Response {
    let headers = request.headers().clone();
    let body = request
        .into_body()
        .collect()
        .await
        .map(|body| body.to_bytes())
        .unwrap_or_default();
    let mut body: Value = serde_json::from_slice(&body).unwrap_or_default();
    body["chunked"] = json!(
        headers
            .get(header::TRANSFER_ENCODING)
            .is_some_and(|value| value == "chunked")
    );
    body["invocation"] = json!(headers.contains_key("x-azure-functions-invocationid"));
    let count = {
        let mut calls = probe.calls.lock().expect("no panic");
        calls.push((name.clone(), body));
        calls.iter().filter(|(function, _)| *function == name).count()
    };
    probe.changed.send_modify(|changed| *changed += 1);
    let ok = Json(json!({ "Outputs": {}, "Logs": [format!("{name} was called")], "ReturnValue": null }));
    let mode = std::env::var(format!("PROBE_{}", name.to_uppercase())).unwrap_or_default();
    match mode.as_str() {
        "empty" => StatusCode::NO_CONTENT.into_response(),
        "text" => "not JSON".into_response(),
        "fail" => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        "fail-once" if count == 1 => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        "hold" | "hold-fail" => {
            let mut released = probe.released.subscribe();
            released
                .wait_for(|released| *released)
                .await
                .expect("the probe lives");
            if mode == "hold-fail" {
                return StatusCode::INTERNAL_SERVER_ERROR.into_response();
            }
            ok.into_response()
        }
        _ => ok.into_response(),
    }
}
