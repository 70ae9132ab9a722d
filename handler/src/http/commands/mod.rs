//! The commands over HTTP: what they share, from the request to the answer.
//! Never decides whether a command is allowed by the shop's rules.

mod customers;
mod orders;
mod products;

use axum::{
    Json, Router,
    extract::FromRequestParts,
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use serde::Deserialize;
use serde_json::Value;
use sha2::{Digest, Sha256};
use time::OffsetDateTime;
use uuid::Uuid;

use super::{Reach, body::BodyDigest, principal::Principal, problem::Problem};
use crate::{
    domain::value::Name,
    write::{Accepted, Command, Context, Expected, Once},
};

/// The routes of all commands, below the host's route prefix.
pub fn routes() -> Router<Reach> {
    Router::new()
        .merge(customers::routes())
        .merge(products::routes())
        .merge(orders::routes())
}

type Answer = Result<Response, Problem>;

/// A body that names a customer or a product anew.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewName {
    name: Name,
}

/// A request by somebody who is signed in.
struct Call {
    reach: Reach,
    caller: Principal,
    traceparent: Option<String>,
    expected: Option<Expected>,
    key: Option<String>,
    /// What besides the body makes this request the same as another: method, path and If-Match.
    head: String,
}

impl FromRequestParts<Reach> for Call {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, reach: &Reach) -> Result<Self, Problem> {
        let caller = Principal::from_request_parts(parts, reach).await?;
        let traceparent = parts.headers.get("traceparent");
        Ok(Self {
            reach: reach.clone(),
            caller,
            expected: expected(&parts.headers),
            key: idempotency_key(&parts.headers)?,
            head: head(parts),
            traceparent: traceparent
                .and_then(|value| value.to_str().ok())
                .map(str::to_owned),
        })
    }
}

impl Call {
    /// Runs the command; ids and time of its event are made here, once for the request.
    async fn execute(self, sent: BodyDigest, command: Command) -> Result<Accepted, Problem> {
        let writer = self
            .reach
            .writer
            .ok_or_else(|| Problem::not_configured("PostgreSQL"))?;
        let context = Context {
            event_id: Uuid::now_v7(),
            at: now(),
            caller: self.caller.id,
            traceparent: self.traceparent,
            expected: self.expected,
            once: self.key.map(|key| Once {
                key,
                fingerprint: fingerprint(&self.head, sent),
            }),
        };
        Ok(writer.execute(command, &context).await?)
    }
}

/// `If-Match` as versions. A tag that none of our answers can have had, a weak one too, matches nothing
/// (RFC 9110, section 13.1.1: strong comparison).
fn expected(headers: &HeaderMap) -> Option<Expected> {
    let values = headers.get_all(header::IF_MATCH).iter();
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
    let version = |tag: &&str| tag.strip_prefix('"')?.strip_suffix('"')?.parse().ok();
    Some(Expected::OneOf(tags.iter().filter_map(version).collect()))
}

/// 1 to 255 visible ASCII characters, in quotes as the draft has it or bare as most clients send it.
fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let mut values = headers.get_all("idempotency-key").iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    let text = value.to_str().unwrap_or_default();
    let bare = text
        .strip_prefix('"')
        .and_then(|text| text.strip_suffix('"'))
        .unwrap_or(text);
    let sound =
        (1..=255).contains(&bare.len()) && bare.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'"');
    if sound && values.next().is_none() {
        return Ok(Some(bare.to_owned()));
    }
    Err(Problem::new(
        StatusCode::BAD_REQUEST,
        "invalid-idempotency-key",
        "an Idempotency-Key is one header of 1 to 255 visible ASCII characters",
    ))
}

fn head(parts: &Parts) -> String {
    let tags = parts.headers.get_all(header::IF_MATCH).iter();
    let tags: Vec<&str> = tags.filter_map(|value| value.to_str().ok()).collect();
    format!("{} {}\n{}\n", parts.method, parts.uri.path(), tags.join(","))
}

fn fingerprint(head: &str, sent: BodyDigest) -> String {
    STANDARD.encode(Sha256::new().chain_update(head).chain_update(sent).finalize())
}

/// In whole microseconds, which is what PostgreSQL keeps: state in the log and state in the tables stay equal.
fn now() -> OffsetDateTime {
    let now = OffsetDateTime::now_utc();
    now.replace_nanosecond(now.microsecond() * 1_000).unwrap_or(now)
}

/// The id in a path; what is no id names nothing that exists.
fn id(text: &str, what: &'static str) -> Result<Uuid, Problem> {
    Uuid::try_parse(text).map_err(|_| absent(what))
}

/// What `what` (order, customer or product) names is not there.
fn absent(what: &'static str) -> Problem {
    let kind = match what {
        "order" => "unknown-order",
        "customer" => "unknown-customer",
        _ => "unknown-product",
    };
    Problem::new(StatusCode::NOT_FOUND, kind, format!("there is no such {what}"))
}

fn created(done: &Accepted, collection: &str, body: Value) -> Response {
    let location = format!("/api/{collection}/{}", done.subject);
    (
        StatusCode::CREATED,
        [(header::LOCATION, location)],
        ok(done, body),
    )
        .into_response()
}

fn ok(done: &Accepted, body: Value) -> Response {
    let mut response = ([(header::ETAG, etag(done))], Json(body)).into_response();
    if done.replayed {
        let replayed = HeaderName::from_static("idempotent-replayed");
        response
            .headers_mut()
            .insert(replayed, HeaderValue::from_static("true"));
    }
    response
}

fn etag(done: &Accepted) -> String {
    format!("\"{}\"", done.version)
}
