//! A custom handler for the tests of the host: it answers as the test told it to, and counts its calls.
//! It never knows about orders; see `PROBE_<FUNCTION>` for what it can be told.

#![expect(clippy::expect_used, reason = "a probe that cannot go on panics")]

use std::{
    net::Ipv4Addr,
    sync::{Arc, Mutex},
    time::Duration,
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

impl Probe {
    /// Counts a call; how many of this name there have been.
    fn note(&self, name: &str, call: Value) -> usize {
        let count = {
            let mut calls = self.calls.lock().expect("no panic");
            calls.push((name.to_owned(), call));
            calls.iter().filter(|(function, _)| function == name).count()
        };
        self.changed.send_modify(|changed| *changed += 1);
        count
    }

    async fn released(&self) {
        let mut released = self.released.subscribe();
        released
            .wait_for(|released| *released)
            .await
            .expect("the probe lives");
    }
}

#[tokio::main]
async fn main() {
    let variable = |name: &str| std::env::var(name).unwrap_or_default();
    if let Ok(code) = variable("PROBE_EXIT_AT_ONCE").parse() {
        std::process::exit(code);
    }
    println!("probe started");
    if variable("PROBE_DEAF") == "yes" {
        // It never listens, so it never gets ready.
        std::future::pending::<()>().await;
    }
    eprintln!("probe writes to stderr");
    let gate = variable("PROBE_WAITS_FOR");
    if !gate.is_empty() {
        exists(std::path::Path::new(&gate)).await;
    }
    let probe = Arc::new(Probe {
        calls: Mutex::default(),
        changed: watch::Sender::new(0),
        released: watch::Sender::new(false),
    });
    let app = Router::new()
        .route("/", get(StatusCode::NOT_FOUND))
        .route("/api/health", get(Json(json!({ "status": "ok" }))))
        .route("/api/exit/{code}", any(exit))
        .route("/api/cut/{name}", any(cut))
        .route("/api/held", any(held))
        .route("/api/stream", any(stream))
        .route("/api/environment/{name}", any(environment))
        .route("/api/folder", any(folder))
        .route("/api/pid", any(|| async { std::process::id().to_string() }))
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

/// Waits until this file is there.
async fn exists(file: &std::path::Path) {
    let mut again = tokio::time::interval(Duration::from_millis(5));
    while !file.exists() {
        again.tick().await;
    }
}

/// Says how the request arrived; or, with `x-answer`, answers with that status and headers that are read by somebody.
async fn echo(request: Request) -> Response {
    let (head, body) = request.into_parts();
    let headers = head.headers.iter().map(|(name, value)| {
        (
            name.as_str().to_owned(),
            Value::String(String::from_utf8_lossy(value.as_bytes()).into_owned()),
        )
    });
    let headers: serde_json::Map<String, Value> = headers.collect();
    if let Some(status) = head.headers.get("x-answer") {
        let status = StatusCode::from_bytes(status.as_bytes()).expect("a status");
        let headers = [
            ("allow", "GET, HEAD"),
            ("content-type", "application/problem+json"),
            ("etag", "\"7\""),
            ("location", "/api/echo/7"),
            ("x-own", "1"),
        ];
        return (status, headers).into_response();
    }
    let lines = head
        .headers
        .iter()
        .map(|(name, value)| json!([name.as_str(), String::from_utf8_lossy(value.as_bytes())]));
    let lines: Vec<Value> = lines.collect();
    let body = body
        .collect()
        .await
        .map(|body| body.to_bytes())
        .unwrap_or_default();
    let echo = json!({
        "method": head.method.as_str(),
        "path": head.uri.to_string(),
        "headers": headers,
        "lines": lines,
        "body": String::from_utf8_lossy(&body),
    });
    let headers = [("x-probe", "yes"), ("x-method", head.method.as_str())];
    (StatusCode::IM_A_TEAPOT, headers, Json(echo)).into_response()
}

async fn exit(Path(code): Path<i32>) -> StatusCode {
    std::process::exit(code)
}

/// Notes the call under this name, and breaks its connection without an answer.
async fn cut(State(probe): State<Arc<Probe>>, Path(name): Path<String>, request: Request) -> Response {
    let id = request.headers().get("x-azure-functions-invocationid");
    let id = id.and_then(|id| id.to_str().ok()).unwrap_or_default();
    probe.note(&name, json!(id));
    panic!("a connection is cut");
}

/// Notes the call, and answers after `/api/release`, with the id of this process.
async fn held(State(probe): State<Arc<Probe>>) -> String {
    probe.note("held", Value::Null);
    probe.released().await;
    std::process::id().to_string()
}

/// Gives every piece back as soon as it comes.
async fn stream(request: Request) -> Body {
    Body::from_stream(request.into_body().into_data_stream())
}

async fn environment(Path(name): Path<String>) -> String {
    std::env::var(name).unwrap_or_default()
}

async fn folder() -> String {
    let folder = std::env::current_dir().expect("a folder");
    folder.display().to_string()
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

/// `PROBE_<FUNCTION>` is a word of [`answer`], `fail-once`, `hold` (until `/api/release`) or `hold-fail` (until then, and
/// then it fails).
async fn call(State(probe): State<Arc<Probe>>, Path(name): Path<String>, request: Request) -> Response {
    let headers = request.headers().clone();
    let body = request
        .into_body()
        .collect()
        .await
        .map(|body| body.to_bytes())
        .unwrap_or_default();
    let text = String::from_utf8_lossy(&body).into_owned();
    let mut body: Value = serde_json::from_slice(&body).unwrap_or_default();
    let mode = std::env::var(format!("PROBE_{}", name.to_uppercase())).unwrap_or_default();
    if body["Data"]["request"].is_object() {
        if let Some(answer) = answer(&mode) {
            return answer;
        }
        // An HTTP request as JSON: who sent it is shown how it came.
        let response =
            json!({ "statusCode": 418, "headers": { "content-type": "application/json" }, "body": body });
        return Json(json!({ "Outputs": { "response": response }, "Logs": [], "ReturnValue": null }))
            .into_response();
    }
    body["text"] = json!(text);
    body["chunked"] = json!(
        headers
            .get(header::TRANSFER_ENCODING)
            .is_some_and(|value| value == "chunked")
    );
    body["invocation"] = json!(headers.contains_key("x-azure-functions-invocationid"));
    let count = probe.note(&name, body);
    let ok = Json(json!({ "Outputs": {}, "Logs": [format!("{name} was called")], "ReturnValue": null }));
    match mode.as_str() {
        "fail-once" if count == 1 => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        "hold" | "hold-fail" => {
            probe.released().await;
            if mode == "hold-fail" {
                return StatusCode::INTERNAL_SERVER_ERROR.into_response();
            }
            ok.into_response()
        }
        mode => answer(mode).unwrap_or_else(|| ok.into_response()),
    }
}

/// An answer that is not what a host wants; `None` for a word that means no such answer.
fn answer(mode: &str) -> Option<Response> {
    let json =
        |kind: &'static str, body: &'static str| ([(header::CONTENT_TYPE, kind)], body).into_response();
    Some(match mode {
        "created" => (StatusCode::CREATED, Json(json!({}))).into_response(),
        "accepted" => (StatusCode::ACCEPTED, Json(json!({}))).into_response(),
        "no-content" => StatusCode::NO_CONTENT.into_response(),
        "empty" => StatusCode::OK.into_response(),
        "null" => json("application/json", "null"),
        "text" => "not JSON".into_response(),
        "problem" => json("application/problem+json", "{}"),
        "array" => json("application/json", "[]"),
        "string" => json("application/json", "\"done\""),
        "broken" => json("application/json", "{"),
        "refuse" => StatusCode::BAD_REQUEST.into_response(),
        "fail" => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        "redirect" => (StatusCode::FOUND, [(header::LOCATION, "/api/health")]).into_response(),
        "cut" => panic!("a connection is cut"),
        _ => return None,
    })
}
