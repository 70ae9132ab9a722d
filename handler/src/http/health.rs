//! What the platform and operators ask: is it up, which part is not, and what waits.
//! Never says more to an anonymous caller than names and ok or degraded.

use std::time::Duration;

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
use crate::operations::status::Outbox;

/// Longest wait for one part.
const PATIENCE: Duration = Duration::from_secs(2);

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

/// `off`: this deployment has no settings for it.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Word {
    Ok,
    Degraded,
    Off,
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
    let (write_model, bus, read_model) = tokio::join!(
        async { Some(soon(reach.writer.as_ref()?.answers()).await) },
        async { Some(soon(reach.bus.as_ref()?.answers()).await) },
        async { Some(soon(reach.read_model.as_ref()?.answers()).await) },
    );
    let word = |answers: Option<bool>| match answers {
        None => Word::Off,
        Some(true) => Word::Ok,
        Some(false) => Word::Degraded,
    };
    let degraded = [write_model, bus, read_model].contains(&Some(false));
    Ok(Json(Health {
        status: word(Some(!degraded)),
        components: Components {
            write_model: word(write_model),
            bus: word(bus),
            read_model: word(read_model),
        },
        details,
    }))
}

/// What waits, if the write model says so in time.
async fn details(reach: &Reach) -> Option<Details> {
    let backlog = timeout(PATIENCE, reach.writer.as_ref()?.backlog()).await;
    let backlog = backlog.ok()?.ok()?;
    Some(Details {
        outbox: backlog.into(),
    })
}

/// A part that does not answer in time is as bad as one that is away.
async fn soon(answers: impl Future<Output = bool>) -> bool {
    timeout(PATIENCE, answers).await.unwrap_or(false)
}
