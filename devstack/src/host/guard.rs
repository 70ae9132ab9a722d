//! Keeps web pages away from the host's own paths: they could start functions and read settings of the user who has one open.
//! It never looks at an app's own routes: who may call those is the app's business.

use std::{net::IpAddr, sync::Arc};

use axum::{
    extract::{Request, State},
    middleware::Next,
    response::{IntoResponse, Response},
};
use hyper::{
    HeaderMap, StatusCode, Uri,
    header::{HOST, ORIGIN},
    http::uri::Authority,
};
use url::form_urlencoded;

use super::{proxy, route};

/// The header with a key; `code` in the query does as well.
const KEY: &str = "x-functions-key";
/// The platform asks here whether the host lives, and has no key.
const PING: &str = "/admin/host/ping";

/// The answer to a request that no program of this machine has made.
const FOREIGN: &str = "the host's own paths are for this machine alone: Host and Origin must be localhost or a loopback address";

/// Passes on what is for the app, or from this machine by its name; a name that only leads here may be a page's (DNS rebinding).
/// Where there is a master key, who asks must have it.
pub(crate) async fn own_paths(
    State(master_key): State<Option<Arc<str>>>,
    request: Request,
    next: Next,
) -> Response {
    let path = request.uri().path();
    if !route::is_reserved(path) {
        return next.run(request).await;
    }
    if !is_from_here(request.uri(), request.headers()) {
        return (StatusCode::FORBIDDEN, FOREIGN).into_response();
    }
    match master_key {
        Some(key) if path != PING && !has(&key, &request) => proxy::empty(StatusCode::UNAUTHORIZED),
        _ => next.run(request).await,
    }
}

fn has(key: &str, request: &Request) -> bool {
    let query = request.uri().query().unwrap_or_default();
    let mut codes = form_urlencoded::parse(query.as_bytes()).filter(|(name, _)| name == "code");
    let header = request.headers().get(KEY);
    header.is_some_and(|header| header == key) || codes.any(|(_, code)| code == key)
}

fn is_from_here(uri: &Uri, headers: &HeaderMap) -> bool {
    let mut hosts = headers.get_all(HOST).iter().peekable();
    let asked = hosts.peek().is_some() || uri.authority().is_some();
    let named = hosts.all(|host| host.to_str().is_ok_and(is_loopback));
    let target = uri
        .authority()
        .is_none_or(|authority| is_loopback(authority.as_str()));
    let origin = |origin: &str| {
        origin
            .parse::<Uri>()
            .is_ok_and(|origin| origin.authority().is_some_and(|it| is_loopback(it.as_str())))
    };
    let mut origins = headers.get_all(ORIGIN).iter();
    asked && named && target && origins.all(|value| value.to_str().is_ok_and(origin))
}

/// True for names, with or without a port, that can only mean this machine.
fn is_loopback(authority: &str) -> bool {
    let Ok(authority) = authority.parse::<Authority>() else {
        return false;
    };
    let host = authority.host().trim_start_matches('[').trim_end_matches(']');
    let is_address = host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
    !authority.as_str().contains('@') && (host.eq_ignore_ascii_case("localhost") || is_address)
}
