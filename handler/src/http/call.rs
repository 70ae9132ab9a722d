//! What every call shares before its own work begins: who is calling and how far that reaches, and for a command the
//! headers that it is told by. Never lets a call through whose kind nobody has named.

use std::convert::Infallible;

use axum::{
    body::{Bytes, to_bytes},
    extract::{FromRequest, FromRequestParts, Path, Request},
    http::{HeaderMap, header, request::Parts},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};
use time::OffsetDateTime;
use uuid::Uuid;

use super::{
    Reach,
    access::{Scope, Who},
    body,
    principal::principal,
    problem::{Kind, Problem},
};
use crate::write::{Accepted, Command, Context, Expected, Once};

/// Somebody who may make this call.
pub(super) struct Caller {
    /// His stable id.
    pub(super) id: String,
    /// How far his call reaches.
    pub(super) scope: Scope,
}

impl FromRequestParts<Reach> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, reach: &Reach) -> Result<Self, Problem> {
        let caller = principal(&parts.headers, &reach.auth)?;
        let Some(who) = parts.extensions.get::<Who>() else {
            tracing::error!(path = parts.uri.path(), "call_without_access_rule");
            return Err(Problem::new(Kind::Forbidden, "nobody may make this call"));
        };
        let scope = who.admit(&caller)?;
        Ok(Self { id: caller.id, scope })
    }
}

/// The name in a path; one that cannot be read is empty, and names nothing that exists.
pub(super) struct Named(pub(super) String);

impl FromRequestParts<Reach> for Named {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, reach: &Reach) -> Result<Self, Infallible> {
        let read = Path::<String>::from_request_parts(parts, reach).await;
        Ok(Self(read.map(|Path(name)| name).unwrap_or_default()))
    }
}

/// A command's body, and the call that it came with.
pub(super) struct Given<T> {
    pub(super) call: Call,
    pub(super) body: T,
}

/// A call by somebody who may make it.
pub(super) struct Call {
    reach: Reach,
    pub(super) caller: Caller,
    traceparent: Option<String>,
    expected: Option<Expected>,
    /// The Idempotency-Key, with a digest of the whole request.
    once: Option<Once>,
}

impl<T: DeserializeOwned> FromRequest<Reach> for Given<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, reach: &Reach) -> Result<Self, Problem> {
        let (mut parts, body) = request.into_parts();
        // It has been read and measured already: `body::whole`.
        let sent = to_bytes(body, usize::MAX).await;
        let sent = sent.map_err(|error| Problem::broken(error.to_string()))?;
        let caller = Caller::from_request_parts(&mut parts, reach).await?;
        let traceparent = parts
            .headers
            .get("traceparent")
            .and_then(|value| value.to_str().ok());
        let key = idempotency_key(&parts.headers)?;
        let call = Call {
            reach: reach.clone(),
            caller,
            expected: expected(&parts),
            once: key.map(|key| Once {
                key,
                fingerprint: fingerprint(&parts, &sent),
            }),
            traceparent: traceparent.filter(|text| is_traceparent(text)).map(str::to_owned),
        };
        Ok(Self {
            call,
            body: body::parse(&parts.headers, &sent)?,
        })
    }
}

impl Call {
    /// Runs the command; ids and time of its event are made here, once for the request.
    pub(super) async fn execute(self, command: Command) -> Result<Accepted, Problem> {
        let writer = self
            .reach
            .writer
            .ok_or_else(|| Problem::not_configured("PostgreSQL"))?;
        let context = Context {
            event_id: Uuid::now_v7(),
            at: now(),
            caller: self.caller.id,
            only: self.caller.scope.only(),
            traceparent: self.traceparent,
            expected: self.expected,
            once: self.once,
        };
        Ok(writer.execute(command, context).await?)
    }
}

/// The form that W3C Trace Context gives it (version 00): anything else is not worth keeping for ever.
fn is_traceparent(text: &str) -> bool {
    let lengths = text.split('-').map(str::len);
    lengths.eq([2, 32, 16, 2]) && text.bytes().all(|byte| byte == b'-' || byte.is_ascii_hexdigit())
}

/// `If-Match` as versions. A tag that none of our answers can have had, a weak one too, matches nothing
/// (RFC 9110, section 13.1.1: strong comparison).
fn expected(parts: &Parts) -> Option<Expected> {
    let values = parts.headers.get_all(header::IF_MATCH).iter();
    let tags: Vec<&str> = values
        .flat_map(|value| value.to_str().unwrap_or_default().split(','))
        .map(str::trim)
        .collect();
    if tags.is_empty() {
        return None;
    }
    if tags.contains(&"*") {
        return Some(Expected::Any);
    }
    let version = |tag: &&str| {
        let text = tag.strip_prefix('"')?.strip_suffix('"')?;
        // A product is read under `"<version>-<seq>"`, and changed by its version: its stock is nobody's to expect.
        let product = parts.uri.path().starts_with("/api/products/");
        let text = text
            .split_once('-')
            .filter(|_| product)
            .map_or(text, |(version, _)| version);
        // As we write it, and no other way: strong comparison is by character.
        text.parse()
            .ok()
            .filter(|version: &i64| version.to_string() == text)
    };
    Some(Expected::OneOf(tags.iter().filter_map(version).collect()))
}

/// 1 to 255 visible ASCII characters, in quotes as the draft has it or bare as most clients send it.
fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let mut values = headers.get_all("idempotency-key").iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    let text = value.to_str().unwrap_or_default();
    let quoted = text.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
    let bare = quoted.unwrap_or(text);
    let sound =
        (1..=255).contains(&bare.len()) && bare.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'"');
    if sound && values.next().is_none() {
        return Ok(Some(bare.to_owned()));
    }
    let rule = "an Idempotency-Key is one header of 1 to 255 visible ASCII characters";
    Err(Problem::new(Kind::InvalidIdempotencyKey, rule))
}

/// What makes a request the same as another: method, path, If-Match and body.
fn fingerprint(parts: &Parts, sent: &Bytes) -> String {
    let tags = parts.headers.get_all(header::IF_MATCH).iter();
    let tags: Vec<&str> = tags.filter_map(|value| value.to_str().ok()).collect();
    let head = format!("{} {}\n{}\n", parts.method, parts.uri.path(), tags.join(","));
    STANDARD.encode(Sha256::new().chain_update(head).chain_update(sent).finalize())
}

/// In whole microseconds, which is what PostgreSQL keeps: state in the log and state in the tables stay equal.
fn now() -> OffsetDateTime {
    let now = OffsetDateTime::now_utc();
    now.replace_nanosecond(now.microsecond() * 1_000).unwrap_or(now)
}
