//! Reads a JSON body strictly: right content type, at most 1 MiB, no unknown fields, errors that point at the place.
//! Never answers 500 for something a caller sent.

use axum::{
    body::{Body, to_bytes},
    extract::{FromRequest, Request},
    http::{StatusCode, header},
};
use serde::de::DeserializeOwned;
use serde_path_to_error::{Path, Segment};
use sha2::{Digest, Sha256};

use super::problem::Problem;

/// Largest accepted body, in bytes.
const MAX_BODY_BYTES: usize = 1024 * 1024;

/// SHA-256 of a body as it was sent.
pub(super) type BodyDigest = [u8; 32];

/// A JSON body of the shape `T`, and the digest of its bytes.
pub(super) struct Strict<T>(pub(super) T, pub(super) BodyDigest);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Strict<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        let content_type = request
            .headers()
            .get(header::CONTENT_TYPE)
            .and_then(|v| v.to_str().ok())
            .unwrap_or_default();
        let media_type = content_type.split(';').next().unwrap_or_default().trim();
        if !media_type.eq_ignore_ascii_case("application/json") {
            let detail = "send the body as application/json";
            return Err(Problem::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "unsupported-media-type",
                detail,
            ));
        }
        let bytes = read(request.into_body()).await?;
        Ok(Self(parse(&bytes)?, Sha256::digest(&bytes).into()))
    }
}

async fn read(body: Body) -> Result<axum::body::Bytes, Problem> {
    to_bytes(body, MAX_BODY_BYTES).await.map_err(|_| {
        Problem::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "body-too-large",
            "a body is complete and has at most 1 MiB",
        )
    })
}

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
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
    Problem::new(
        StatusCode::BAD_REQUEST,
        "malformed-json",
        format!("the body is not JSON: {cause}"),
    )
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
