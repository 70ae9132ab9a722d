//! The web server in front of the host: its limits, what it refuses, and how it reads a path.
//! It never looks for a function.

use axum::{extract::Request, middleware::Next, response::Response};
use hyper::{
    HeaderMap, Method, StatusCode, Uri, Version,
    header::{CONNECTION, HOST, HeaderValue, SERVER},
    http::uri::PathAndQuery,
};

use super::{path, proxy};

/// The longest request line, in bytes.
const LONGEST_LINE: usize = 8_192;
/// The most bytes of all headers together.
const MOST_HEADERS: usize = 32_768;
/// `HTTP/1.1`, two spaces and the end of the line.
const REST_OF_LINE: usize = 12;
/// The colon, the space and the end of a header's line.
const REST_OF_HEADER: usize = 4;

/// Passes a request on with its path as it is meant, or refuses it.
pub(crate) async fn admit(mut request: Request, next: Next) -> Response {
    let mut response = match refusal(&request).map_or_else(|| meant(request.uri()), Err) {
        Ok(uri) => {
            *request.uri_mut() = uri;
            next.run(request).await
        }
        Err(status) => {
            let mut response = proxy::empty(status);
            let close = HeaderValue::from_static("close");
            response.headers_mut().insert(CONNECTION, close);
            response
        }
    };
    let kestrel = HeaderValue::from_static("Kestrel");
    response.headers_mut().entry(SERVER).or_insert(kestrel);
    response
}

fn refusal(request: &Request) -> Option<StatusCode> {
    let target = request.uri().path_and_query().map_or("", PathAndQuery::as_str);
    if request.method().as_str().len() + target.len() + REST_OF_LINE > LONGEST_LINE {
        return Some(StatusCode::URI_TOO_LONG);
    }
    if size(request.headers()) > MOST_HEADERS {
        return Some(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE);
    }
    let is_named = request.headers().contains_key(HOST);
    match request.version() {
        Version::HTTP_11 if !is_named => Some(StatusCode::BAD_REQUEST),
        Version::HTTP_10 if !is_named => Some(StatusCode::INTERNAL_SERVER_ERROR),
        _ if request.method() == Method::CONNECT => Some(StatusCode::INTERNAL_SERVER_ERROR),
        _ => None,
    }
}

fn size(headers: &HeaderMap) -> usize {
    let line = |(name, value): (&hyper::header::HeaderName, &HeaderValue)| {
        name.as_str().len() + value.len() + REST_OF_HEADER
    };
    headers.iter().map(line).sum()
}

/// The target with its path decoded and encoded again.
fn meant(uri: &Uri) -> Result<Uri, StatusCode> {
    // `OPTIONS *` has no path to read.
    if !uri.path().starts_with('/') {
        return Ok(uri.clone());
    }
    let path = path::normalize(uri.path()).ok_or(StatusCode::BAD_REQUEST)?;
    let target = match uri.query() {
        Some(query) => format!("{path}?{query}"),
        None => path,
    };
    target.parse().map_err(|_| StatusCode::BAD_REQUEST)
}
