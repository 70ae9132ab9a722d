//! Answers that a client may keep and ask about again: `ETag`, `Last-Modified`, `Cache-Control`.
//! Never lets a cache answer without asking us first: `no-cache`.

use std::time::SystemTime;

use axum::{
    Json,
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::{domain::timestamp::Timestamp, http::problem::Problem, read::view::Versioned};

/// One thing with its entity tag.
pub(super) fn item<T: Serialize>(seen: &Versioned<T>) -> Response {
    let etag = format!("\"{}\"", seen.etag);
    with_validators(Json(&seen.value).into_response(), &etag, seen.changed_at)
}

/// A list, whose tag is made of all that it says.
pub(super) fn list<T: Serialize>(list: &T) -> Result<Response, Problem> {
    let body = serde_json::to_vec(list).map_err(|error| Problem::broken(error.to_string()))?;
    // Half of the digest is more than enough to tell two pages apart.
    let digest = Sha256::digest(&body);
    let etag = format!("\"{}\"", URL_SAFE_NO_PAD.encode(&digest[..16]));
    let json = [(header::CONTENT_TYPE, "application/json")];
    Ok(with_validators((json, body).into_response(), &etag, None))
}

fn with_validators(mut answer: Response, etag: &str, changed_at: Option<Timestamp>) -> Response {
    let headers = answer.headers_mut();
    headers.insert(
        header::CACHE_CONTROL,
        HeaderValue::from_static("private, no-cache"),
    );
    if let Ok(etag) = HeaderValue::from_str(etag) {
        headers.insert(header::ETAG, etag);
    }
    // An HTTP date begins with 1970 and has four digits for the year (RFC 9110, section 5.6.7).
    let changed_at = changed_at.map(Timestamp::utc);
    let changed_at = changed_at.map(|at| httpdate::fmt_http_date(SystemTime::from(at)));
    if let Some(at) = changed_at.and_then(|at| HeaderValue::from_str(&at).ok()) {
        headers.insert(header::LAST_MODIFIED, at);
    }
    answer
}
