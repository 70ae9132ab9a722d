//! The ways in which a Functions host hands an HTTP request over: proxied, forwarded by an older host, or as JSON.
//! Never serves the last one: its answer says that host.json must choose another.

use std::{
    collections::BTreeSet,
    sync::{LazyLock, Once},
};

use axum::{
    Json,
    body::to_bytes,
    extract::Request,
    http::{HeaderMap, Method, header},
    response::{IntoResponse, Response},
};
use serde_json::json;

use super::{
    api,
    problem::{Problem, ProblemKind},
};

/// The function that takes what no other does.
const CATCH_ALL: &str = "ZCatchAll";
/// The header of every call by a host, and the one that only a proxied request has.
const INVOCATION: &str = "x-azure-functions-invocationid";
const PROXIED: &str = "x-ms-invocation-id";
/// The cause of every refused envelope, for the log.
const WHY: &str = "the Functions host sends requests as JSON: host.json must have customHandler.enableProxyingHttpRequest, or for an \
                   older host customHandler.enableForwardingHttpRequest";

/// The names under which a host may post an HTTP request as JSON.
static FUNCTIONS: LazyLock<BTreeSet<&str>> = LazyLock::new(|| {
    let names = api::endpoints().into_iter().map(|endpoint| endpoint.name);
    names.chain([CATCH_ALL]).collect()
});

/// Says once, of the first request that is no probe, how it came.
pub fn log_first(request: &Request) {
    static FIRST: Once = Once::new();
    if request.uri().path() != "/" {
        FIRST.call_once(|| {
            let mode = mode(request.method(), request.uri().path(), request.headers());
            tracing::info!(mode, "first_request");
        });
    }
}

fn mode(method: &Method, path: &str, headers: &HeaderMap) -> &'static str {
    match () {
        () if is_envelope(method, path) => "envelope",
        () if headers.contains_key(PROXIED) => "proxied",
        () if headers.contains_key(INVOCATION) => "forwarded",
        () => "direct",
    }
}

fn is_envelope(method: &Method, path: &str) -> bool {
    method == Method::POST
        && path
            .strip_prefix('/')
            .is_some_and(|name| FUNCTIONS.contains(name))
}

/// Answers what has no route: an envelope by its like, everything else by a 404.
pub async fn no_route(request: Request) -> Response {
    if is_envelope(request.method(), request.uri().path()) {
        return refused().await;
    }
    Problem::new(ProblemKind::UnknownRoute, "there is nothing here").into_response()
}

/// A success for the host, which makes a 500 for the caller of it.
async fn refused() -> Response {
    let problem = Problem::broken(WHY.to_owned()).into_response();
    let (head, body) = problem.into_parts();
    // A body of ours is whole and short.
    let body = to_bytes(body, usize::MAX).await.unwrap_or_default();
    let content_type = head.headers.get(header::CONTENT_TYPE);
    let answer = json!({
        "statusCode": head.status.as_u16(),
        "headers": { "content-type": content_type.and_then(|it| it.to_str().ok()) },
        "body": String::from_utf8_lossy(&body),
    });
    // The name of the output in every function.json.
    Json(json!({ "Outputs": { "response": answer }, "Logs": [], "ReturnValue": null })).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_of_a_request_is_read_off_its_headers_and_path() {
        let headers = |names: &[&'static str]| -> HeaderMap {
            let names = names.iter().map(|name| {
                (
                    header::HeaderName::from_static(name),
                    header::HeaderValue::from_static("x"),
                )
            });
            names.collect()
        };
        for (method, path, names, expected) in [
            (Method::GET, "/api/orders", &[INVOCATION, PROXIED][..], "proxied"),
            (Method::GET, "/api/orders", &[INVOCATION], "forwarded"),
            (Method::GET, "/api/orders", &[], "direct"),
            (Method::POST, "/GetOrder", &[INVOCATION], "envelope"),
            (Method::POST, "/ZCatchAll", &[INVOCATION], "envelope"),
            (Method::POST, "/Nothing", &[], "direct"),
        ] {
            assert_eq!(mode(&method, path, &headers(names)), expected, "{method} {path}");
        }
    }
}
