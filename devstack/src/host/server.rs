//! The HTTP side of the host: the routes of the functions, and the admin calls beside them.
//! It never checks the keys of functions: like the local `func`, it leaves that to the platform.

use std::{sync::Arc, time::Instant};

use axum::{
    Json, Router,
    extract::{Path, Request, State},
    middleware::{from_fn, from_fn_with_state},
    response::{Html, IntoResponse, Response},
    routing::{get, post},
};
use bytes::Bytes;
use hyper::{Method, StatusCode};
use serde_json::{Value, json};

use super::{
    call::HttpCalls,
    edge,
    function::{Function, Trigger},
    guard, handler,
    invoke::VERSION,
    members::Members,
    payload, proxy, route,
};

/// What the real host shows at its root.
const HOME: &str = "<!DOCTYPE html><title>Functions</title><p>Your Functions 4.0 app is up and running";

/// Everything that a request needs to find its function.
pub(crate) struct App {
    pub(crate) functions: Vec<Function>,
    pub(crate) failed: Vec<String>,
    pub(crate) calls: HttpCalls,
    /// The key to the host's own paths, if they have one.
    pub(crate) master_key: Option<Arc<str>>,
    pub(crate) url: String,
    pub(crate) started: Instant,
}

pub(crate) fn router(app: Arc<App>) -> Router {
    let key = app.master_key.clone();
    let own = Router::new()
        .route("/admin/functions", get(list))
        .route("/admin/functions/{name}", post(start))
        .route("/admin/host/status", get(status))
        .route("/admin/host/ping", get(StatusCode::OK).post(StatusCode::OK))
        .fallback(call)
        .layer(from_fn_with_state(key, guard::own_paths))
        .with_state(app);
    // What is asked for is only known after the edge, so it stands before all routes.
    Router::new().fallback_service(own).layer(from_fn(edge::admit))
}

async fn call(State(app): State<Arc<App>>, request: Request) -> Response {
    let path = request.uri().path();
    if route::is_reserved(path) {
        return proxy::empty(StatusCode::NOT_FOUND);
    }
    let method = request.method().as_str();
    // The first in the order of the names, however narrow the routes of others are.
    let found = app.functions.iter().find_map(|function| match &function.trigger {
        Trigger::Http(trigger) if trigger.takes(method, path) => Some((function, trigger)),
        _ => None,
    });
    match found {
        Some((function, trigger)) if !function.disabled => app.calls.call(function, trigger, request).await,
        None if path == "/" && request.method() == Method::GET => Html(HOME).into_response(),
        // A disabled function keeps its route: what it would get does not go to the next one.
        _ => proxy::empty(StatusCode::NOT_FOUND),
    }
}

async fn start(State(app): State<Arc<App>>, Path(name): Path<String>, body: Bytes) -> Response {
    let Some(function) = app
        .functions
        .iter()
        .find(|it| it.name.eq_ignore_ascii_case(&name))
    else {
        return proxy::empty(StatusCode::NOT_FOUND);
    };
    let input = match serde_json::from_slice::<Value>(&body) {
        Ok(value) => value
            .get("input")
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned(),
        Err(_) if body.is_empty() => String::new(),
        Err(error) => {
            return (StatusCode::BAD_REQUEST, format!("the body is no JSON: {error}")).into_response();
        }
    };
    let payload = match &function.trigger {
        Trigger::Http(_) => {
            let line = "an HTTP function is called through its route";
            return (StatusCode::BAD_REQUEST, line).into_response();
        }
        Trigger::Nothing => {
            let line = "the stand-in does not start a disabled function";
            return (StatusCode::BAD_REQUEST, line).into_response();
        }
        Trigger::Timer { .. } => payload::timer(&function.name, &function.binding, &Value::Null),
        Trigger::ServiceBus { binary, .. } => made_up(function, *binary, &input),
    };
    match payload {
        Ok(payload) => {
            let (invoker, name) = (app.calls.invoker.clone(), function.name.clone());
            // The invoker logs how it went; the caller is told only that it was started.
            tokio::spawn(async move { invoker.invoke(&name, payload).await });
            proxy::empty(StatusCode::ACCEPTED)
        }
        Err(problem) => (StatusCode::BAD_REQUEST, problem).into_response(),
    }
}

/// A call with a message that nobody has sent: hardly anything is known of it.
fn made_up(function: &Function, binary: bool, input: &str) -> Result<Vec<u8>, String> {
    let mut metadata = Members::default();
    metadata.put("DeliveryCount", "0")?;
    metadata.put("SequenceNumber", "-1")?;
    metadata.put(&function.binding, &payload::encode(&Value::from(input)))?;
    payload::message(
        &function.name,
        &function.binding,
        input.as_bytes(),
        binary,
        metadata,
    )
}

async fn list(State(app): State<Arc<App>>) -> Json<Value> {
    let entry = |function: &Function| {
        let url = match &function.trigger {
            Trigger::Http(http) => Some(format!("{}/{}", app.url, http.route.text())),
            _ => None,
        };
        json!({
            "name": function.name,
            "href": format!("{}/admin/functions/{}", app.url, function.name),
            "invoke_url_template": url,
            "language": "Custom",
            "config": function.config,
            "isDisabled": function.disabled,
        })
    };
    Json(app.functions.iter().map(entry).collect())
}

async fn status(State(app): State<Arc<App>>) -> Json<Value> {
    let state = match &*app.calls.invoker.handler.state().borrow() {
        handler::HandlerState::Stopped(_) => "Error",
        _ => "Running",
    };
    let uptime = u64::try_from(app.started.elapsed().as_millis()).unwrap_or(u64::MAX);
    Json(json!({
        "id": "devstack",
        "state": state,
        "version": VERSION,
        "errors": app.failed,
        "processUptime": uptime,
    }))
}
