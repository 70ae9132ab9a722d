//! The HTTP side of the host: the routes of the functions, and the admin calls beside them.
//! It never checks keys: like the local `func`, it leaves that to the platform.

use std::{sync::Arc, time::Instant};

use axum::{
    Json, Router,
    extract::{Path, Request, State},
    middleware::from_fn,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use bytes::Bytes;
use hyper::StatusCode;
use serde_json::{Map, Value, json};

use super::{
    function::{Function, Trigger},
    guard, handler,
    invoke::{Invoker, VERSION},
    payload, proxy, route,
    sign_in::SignIn,
};

/// Everything that a request needs to find its function.
pub(crate) struct App {
    pub(crate) functions: Vec<Function>,
    pub(crate) failed: Vec<String>,
    pub(crate) invoker: Invoker,
    pub(crate) sign_in: SignIn,
    pub(crate) url: String,
    pub(crate) started: Instant,
}

pub(crate) fn router(app: Arc<App>) -> Router {
    Router::new()
        .route("/admin/functions", get(list))
        .route("/admin/functions/{name}", post(start))
        .route("/admin/host/status", get(status))
        .route("/admin/host/ping", get(StatusCode::OK).post(StatusCode::OK))
        .fallback(call)
        .layer(from_fn(guard::own_paths))
        .with_state(app)
}

async fn call(State(app): State<Arc<App>>, request: Request) -> Response {
    let path = request.uri().path();
    if route::is_reserved(path) {
        return proxy::empty(StatusCode::NOT_FOUND);
    }
    let found = app.functions.iter().filter_map(|function| {
        let Trigger::Http { route, methods } = &function.trigger else {
            return None;
        };
        let method = request.method().as_str();
        let takes = methods.is_empty() || methods.iter().any(|one| one == method);
        let matches = takes && route.matches(path);
        matches.then_some((route, function))
    });
    match found.min_by(|(a, _), (b, _)| a.precedence(b)) {
        Some((_, function)) if !function.disabled => {
            proxy::forward(&app.invoker, &app.sign_in, &function.name, request).await
        }
        // A disabled function keeps its route: what it would get does not go to a wider one.
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
        Trigger::Http { .. } => {
            let line = "an HTTP function is called through its route";
            return (StatusCode::BAD_REQUEST, line).into_response();
        }
        Trigger::Nothing => {
            let line = "the stand-in does not start a disabled function";
            return (StatusCode::BAD_REQUEST, line).into_response();
        }
        Trigger::Timer { .. } => Ok(payload::timer(&function.name, &function.binding, Value::Null)),
        Trigger::ServiceBus { binary, .. } => payload::message(
            &function.name,
            &function.binding,
            input.as_bytes(),
            *binary,
            Map::new(),
        ),
    };
    match payload {
        Ok(payload) => {
            let (invoker, name) = (app.invoker.clone(), function.name.clone());
            // The invoker logs how it went; the caller is told only that it was started.
            tokio::spawn(async move { invoker.invoke(&name, payload).await });
            proxy::empty(StatusCode::ACCEPTED)
        }
        Err(problem) => (StatusCode::BAD_REQUEST, problem).into_response(),
    }
}

async fn list(State(app): State<Arc<App>>) -> Json<Value> {
    let entry = |function: &Function| {
        let url = match &function.trigger {
            Trigger::Http { route, .. } => Some(format!("{}/{}", app.url, route.text())),
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
    let state = match &*app.invoker.handler.state().borrow() {
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
