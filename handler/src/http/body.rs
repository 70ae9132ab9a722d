//! Takes a body in: whole, at most 1 MiB, of the right media type, and not encoded.
//! Never answers 500 for something a caller sent.

use axum::{
    body::Body,
    extract::Request,
    http::{HeaderMap, HeaderValue, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use futures_util::TryStreamExt;

use super::{
    access::Scope,
    content::{self, BodyError, BodyType},
    fields::{self, Backslash},
    problem::{Problem, ProblemKind},
};

/// Largest accepted body, in bytes.
const MAX_BODY_BYTES: usize = 1024 * 1024;
/// Most bytes that are read of a body that is not accepted, so that its sender sees the answer.
const MOST_READ_BYTES: usize = 16 * MAX_BODY_BYTES;

/// Reads the whole body before anything is answered, whatever is asked for: an answer that leaves some of it unread makes
/// the server close the connection without a word, and the host's next request on it would be lost.
pub async fn buffer(request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    let mut kept = Vec::new();
    let end = read_to_end(body, &mut kept, MAX_BODY_BYTES).await;
    let refused = match end {
        BodyEnd::Whole => return next.run(Request::from_parts(parts, Body::from(kept))).await,
        BodyEnd::TooLarge | BodyEnd::FarTooLarge => {
            Problem::new(ProblemKind::BodyTooLarge, "a body has at most 1 MiB")
        }
        BodyEnd::Broken => Problem::new(
            ProblemKind::IncompleteBody,
            "the body broke off, or is not as long as its headers or its chunks say",
        ),
    };
    let mut answer = refused.into_response();
    if matches!(end, BodyEnd::FarTooLarge | BodyEnd::Broken) {
        let close = HeaderValue::from_static("close");
        answer.headers_mut().insert(header::CONNECTION, close);
    }
    answer
}

/// The end of reading a body.
#[derive(Debug, Clone, Copy)]
pub(crate) enum BodyEnd {
    /// All of it was read and kept.
    Whole,
    /// All of it was read, and is not accepted.
    TooLarge,
    /// More may come, and is not read.
    FarTooLarge,
    /// It ended early, or its length is not what was announced.
    Broken,
}

/// Reads to the end, and keeps `most` bytes at most.
pub(crate) async fn read_to_end(body: Body, kept: &mut Vec<u8>, most: usize) -> BodyEnd {
    let mut chunks = body.into_data_stream();
    let mut bytes = 0;
    loop {
        match chunks.try_next().await {
            Ok(Some(chunk)) => {
                bytes += chunk.len();
                if bytes <= most {
                    kept.extend_from_slice(&chunk);
                } else if bytes > MOST_READ_BYTES {
                    return BodyEnd::FarTooLarge;
                }
            }
            Ok(None) if bytes <= most => return BodyEnd::Whole,
            Ok(None) => return BodyEnd::TooLarge,
            Err(_) => return BodyEnd::Broken,
        }
    }
}

/// The body as a `T`, from a caller whose call reaches this far.
pub(super) fn parse<T: BodyType>(headers: &HeaderMap, bytes: &[u8], scope: Scope) -> Result<T, Problem> {
    let refused = |rule| Problem::new(ProblemKind::UnsupportedMediaType, rule);
    if headers.contains_key(header::CONTENT_ENCODING) {
        return Err(refused("send the body as it is, without a Content-Encoding"));
    }
    let media_types = fields::list(headers, &header::CONTENT_TYPE, Backslash::Escapes);
    let media_type = match &media_types[..] {
        [media_type] => media_type.as_str(),
        _ => {
            return Err(refused(
                "send the body as application/json, with one Content-Type",
            ));
        }
    };
    let (media_type, _) = media_type.split_once(';').unwrap_or((media_type, ""));
    if !media_type.trim().eq_ignore_ascii_case("application/json") {
        return Err(refused("send the body as application/json"));
    }
    content::read(bytes, scope).map_err(|unread| match unread {
        BodyError::NotJson(cause) => Problem::new(
            ProblemKind::MalformedJson,
            format!("the body is not JSON: {cause}"),
        ),
        BodyError::Wrong(faults) => faults.into(),
    })
}
