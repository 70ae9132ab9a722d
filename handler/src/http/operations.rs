//! What the platform and operators ask: is it up, and which part is not.
//! Never says more to an anonymous caller than names and ok or degraded.

use axum::{Json, extract::State};
use serde_json::{Value, json};

use super::Reach;

/// `GET /`: the Functions host's readiness probe. Answers without looking at anything.
pub async fn ready() -> &'static str {
    "ready"
}

/// `GET /api/health`: always 200, `{"status": "ok|degraded", "components": {"writeModel": "ok|degraded|off"}}`.
pub async fn health(State(reach): State<Reach>) -> Json<Value> {
    let write_model = match &reach.writer {
        None => "off",
        Some(writer) if writer.answers().await => "ok",
        Some(_) => "degraded",
    };
    let status = if write_model == "degraded" {
        "degraded"
    } else {
        "ok"
    };
    Json(json!({ "status": status, "components": { "writeModel": write_model } }))
}
