//! Reads a JSON body strictly: right content type, at most 1 MiB, no unknown fields, errors that point at the place.
//! Never answers 500 for something a caller sent.

use axum::{
    body::Body,
    extract::Request,
    http::{HeaderMap, HeaderValue, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use futures_util::TryStreamExt;
use serde::de::DeserializeOwned;
use serde_path_to_error::{Path, Segment};

use super::problem::{Kind, Problem};

/// Largest accepted body, in bytes.
const MAX_BODY_BYTES: usize = 1024 * 1024;
/// How much is read of one that is not accepted, so that whoever is still sending it sees the answer.
const MOST_READ_BYTES: usize = 16 * MAX_BODY_BYTES;

/// Reads the whole body before anything is answered, whatever is asked for: an answer that leaves some of it unread makes
/// the server close the connection without a word, and the host's next request on it would be lost.
pub async fn whole(request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    let mut kept = Vec::new();
    match read(body, &mut kept).await {
        Some(bytes) if bytes <= MAX_BODY_BYTES => {
            next.run(Request::from_parts(parts, Body::from(kept))).await
        }
        read => {
            let refused = Problem::new(Kind::BodyTooLarge, "a body is complete and has at most 1 MiB");
            let mut answer = refused.into_response();
            if read.is_none() {
                let close = HeaderValue::from_static("close");
                answer.headers_mut().insert(header::CONNECTION, close);
            }
            answer
        }
    }
}

/// Reads to the end, and keeps as much as is accepted; how many bytes there were. `None` when the end was not reached.
async fn read(body: Body, kept: &mut Vec<u8>) -> Option<usize> {
    let mut chunks = body.into_data_stream();
    let mut bytes = 0;
    while let Some(chunk) = chunks.try_next().await.ok()? {
        bytes += chunk.len();
        if bytes <= MAX_BODY_BYTES {
            kept.extend_from_slice(&chunk);
        } else if bytes > MOST_READ_BYTES {
            return None;
        }
    }
    Some(bytes)
}

/// The body as a `T`.
pub(super) fn parse<T: DeserializeOwned>(headers: &HeaderMap, bytes: &[u8]) -> Result<T, Problem> {
    let content_type = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    let media_type = content_type
        .unwrap_or_default()
        .split(';')
        .next()
        .unwrap_or_default()
        .trim();
    if !media_type.eq_ignore_ascii_case("application/json") {
        return Err(Problem::new(
            Kind::UnsupportedMediaType,
            "send the body as application/json",
        ));
    }
    // Knowing the place costs more than reading: it is asked for only when something is wrong.
    serde_json::from_slice(bytes).or_else(|_| locate(bytes))
}

/// Reads once more, and knows where it was when it failed.
fn locate<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut json).map_err(|error| {
        let (pointer, cause) = (pointer(error.path()), error.inner().to_string());
        if error.inner().is_data() {
            Problem::content(pointer, cause)
        } else {
            malformed(&cause)
        }
    })?;
    json.end().map_err(|error| malformed(&error.to_string()))?;
    Ok(value)
}

fn malformed(cause: &str) -> Problem {
    Problem::new(Kind::MalformedJson, format!("the body is not JSON: {cause}"))
}

/// The place as a JSON Pointer (RFC 6901).
fn pointer(path: &Path) -> String {
    let step = |segment: &Segment| match segment {
        Segment::Seq { index } => format!("/{index}"),
        Segment::Map { key } => format!("/{}", key.replace('~', "~0").replace('/', "~1")),
        Segment::Enum { variant } => format!("/{variant}"),
        Segment::Unknown => String::new(),
    };
    path.iter().map(step).collect()
}
