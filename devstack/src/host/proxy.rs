//! The outside of the host: routes of the functions, each request passed on to the handler and its answer passed back, streaming.
//! Never lets a caller name himself: `X-MS-CLIENT-PRINCIPAL*` is App Service authentication's to set.

use std::{net::SocketAddr, time::Duration};

use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    http::{HeaderValue, StatusCode, Uri, header::HeaderName},
    response::{IntoResponse, Response},
    routing::any,
};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use tokio::{sync::watch, time::timeout};
use uuid::Uuid;

use super::{contract::App, handler};

/// How long an invocation waits for a handler that is being restarted.
const RESTART_WAIT: Duration = Duration::from_secs(120);
/// What the stand-in calls itself where the real host names its version.
const HOST_VERSION: &str = "4.0.0.0";

#[derive(Clone)]
struct Upstream {
    address: SocketAddr,
    state: watch::Receiver<handler::State>,
    client: Client<HttpConnector, Body>,
}

/// Routes of every function; whatever else is asked for is 404.
pub(super) fn router(app: &App, address: SocketAddr, state: watch::Receiver<handler::State>) -> Router {
    let client = Client::builder(TokioExecutor::new()).build_http();
    let upstream = Upstream {
        address,
        state,
        client,
    };
    let mut routes = std::collections::BTreeMap::<String, Vec<String>>::new();
    for function in &app.functions {
        let path = format!("/{}/{}", app.route_prefix, function.route).replace("//", "/");
        routes.entry(path).or_default().extend(function.methods.clone());
    }
    let mut router = Router::new();
    for (path, methods) in routes {
        let pass = move |State(upstream): State<Upstream>, request: Request| async move {
            if !methods.is_empty() && !methods.iter().any(|method| method == request.method().as_str()) {
                return StatusCode::NOT_FOUND.into_response();
            }
            forward(upstream, request).await
        };
        router = router.route(&path, any(pass));
    }
    router
        .fallback(async || StatusCode::NOT_FOUND)
        .with_state(upstream)
}

/// Passes one request on; a handler that does not answer is the real host's 500 with an empty body.
async fn forward(mut upstream: Upstream, mut request: Request) -> Response {
    let settled = upstream
        .state
        .wait_for(|state| *state != handler::State::Starting);
    let ready = matches!(timeout(RESTART_WAIT, settled).await, Ok(Ok(state)) if matches!(*state, handler::State::Ready(_)));
    let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
    let target = format!("http://{}{path}", upstream.address).parse::<Uri>();
    let (true, Ok(target)) = (ready, target) else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    *request.uri_mut() = target;
    mark(&mut request);
    match upstream.client.request(request).await {
        Ok(response) => response.map(Body::new),
        Err(error) => {
            eprintln!("[host] the handler did not answer: {error}");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

/// Takes away what a caller must not send and adds what the host sends.
fn mark(request: &mut Request) {
    let headers = request.headers_mut();
    let forged: Vec<HeaderName> = headers
        .keys()
        .filter(|name| name.as_str().starts_with("x-ms-client-principal"))
        .cloned()
        .collect();
    for name in forged {
        headers.remove(name);
    }
    headers.insert(
        "x-azure-functions-hostversion",
        HeaderValue::from_static(HOST_VERSION),
    );
    if let Ok(id) = HeaderValue::from_str(&Uuid::new_v4().to_string()) {
        headers.insert("x-azure-functions-invocationid", id.clone());
        headers.insert("x-ms-invocation-id", id);
    }
}
