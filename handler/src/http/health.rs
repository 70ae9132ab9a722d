//! What the platform, probes and operators ask: is it up, which store is not, could it serve now, and what waits.
//! Never says more to an anonymous caller than names and ok or degraded.

use axum::{
    Json,
    extract::{RawQuery, State},
    http::HeaderMap,
};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::json;
use tokio::time::timeout;
use url::form_urlencoded;

use super::{
    Reach,
    access::Who,
    endpoint::Doc,
    principal::principal,
    problem::{Kind, Problem},
};
use crate::{health::Word, operations::status::Outbox};

/// Longest wait for what waits in the outbox.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(2);

/// How the whole is, and each part.
#[derive(Serialize, JsonSchema)]
pub(super) struct Health {
    /// `degraded` when a part is.
    status: Word,
    components: Components,
    /// For staff and operators who ask for it, where this deployment has a write model that answers.
    #[serde(skip_serializing_if = "Option::is_none")]
    details: Option<Details>,
}

/// What waits.
#[derive(Serialize, JsonSchema)]
struct Details {
    outbox: Outbox,
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Components {
    /// PostgreSQL.
    write_model: Word,
    /// Service Bus.
    bus: Word,
    /// Cosmos DB, or tables in PostgreSQL.
    read_model: Word,
}

/// That the process, or what it needs, is up.
#[derive(Serialize, JsonSchema)]
pub(super) struct Up {
    /// Always `ok`: anything else is another answer.
    status: Word,
}

/// `GET /`: the Functions host's readiness probe. Answers without looking at anything.
pub async fn ready() -> &'static str {
    "ready"
}

pub(super) fn health_doc() -> Doc {
    let components = json!({ "writeModel": "ok", "bus": "ok", "readModel": "ok" });
    Doc::new::<Health>(
        "Is everything up",
        json!({ "status": "ok", "components": components }),
    )
    .detail(
        "A part that is away makes this degraded, not broken. With `?details`, for staff and operators: what waits in the \
         outbox.",
    )
    .asks("details", "Says what waits in the outbox; for staff and operators.")
    .refuses(&[Kind::Unauthenticated, Kind::Forbidden])
}

/// `GET /api/health`, or `GET /api/health?details`.
pub(super) async fn health(
    State(reach): State<Reach>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Json<Health>, Problem> {
    let mut parameters = form_urlencoded::parse(query.as_deref().unwrap_or_default().as_bytes());
    let details = if parameters.any(|(name, _)| name == "details") {
        Who::StaffOrOperator.admit(&principal(&headers, &reach.auth)?)?;
        details(&reach).await
    } else {
        None
    };
    let report = reach.health.now().await;
    Ok(Json(Health {
        status: report.word(),
        components: Components {
            write_model: report.write_model.status,
            bus: report.bus.status,
            read_model: report.read_model.status,
        },
        details,
    }))
}

pub(super) fn live_doc() -> Doc {
    Doc::new::<Up>("Is the process up", json!({ "status": "ok" }))
        .detail("For a liveness probe: looks at nothing but the process. A store that is away is no reason to restart it.")
}

/// `GET /api/health/live`
pub(super) async fn live() -> Json<Up> {
    Json(Up { status: Word::Ok })
}

pub(super) fn ready_doc() -> Doc {
    Doc::new::<Up>("Could it serve a command and a query now", json!({ "status": "ok" }))
        .detail(
            "For a readiness probe: 503 while what commands write or what queries read is degraded. The bus does not count: \
             events wait for it in the outbox.",
        )
        .refuses(&[Kind::Unavailable])
}

/// `GET /api/health/ready`
pub(super) async fn could_serve(State(reach): State<Reach>) -> Result<Json<Up>, Problem> {
    if reach.health.now().await.is_ready() {
        Ok(Json(Up { status: Word::Ok }))
    } else {
        Err(Problem::new(
            Kind::Unavailable,
            "a store cannot be reached, or does not serve",
        ))
    }
}

/// What waits, if the write model says so in time.
async fn details(reach: &Reach) -> Option<Details> {
    let backlog = timeout(PATIENCE, reach.writer.as_ref()?.backlog()).await;
    let backlog = backlog.ok()?.ok()?;
    Some(Details {
        outbox: reach.operations.as_ref()?.outbox(&backlog),
    })
}
