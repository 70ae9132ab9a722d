//! The functions that the host calls by itself: `POST /RelayOutbox` and `POST /RunJobs` (timers), and `POST /ProjectEvent` (Service Bus).
//! Never answers without a JSON object: the host would wait for one until functionTimeout.

use std::sync::Arc;

use axum::{
    Json, Router,
    body::Body,
    extract::{Request, State, rejection::JsonRejection},
    http::{Method, StatusCode, Uri},
    middleware::{Next, from_fn_with_state},
    response::{IntoResponse, Response},
    routing::post,
};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::{
    bus::MessageSettlement,
    config::{Part, ServedParts},
    domain::quote,
    error_chain::chain,
    http::body::{self, BodyEnd, BodyRoom, KeptBody},
    jobs::Jobs,
    panics,
    read::{
        Projector,
        incoming::decode,
        projector::{PATIENCE, ProjectError},
    },
    timer::{self, TickError, Timer},
};

/// Largest invocation, in bytes: a message of 256 KiB, each byte of which may be escaped twice.
const MAX_BODY_BYTES: usize = 2 * 1024 * 1024;
/// Subscriptions give a message up after so many deliveries (`maxDeliveryCount` in bicep/ and devstack/).
const LAST_DELIVERY: i64 = 50;
/// Dead-letter reasons: the message cannot be read, or the documents refuse it.
const UNDECODABLE: &str = "Undecodable";
const REFUSED: &str = "RefusedByReadModel";

/// The parts of the process that triggers use.
#[derive(Clone)]
pub struct TriggerState {
    /// The parts that this process serves.
    pub parts: ServedParts,
    /// `None` when this process takes no commands.
    pub timer: Option<Arc<Timer>>,
    /// `None` when this process works on no jobs.
    pub jobs: Option<Arc<Jobs>>,
    /// `None` when this process projects nothing.
    pub projector: Option<Arc<Projector>>,
    /// `None` when this deployment has no bus settings, or projects nothing.
    pub settlement: Option<MessageSettlement>,
}

/// An invocation as the host posts it (Microsoft: "Azure Functions custom handlers", request payload).
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct HostInvocation {
    #[serde(default)]
    data: Map<String, Value>,
    #[serde(default)]
    metadata: Map<String, Value>,
}

/// The routes, which are the functions' names.
pub fn routes() -> Router<TriggerState> {
    Router::new()
        .route("/RelayOutbox", post(relay_outbox))
        .route("/RunJobs", post(run_jobs))
        .route("/ProjectEvent", post(project_event))
        .method_not_allowed_fallback(other_method)
        .layer(from_fn_with_state(BodyRoom::default(), buffer))
}

/// Done: a 200 that the host takes for success.
fn done() -> Response {
    answer(StatusCode::OK)
}

/// Any other status makes the host treat the call as failed, and a message as to be delivered again.
fn answer(status: StatusCode) -> Response {
    (
        status,
        Json(json!({ "Outputs": {}, "Logs": [], "ReturnValue": null })),
    )
        .into_response()
}

/// A request that no host makes. It is answered as the host's are, and logged: by the host a message waits for it.
fn not_the_hosts(function: &str, status: StatusCode, why: &str) -> Response {
    tracing::error!(
        function,
        status = status.as_u16(),
        reason = &*quote::brief(why),
        "invocation_refused"
    );
    answer(status)
}

/// Reads the whole body before anything is answered: an early answer would make the server close the connection, and the next
/// invocation on it would be lost.
async fn buffer(State(room): State<BodyRoom>, request: Request, next: Next) -> Response {
    let function = request.uri().path().trim_start_matches('/').to_owned();
    let (parts, body) = request.into_parts();
    let refused = |status, why| not_the_hosts(&function, status, why);
    match body::read_to_end(body, MAX_BODY_BYTES, &room).await {
        BodyEnd::Whole(KeptBody { bytes, room: _held }) => {
            next.run(Request::from_parts(parts, Body::from(bytes))).await
        }
        BodyEnd::TooLarge | BodyEnd::FarTooLarge => {
            refused(StatusCode::PAYLOAD_TOO_LARGE, "an invocation has at most 2 MiB")
        }
        BodyEnd::NoRoom => refused(
            StatusCode::SERVICE_UNAVAILABLE,
            "too many large invocations are here at once",
        ),
        BodyEnd::Broken => refused(StatusCode::BAD_REQUEST, "the body broke off, or took too long"),
    }
}

/// Any other method than POST.
async fn other_method(method: Method, uri: Uri) -> Response {
    let why = format!("{method} is not how the host calls");
    not_the_hosts(
        uri.path().trim_start_matches('/'),
        StatusCode::METHOD_NOT_ALLOWED,
        &why,
    )
}

/// Answers for a function that has panicked.
pub fn panicked(panic: Box<dyn std::any::Any + Send>) -> Response {
    tracing::error!(panic = panics::text(panic.as_ref()), "panicked");
    answer(StatusCode::INTERNAL_SERVER_ERROR)
}

async fn relay_outbox(State(state): State<TriggerState>) -> Response {
    let Some(timer) = &state.timer else {
        // Nothing to do here: it is the work of another app of the deployment.
        return done();
    };
    ticked(timer.tick().await)
}

async fn run_jobs(State(state): State<TriggerState>) -> Response {
    let Some(jobs) = &state.jobs else {
        // Nothing to do here either.
        return done();
    };
    ticked(timer::run_jobs(jobs).await)
}

/// The answer to a timer's call.
fn ticked(tick: Result<(), TickError>) -> Response {
    match tick {
        Ok(()) => done(),
        Err(TickError) => answer(StatusCode::SERVICE_UNAVAILABLE),
    }
}

async fn project_event(
    State(state): State<TriggerState>,
    // A map, because an array would do for a struct.
    invocation: Result<Json<Map<String, Value>>, JsonRejection>,
) -> Response {
    let invocation = match invocation {
        Ok(Json(object)) => object,
        Err(rejection) => return not_the_hosts("ProjectEvent", rejection.status(), &rejection.body_text()),
    };
    let invocation: HostInvocation = match serde_json::from_value(Value::Object(invocation)) {
        Ok(invocation) => invocation,
        Err(error) => {
            return not_the_hosts(
                "ProjectEvent",
                StatusCode::UNPROCESSABLE_ENTITY,
                &error.to_string(),
            );
        }
    };
    let Some(projector) = &state.projector else {
        return hold(&state.parts, &invocation.metadata).await;
    };
    // One binding, so one value, whatever its name.
    let body = invocation.data.into_values().next().unwrap_or_default();
    let event = match decode(body) {
        Ok(event) => event,
        Err(error) => return poison(&state, &invocation.metadata, UNDECODABLE, &error.to_string()).await,
    };
    match projector.project(event).await {
        Ok(()) => done(),
        Err(error @ ProjectError::Away(_)) => {
            tracing::warn!(error = %chain(&error), "event_not_projected");
            answer(StatusCode::SERVICE_UNAVAILABLE)
        }
        Err(error @ ProjectError::Refused(_)) => {
            let why = chain(&error).to_string();
            poison(&state, &invocation.metadata, REFUSED, &why).await
        }
    }
}

/// A member of the metadata as text; empty where there is none.
fn text(metadata: &Map<String, Value>, name: &str) -> String {
    match metadata.get(name) {
        Some(Value::String(text)) => text.trim_matches('"').to_owned(),
        Some(other) => other.to_string(),
        None => String::new(),
    }
}

/// The number of this delivery.
fn delivery(metadata: &Map<String, Value>) -> i64 {
    text(metadata, "DeliveryCount").parse().unwrap_or(1)
}

/// A message that should have come to another process. It is kept for as long as a projector would wait for its store: answered
/// at once, it would have used up its deliveries within seconds. Said on the first.
async fn hold(parts: &ServedParts, metadata: &Map<String, Value>) -> Response {
    if delivery(metadata) <= 1 {
        let message_id = text(metadata, "MessageId");
        if parts.has(Part::Projector) {
            tracing::error!(message_id, "projector_not_configured");
        } else {
            tracing::error!(message_id, part = %Part::Projector, "message_of_another_part");
        }
    }
    tokio::time::sleep(PATIENCE).await;
    answer(StatusCode::SERVICE_UNAVAILABLE)
}

/// A message that can never be projected becomes a dead letter at once, and 200 then only ends the call: the host's own settling meets a lost
/// lock. Where that cannot be, the call fails until the bus gives the message up; said on the first and on the last delivery.
async fn poison(
    state: &TriggerState,
    metadata: &Map<String, Value>,
    reason: &'static str,
    why: &str,
) -> Response {
    let (message_id, delivery) = (text(metadata, "MessageId"), delivery(metadata));
    let lock = Uuid::parse_str(&text(metadata, "LockToken"));
    if let (Some(settlement), Ok(lock)) = (&state.settlement, lock) {
        match settlement.dead_letter(lock, reason, why).await {
            Ok(()) => {
                tracing::error!(message_id, reason = why, delivery, "message_dead_lettered");
                return done();
            }
            Err(error) if delivery == 1 => {
                tracing::warn!(message_id, error = %chain(&error), "message_not_dead_lettered");
            }
            Err(error) => {
                tracing::debug!(message_id, error = %chain(&error), delivery, "message_not_dead_lettered");
            }
        }
    }
    match delivery {
        1 => tracing::error!(message_id, reason = why, "message_refused"),
        LAST_DELIVERY.. => {
            tracing::error!(message_id, reason = why, delivery, "message_goes_to_dead_letters")
        }
        _ => tracing::debug!(message_id, reason = why, delivery, "message_refused"),
    }
    answer(StatusCode::INTERNAL_SERVER_ERROR)
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn without_a_projector_a_message_outlives_an_afternoon() {
        let elsewhere = ServedParts::Named([Part::Command, Part::Operator].into());
        for parts in [ServedParts::Unsaid, elsewhere] {
            let state = TriggerState {
                parts,
                timer: None,
                jobs: None,
                projector: None,
                settlement: None,
            };
            let invocation = serde_json::from_value(json!({ "Data": { "message": "e30=" } })).unwrap();
            let started = Instant::now();
            let answer = project_event(State(state), Ok(Json(invocation))).await;
            assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
            let all = started.elapsed() * u32::try_from(LAST_DELIVERY).unwrap();
            assert!(all > std::time::Duration::from_secs(3 * 60 * 60), "{all:?}");
        }
    }
}
