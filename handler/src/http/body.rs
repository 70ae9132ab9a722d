//! Reads a JSON body strictly: right content type, at most 1 MiB, no unknown fields, errors that point at the place.
//! Never answers 500 for something a caller sent.

use axum::{
    body::{Body, Bytes, to_bytes},
    http::{HeaderMap, header},
};
use serde::de::DeserializeOwned;
use serde_path_to_error::{Path, Segment};

use super::problem::{Kind, Problem};

/// Largest accepted body, in bytes.
const MAX_BODY_BYTES: usize = 1024 * 1024;

/// The whole body.
pub(super) async fn read(body: Body) -> Result<Bytes, Problem> {
    let whole = to_bytes(body, MAX_BODY_BYTES).await;
    whole.map_err(|_| Problem::new(Kind::BodyTooLarge, "a body is complete and has at most 1 MiB"))
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
