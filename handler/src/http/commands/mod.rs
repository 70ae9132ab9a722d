//! The commands over HTTP: what they share, from the request to the answer.
//! Never decides whether a command is allowed by the shop's rules.

mod customers;
mod orders;
mod products;

use axum::{
    Json, Router,
    extract::FromRequestParts,
    http::{HeaderMap, StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
};
use serde::Deserialize;
use serde_json::Value;
use time::OffsetDateTime;
use uuid::Uuid;

use super::{Reach, principal::Principal, problem::Problem};
use crate::{
    domain::value::Name,
    write::{Accepted, Command, Context, Expected},
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
            traceparent: traceparent
                .and_then(|value| value.to_str().ok())
                .map(str::to_owned),
        })
    }
}

impl Call {
    /// Runs the command; ids and time of its event are made here, once for the request.
    async fn execute(self, command: Command) -> Result<Accepted, Problem> {
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
    let headers = [(header::LOCATION, location), (header::ETAG, etag(done))];
    (StatusCode::CREATED, headers, Json(body)).into_response()
}

fn ok(done: &Accepted, body: Value) -> Response {
    ([(header::ETAG, etag(done))], Json(body)).into_response()
}

fn etag(done: &Accepted) -> String {
    format!("\"{}\"", done.version)
}
