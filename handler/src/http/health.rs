//! Answers of health: for people, for a liveness probe and for a readiness probe.
//! Never says more than names and ok or degraded: anybody may ask. `/operations/status` says why, and what waits.

use axum::{Json, extract::State};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::json;

use super::{
    AppState,
    endpoint::EndpointDoc,
    problem::{Problem, ProblemKind},
};
use crate::health::ComponentStatus;

/// Status of the whole, and of each part.
#[derive(Serialize, JsonSchema)]
pub(super) struct HealthAnswer {
    /// `degraded` when a part is.
    status: ComponentStatus,
    components: ComponentStatuses,
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct ComponentStatuses {
    /// PostgreSQL.
    write_model: ComponentStatus,
    /// Service Bus.
    bus: ComponentStatus,
    /// Cosmos DB, or tables in PostgreSQL.
    read_model: ComponentStatus,
}

/// That the process, or what it needs, is up.
#[derive(Serialize, JsonSchema)]
pub(super) struct ProbeAnswer {
    /// Always `ok`: anything else is another answer.
    status: ComponentStatus,
}

/// `GET /`: the Functions host's readiness probe. Answers without asking any store.
pub async fn host_probe() -> &'static str {
    "ready"
}

pub(super) fn health_doc() -> EndpointDoc {
    let components = json!({ "writeModel": "ok", "bus": "ok", "readModel": "ok" });
    EndpointDoc::new::<HealthAnswer>(
        "Is everything up",
        json!({ "status": "ok", "components": components }),
    )
    .detail("A part that is away makes this degraded, not broken.")
}

/// `GET /api/health`
pub(super) async fn health(State(state): State<AppState>) -> Json<HealthAnswer> {
    let report = state.health.now().await;
    Json(HealthAnswer {
        status: report.status(),
        components: ComponentStatuses {
            write_model: report.write_model.status,
            bus: report.bus.status,
            read_model: report.read_model.status,
        },
    })
}

pub(super) fn live_doc() -> EndpointDoc {
    EndpointDoc::new::<ProbeAnswer>("Is the process up", json!({ "status": "ok" }))
        .detail("For a liveness probe: asks nothing but the process. A store that is away is no reason to restart it.")
}

/// `GET /api/health/live`
pub(super) async fn live() -> Json<ProbeAnswer> {
    Json(ProbeAnswer {
        status: ComponentStatus::Ok,
    })
}

pub(super) fn ready_doc() -> EndpointDoc {
    EndpointDoc::new::<ProbeAnswer>("Could it serve a command and a query now", json!({ "status": "ok" }))
        .detail(
            "For a readiness probe: 503 while what commands write or what queries read is degraded. The bus does not count: \
             events wait for it in the outbox.",
        )
        .errors(&[ProblemKind::Unavailable])
}

/// `GET /api/health/ready`
pub(super) async fn ready(State(state): State<AppState>) -> Result<Json<ProbeAnswer>, Problem> {
    if state.health.now().await.is_ready() {
        Ok(Json(ProbeAnswer {
            status: ComponentStatus::Ok,
        }))
    } else {
        Err(Problem::new(
            ProblemKind::Unavailable,
            "a store cannot be reached, or does not serve",
        ))
    }
}
