//! Jobs over HTTP: each POST leaves a row behind and answers 202 with where to look; the timer does the work.
//! Never works on anything within a request, and never knows one kind of job from another.

use std::sync::Arc;

use axum::{
    Json,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{
    AppState,
    call::{Caller, CommandRequest, PathId},
    endpoint::EndpointDoc,
    problem::{Problem, ProblemKind},
    queries::listing::{PageAnswer, QueryParameters},
};
use crate::{
    domain::quote,
    error_chain::chain,
    jobs::{Job, JobError, JobRow, JobState, Jobs, Resources, WantedState},
    read::view::Page,
};

/// The jobs, where this deployment has a database.
pub(super) fn jobs(state: &AppState) -> Result<&Arc<Jobs>, Problem> {
    let jobs = state.jobs.as_ref();
    jobs.ok_or_else(|| Problem::not_configured("PostgreSQL"))
}

/// A job as the documentation shows it.
fn example(kind: &str, request: &Value, state: &str) -> Value {
    json!({
        "id": "0198c9c1-7a10-7c44-9d0f-2b6a1f0e7a11",
        "kind": kind,
        "request": request,
        "state": state,
        "requestedBy": "0198c9c1-0000-7000-8000-000000000009",
        "requestedAt": "2026-11-24T10:00:00Z",
        "progress": { "doing": "", "done": 0, "of": 0 },
    })
}

fn a_job() -> Value {
    example("retirement", &json!({ "rate": 200 }), "running")
}

pub(super) fn start_doc<J: Job<Resources> + JsonSchema>() -> EndpointDoc {
    let request = J::example();
    let state = J::FIRST_STATE.name();
    EndpointDoc::new::<JobRow>(J::SUMMARY, example(J::KIND, &request, state))
        .body::<J>(request)
        .status(202)
        .detail(J::DETAIL)
        .errors(&[
            ProblemKind::NotPossible,
            ProblemKind::JobUnderWay,
            ProblemKind::NotApplicable,
            ProblemKind::IdempotencyKeyReused,
        ])
}

/// Starts a job of any kind: `POST /api/jobs/…`.
pub(super) async fn start<J: Job<Resources> + JsonSchema>(
    State(state): State<AppState>,
    CommandRequest { call, body }: CommandRequest<J>,
) -> Result<Response, Problem> {
    let jobs = jobs(&state)?;
    call.check_creates()?;
    let row = jobs.start(&body, call.requester()).await?;
    let location = [(header::LOCATION, format!("/api/jobs/{}", row.id))];
    Ok((StatusCode::ACCEPTED, location, Json(row)).into_response())
}

/// The id in a path; text that is no id names nothing that exists.
fn id(text: &str) -> Result<Uuid, Problem> {
    let absent = |_| Problem::new(ProblemKind::UnknownJob, ProblemKind::UnknownJob.meaning());
    Uuid::try_parse(text).map_err(absent)
}

pub(super) fn list_doc() -> EndpointDoc {
    EndpointDoc::new::<PageAnswer<JobRow>>("List jobs", json!({ "items": [a_job()] }))
        .detail("Newest first.")
        .query("state", "Only those in this state.")
        .paged(&[])
}

/// `GET /api/jobs?state=&limit=&cursor=`.
pub(super) async fn list(
    State(state): State<AppState>,
    _operator: Caller,
    parameters: QueryParameters,
) -> Result<Response, Problem> {
    let request = parameters.request(|key| Uuid::try_parse(&key).ok())?;
    let wanted = parameters.get("state").map(|name| {
        let unknown = || {
            Problem::new(
                ProblemKind::InvalidQuery,
                format!("there is no state {}", quote::brief(name)),
            )
        };
        JobState::named(name).ok_or_else(unknown)
    });
    let states = wanted.transpose()?.map(|state| [state]);
    let most = i64::try_from(request.limit).unwrap_or(i64::MAX);
    let states = states.as_ref().map(<[JobState; 1]>::as_slice);
    let mut items = jobs(&state)?
        .list(request.after, states, most.saturating_add(1))
        .await?;
    let more = items.len() > request.limit;
    items.truncate(request.limit);
    parameters.answer(Page { items, more }, |job| job.id.to_string())
}

pub(super) fn get_doc() -> EndpointDoc {
    EndpointDoc::new::<JobRow>("Look at a job", a_job()).errors(&[ProblemKind::UnknownJob])
}

/// `GET /api/jobs/{id}`.
pub(super) async fn get(
    State(state): State<AppState>,
    _operator: Caller,
    PathId(text): PathId,
) -> Result<Response, Problem> {
    let job = jobs(&state)?.get(id(&text)?).await?;
    Ok(Json(job).into_response())
}

/// The state into which a job is to be brought.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct JobStateChange {
    /// `running` starts a planned job, and goes on with a paused one.
    state: WantedState,
}

pub(super) fn set_state_doc() -> EndpointDoc {
    EndpointDoc::new::<JobRow>(
        "Start, pause or cancel a job",
        example("retirement", &json!({ "rate": 200 }), "paused"),
    )
    .body::<JobStateChange>(json!({ "state": "paused" }))
    .detail("A job that is in that state already stays so.")
    .errors(&[ProblemKind::UnknownJob, ProblemKind::NotPossible])
}

/// `PUT /api/jobs/{id}/state`.
pub(super) async fn set_state(
    State(state): State<AppState>,
    PathId(text): PathId,
    CommandRequest {
        call,
        body: JobStateChange { state: wanted },
    }: CommandRequest<JobStateChange>,
) -> Result<Response, Problem> {
    let (jobs, id) = (jobs(&state)?, id(&text)?);
    jobs.get(id).await?;
    call.check_changes()?;
    let job = jobs.set_state(id, wanted).await?;
    Ok(Json(job).into_response())
}

impl From<JobError> for Problem {
    fn from(error: JobError) -> Self {
        let words = chain(&error).to_string();
        match error {
            JobError::Store(error) => error.into(),
            JobError::PointerChanged => Self::new(ProblemKind::LostRace, words),
            JobError::UnderWay(_) => Self::new(ProblemKind::JobUnderWay, words),
            JobError::NotFound(_) => Self::new(ProblemKind::UnknownJob, words),
            JobError::KeyReused => Self::new(ProblemKind::IdempotencyKeyReused, words),
            JobError::NotConfigured { what, .. } => Self::not_configured(what),
            JobError::NotApplicable(why) => Self::new(ProblemKind::NotApplicable, why),
            JobError::Invalid(violations) => {
                let all = violations.iter();
                all.fold(
                    Self::new(ProblemKind::InvalidContent, words),
                    |problem, violation| problem.at(violation.pointer, violation.rule),
                )
            }
            JobError::Refused(_) => Self::new(ProblemKind::NotPossible, words),
            error if error.is_transient() => {
                Self::away("the job's stores cannot be reached; try again", words)
            }
            JobError::Database(_) | JobError::Bus(_) | JobError::Send(_) | JobError::Project(_) => {
                Self::broken(words)
            }
        }
    }
}
