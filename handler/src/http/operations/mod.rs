//! What operators ask for over HTTP: each POST leaves a row behind and answers 202 with where to look; the timer does the work.
//! Never works on anything within a request, and never says more to a caller who is no operator than that.

pub(super) mod asking;
pub(super) mod looking;

use std::sync::Arc;

use axum::{
    Json,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};

use super::{
    AppState,
    problem::{Problem, ProblemKind},
};
use crate::{
    error_chain::chain,
    operations::{Failed, Operations, operation::Operation},
};

/// The subscription that the projector listens at.
const USUAL_SUBSCRIPTION: &str = "read-model";

/// The operations, where this deployment has a database.
fn operations(reach: &AppState) -> Result<&Arc<Operations>, Problem> {
    reach
        .operations
        .as_ref()
        .ok_or_else(|| Problem::not_configured("PostgreSQL"))
}

/// The same, for what is about documents in Cosmos DB.
fn of_documents(reach: &AppState) -> Result<&Arc<Operations>, Problem> {
    if reach
        .read_model
        .as_ref()
        .is_some_and(|model| model.is_kept_by_commands())
    {
        let why = "the read model is in PostgreSQL, where each command keeps it up to date itself";
        return Err(Problem::new(ProblemKind::NotApplicable, why));
    }
    operations(reach)
}

/// 202: it is written down, and will be done.
fn accepted(operation: &Operation) -> Response {
    let location = [(header::LOCATION, format!("/api/operations/{}", operation.id))];
    (StatusCode::ACCEPTED, location, Json(operation)).into_response()
}

/// An operation as the documentation shows it.
fn example(kind: &str, with: &Value, state: &str) -> Value {
    json!({
        "id": "0198c9c1-7a10-7c44-9d0f-2b6a1f0e7a11",
        "request": { "kind": kind, "with": with },
        "state": state,
        "requestedBy": "0198c9c1-0000-7000-8000-000000000009",
        "requestedAt": "2026-11-24T10:00:00Z",
        "progress": { "doing": "", "done": 0, "of": 0 },
    })
}

impl From<Failed> for Problem {
    fn from(failed: Failed) -> Self {
        let words = chain(&failed).to_string();
        match failed {
            Failed::Log(_) | Failed::Bus(_) | Failed::Project(_) if failed.is_transient() => {
                Self::away("the operation's stores cannot be reached; try again", words)
            }
            Failed::Store(error) => error.into(),
            Failed::Overtaken => Self::new(ProblemKind::LostRace, words),
            Failed::Busy(_) => Self::new(ProblemKind::OperationUnderWay, words),
            Failed::Absent(_) => Self::new(ProblemKind::UnknownOperation, words),
            Failed::NotConfigured(what) => Self::not_configured(what),
            Failed::Invalid(pointer, rule) => Self::content(pointer, rule),
            Failed::Refused(_) => Self::new(ProblemKind::OperationRefused, words),
            Failed::Log(_) | Failed::Bus(_) | Failed::Project(_) => Self::broken(words),
        }
    }
}
