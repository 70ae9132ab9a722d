//! What the platform and operators ask: is it up, and which part is not.
//! Never says more to an anonymous caller than names and ok or degraded.

use std::time::Duration;

use axum::{Json, extract::State};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::json;
use tokio::time::timeout;

use super::{Reach, endpoint::Doc};

/// Longest wait for one part.
const PATIENCE: Duration = Duration::from_secs(2);

/// How the whole is, and each part.
#[derive(Serialize, JsonSchema)]
pub(super) struct Health {
    /// `degraded` when a part is.
    status: Word,
    components: Components,
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
    .detail("Always 200: a part that is away makes this degraded, not broken.")
}

/// `GET /api/health`.
pub(super) async fn health(State(reach): State<Reach>) -> Json<Health> {
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
    Json(Health {
        status: word(Some(!degraded)),
        components: Components {
            write_model: word(write_model),
            bus: word(bus),
            read_model: word(read_model),
        },
    })
}

/// A part that does not answer in time is as bad as one that is away.
async fn soon(answers: impl Future<Output = bool>) -> bool {
    timeout(PATIENCE, answers).await.unwrap_or(false)
}
