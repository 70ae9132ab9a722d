//! Takes a body in: whole, at most 1 MiB, of the right media type, and not encoded.
//! Never answers 500 for something a caller sent, and never keeps more than there is room for, however many send.

use std::{sync::Arc, time::Duration};

use axum::{
    body::{Body, Bytes, HttpBody},
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use futures_util::TryStreamExt;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Instant, timeout_at},
};

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
/// Most bytes of all bodies together, of callers and once more of the host, so that neither takes the room of the other: an
/// instance may have 512 MB for the host and us.
const MOST_KEPT_BYTES: usize = 32 * MAX_BODY_BYTES;
/// How long a body may take to come: whoever stalls must not keep others' room.
const READING: Duration = Duration::from_secs(30);

/// The room for bodies, which all requests of a router share.
#[derive(Debug, Clone)]
pub struct BodyRoom(Arc<Semaphore>);

impl Default for BodyRoom {
    fn default() -> Self {
        Self::of(MOST_KEPT_BYTES)
    }
}

impl BodyRoom {
    fn of(bytes: usize) -> Self {
        Self(Arc::new(Semaphore::new(bytes)))
    }

    /// Room for so many bytes more, until it is dropped; `None` when others have it.
    fn take(&self, bytes: usize) -> Option<OwnedSemaphorePermit> {
        let bytes = u32::try_from(bytes).ok()?;
        Arc::clone(&self.0).try_acquire_many_owned(bytes).ok()
    }
}

/// Reads the whole body before anything is answered, whatever is asked for: an answer that leaves some of it unread makes
/// the server close the connection without a word, and the host's next request on it would be lost.
pub async fn buffer(State(room): State<BodyRoom>, request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    let end = read_to_end(body, MAX_BODY_BYTES, &room).await;
    let closes = matches!(end, BodyEnd::FarTooLarge | BodyEnd::Broken);
    let refused = match end {
        BodyEnd::Whole(KeptBody { bytes, room: _held }) => {
            return next.run(Request::from_parts(parts, Body::from(bytes))).await;
        }
        BodyEnd::TooLarge | BodyEnd::FarTooLarge => {
            Problem::new(ProblemKind::BodyTooLarge, "a body has at most 1 MiB")
        }
        BodyEnd::NoRoom => Problem::new(
            ProblemKind::Unavailable,
            "too many large bodies are here at once; try again",
        ),
        BodyEnd::Broken => Problem::new(
            ProblemKind::IncompleteBody,
            "the body broke off, took too long, or is not as long as its headers or its chunks say",
        ),
    };
    let mut answer = refused.into_response();
    if closes {
        let close = HeaderValue::from_static("close");
        answer.headers_mut().insert(header::CONNECTION, close);
    }
    answer
}

/// The end of reading a body.
#[derive(Debug)]
pub(crate) enum BodyEnd {
    /// All of it was read and kept.
    Whole(KeptBody),
    /// All of it was read, and is not accepted.
    TooLarge,
    /// More may come, and is not read.
    FarTooLarge,
    /// All of it was read, and there was no room to keep it.
    NoRoom,
    /// It ended early, took too long, or its length is not what was announced.
    Broken,
}

/// A body, and the room that it takes until it is dropped.
#[derive(Debug)]
pub(crate) struct KeptBody {
    pub(crate) bytes: Vec<u8>,
    pub(crate) room: Option<OwnedSemaphorePermit>,
}

impl KeptBody {
    /// The body with more of it; or the end of keeping it.
    fn with(mut self, chunk: &Bytes, most: usize, room: &BodyRoom) -> Result<Self, BodyEnd> {
        if self.bytes.len() + chunk.len() > most {
            return Err(BodyEnd::TooLarge);
        }
        let more = room.take(chunk.len()).ok_or(BodyEnd::NoRoom)?;
        match &mut self.room {
            Some(room) => room.merge(more),
            none => *none = Some(more),
        }
        self.bytes.extend_from_slice(chunk);
        Ok(self)
    }
}

/// Reads to the end, and keeps `most` bytes at most, as far as there is room. What announces itself as too large is not kept
/// at all.
pub(crate) async fn read_to_end(body: Body, most: usize, room: &BodyRoom) -> BodyEnd {
    let until = Instant::now() + READING;
    let announced = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
    if announced > MOST_READ_BYTES {
        return BodyEnd::FarTooLarge;
    }
    let mut chunks = body.into_data_stream();
    let mut read = 0;
    let mut kept = match announced {
        _ if announced > most => Err(BodyEnd::TooLarge),
        _ => Ok(KeptBody {
            bytes: Vec::new(),
            room: None,
        }),
    };
    loop {
        match timeout_at(until, chunks.try_next()).await {
            Ok(Ok(Some(chunk))) => {
                read += chunk.len();
                if read > MOST_READ_BYTES {
                    return BodyEnd::FarTooLarge;
                }
                kept = kept.and_then(|body| body.with(&chunk, most, room));
            }
            Ok(Ok(None)) if read > most => return BodyEnd::TooLarge,
            Ok(Ok(None)) => return kept.map_or_else(|end| end, BodyEnd::Whole),
            Ok(Err(_)) | Err(_) => return BodyEnd::Broken,
        }
    }
}

/// The body as a `T`, from a caller whose call reaches this far.
pub(super) fn parse<T: BodyType>(headers: &HeaderMap, bytes: &[u8], scope: Scope) -> Result<T, Problem> {
    if bytes.is_empty() {
        let empty = "the body is empty; send a JSON object, `{}` at least";
        return Err(Problem::new(ProblemKind::MalformedJson, empty));
    }
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

#[cfg(test)]
mod tests {
    use axum::Error;
    use futures_util::stream;

    use super::*;

    fn of(bytes: usize) -> Body {
        Body::from(vec![b' '; bytes])
    }

    #[tokio::test]
    async fn bodies_share_one_room_until_each_is_dropped() {
        let room = BodyRoom::of(10);
        let first = read_to_end(of(6), 8, &room).await;
        assert!(matches!(&first, BodyEnd::Whole(kept) if kept.bytes.len() == 6));
        assert!(matches!(read_to_end(of(6), 8, &room).await, BodyEnd::NoRoom));
        assert!(matches!(read_to_end(of(4), 8, &room).await, BodyEnd::Whole(_)));
        drop(first);
        assert!(matches!(read_to_end(of(6), 8, &room).await, BodyEnd::Whole(_)));
        assert!(matches!(read_to_end(of(9), 8, &room).await, BodyEnd::TooLarge));
        assert!(matches!(read_to_end(of(10), 10, &room).await, BodyEnd::Whole(_)));
    }

    #[tokio::test]
    async fn a_body_that_announces_far_too_much_is_not_read() {
        let end = read_to_end(of(MOST_READ_BYTES + 1), 8, &BodyRoom::default()).await;
        assert!(matches!(end, BodyEnd::FarTooLarge));
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_does_not_come_is_not_waited_for() {
        let stalled = Body::from_stream(stream::pending::<Result<Bytes, Error>>());
        let end = read_to_end(stalled, 8, &BodyRoom::default()).await;
        assert!(matches!(end, BodyEnd::Broken));
    }
}
