//! A request to the account as it came in, with its body read to the end.
//! It never decides anything.

use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderMap, Method, StatusCode};
use azure_data_cosmos_driver::binary_json;
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt as _;
use serde_json::Value;
use url::form_urlencoded;

use super::refusal::Refusal;

/// The service takes requests of two megabytes; a little more lets the emulator say so itself.
const LARGEST_BODY: usize = 4 << 20;

/// A request whose path can be changed before it is carried.
#[derive(Clone, Debug)]
pub(super) struct AccountRequest {
    pub(super) method: Method,
    /// As it came, percent-encoded.
    pub(super) path: String,
    pub(super) query: Option<String>,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
    /// True when there was more of the body than any request may have.
    pub(super) too_large: bool,
}

impl AccountRequest {
    pub(super) async fn read(request: Request) -> Result<Self, Refusal> {
        let (head, body) = request.into_parts();
        let (body, too_large) = read(body).await?;
        Ok(Self {
            method: head.method,
            path: head.uri.path().to_owned(),
            query: head.uri.query().map(str::to_owned),
            headers: head.headers,
            body,
            too_large,
        })
    }

    /// The parts of the path, decoded.
    pub(super) fn segments(&self) -> Vec<String> {
        segments(&self.path)
    }

    /// A header that is text.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// True when a header says so.
    pub(super) fn says(&self, name: &str) -> bool {
        self.header(name)
            .is_some_and(|value| value.eq_ignore_ascii_case("true"))
    }

    /// The body, in whichever of the two encodings it is; nothing when it is no JSON.
    pub(super) fn json(&self) -> Option<Value> {
        if binary_json::is_binary(&self.body) {
            let text = binary_json::transcode_to_text(&self.body).ok()?;
            return serde_json::from_slice(&text).ok();
        }
        serde_json::from_slice(&self.body).ok()
    }

    pub(super) fn set_json(&mut self, body: &Value) {
        self.body = Bytes::from(body.to_string());
    }
}

/// The parts of a path, decoded.
pub(super) fn segments(path: &str) -> Vec<String> {
    path.split('/')
        .filter(|segment| !segment.is_empty())
        .map(decode_segment)
        .collect()
}

/// Undoes the percent-encoding of one word.
pub(super) fn decode(text: &str) -> String {
    // The whole word is encoded, so it parses as one key without a value.
    form_urlencoded::parse(text.as_bytes())
        .map(|(word, _)| word.into_owned())
        .next()
        .unwrap_or_default()
}

fn decode_segment(segment: &str) -> String {
    // In a path, unlike a form, a plus is a plus, and `&` and `=` divide nothing.
    let plain = segment.replace('+', "%2B").replace('&', "%26");
    decode(&plain.replace('=', "%3D"))
}

/// Reads to the end even what is too large: a client that still sends sees a broken pipe instead of the answer.
async fn read(mut body: Body) -> Result<(Bytes, bool), Refusal> {
    let mut read = BytesMut::new();
    let mut too_large = false;
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| {
            Refusal::new(
                StatusCode::BAD_REQUEST,
                "BadRequest",
                format!("the body broke off: {error}"),
            )
        })?;
        let Ok(data) = frame.into_data() else { continue };
        too_large |= read.len() + data.len() > LARGEST_BODY;
        if !too_large {
            read.extend_from_slice(&data);
        }
    }
    Ok((read.freeze(), too_large))
}
