//! What the platform and operators ask: is it up, and which part is not.
//! Never says more to an anonymous caller than names and ok or degraded.

use std::time::Duration;

use axum::{Json, extract::State};
use serde_json::{Value, json};
use tokio::time::timeout;

use super::Reach;

/// Longest wait for one part.
const PATIENCE: Duration = Duration::from_secs(2);

/// `GET /`: the Functions host's readiness probe. Answers without looking at anything.
pub async fn ready() -> &'static str {
    "ready"
}

/// `GET /api/health`: always 200, `{"status": "ok|degraded", "components": {"writeModel", "bus", "readModel"}}`, each
/// `ok`, `degraded`, or `off` when this deployment has no settings for it.
pub async fn health(State(reach): State<Reach>) -> Json<Value> {
    let (write_model, bus, read_model) = tokio::join!(
        async { Some(soon(reach.writer.as_ref()?.answers()).await) },
        async { Some(soon(reach.bus.as_ref()?.answers()).await) },
        async { Some(soon(reach.orders.as_ref()?.answers()).await) },
    );
    let word = |answers: Option<bool>| match answers {
        None => "off",
        Some(true) => "ok",
        Some(false) => "degraded",
    };
    let degraded = [write_model, bus, read_model].contains(&Some(false));
    Json(json!({
        "status": word(Some(!degraded)),
        "components": { "writeModel": word(write_model), "bus": word(bus), "readModel": word(read_model) },
    }))
}

/// A part that does not answer in time is as bad as one that is away.
async fn soon(answers: impl Future<Output = bool>) -> bool {
    timeout(PATIENCE, answers).await.unwrap_or(false)
}
