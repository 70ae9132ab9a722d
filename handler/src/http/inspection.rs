//! What operators look at over HTTP: dead letters, one order over every hop, and how the system is as a whole.
//! Never locks or counts anything by looking.

use axum::{
    Json,
    extract::State,
    response::{IntoResponse, Response},
};
use serde_json::json;
use uuid::Uuid;

use super::{
    AppState,
    call::{Caller, PathId},
    endpoint::EndpointDoc,
    jobs::jobs,
    problem::{Problem, ProblemKind},
    queries::listing::{PageAnswer, QueryParameters},
};
use crate::{
    bus::SubscriptionName,
    inspect::{self, OrderExplanation, SystemStatus},
    jobs::{
        JobError,
        dead_letters::{DeadLetterView, WholeDeadLetter},
    },
    read::view::Page,
};

/// The subscription that is asked about.
fn subscription(parameters: &QueryParameters) -> Result<SubscriptionName, Problem> {
    let Some(name) = parameters.get("subscription") else {
        return Ok(SubscriptionName::default());
    };
    let name = name.parse::<SubscriptionName>();
    name.map_err(|rule| Problem::new(ProblemKind::InvalidQuery, rule.to_string()))
}

pub(super) fn list_dead_letters_doc() -> EndpointDoc {
    let letter = json!({
        "messageId": "billing-4711", "sequence": 9, "enqueuedAt": "2026-11-24T10:00:00Z", "deliveries": 50,
        "reason": "MaxDeliveryCountExceeded", "replay": "none", "unreadable": "not one of our events"
    });
    EndpointDoc::new::<PageAnswer<DeadLetterView>>(
        "List the dead letters of a subscription",
        json!({ "items": [letter] }),
    )
    .detail("In the order of the queue. Looking locks and counts nothing.")
    .subscription("Whose.")
    .paged(&[])
    .errors(&[ProblemKind::NotPossible])
}

/// `GET /api/operations/dead-letters?subscription=&limit=&cursor=`.
pub(super) async fn list_dead_letters(
    State(state): State<AppState>,
    _operator: Caller,
    parameters: QueryParameters,
) -> Result<Response, Problem> {
    let request = parameters.request(|key| key.parse::<i64>().ok().filter(|sequence| *sequence >= 0))?;
    let subscription = subscription(&parameters)?;
    let from = request.after.map_or(0, |last| last.saturating_add(1));
    let most = i32::try_from(request.limit).unwrap_or(i32::MAX);
    let found = jobs(&state)?
        .resources()
        .dead_letters(&subscription)?
        .peek(from, most)
        .await?;
    let page = Page {
        // A short page may be all that fitted into one answer: only an empty one is the end.
        more: !found.is_empty(),
        items: found.iter().map(DeadLetterView::of).collect(),
    };
    parameters.answer(page, |letter| letter.sequence.to_string())
}

pub(super) fn get_dead_letter_doc() -> EndpointDoc {
    let letter = json!({
        "messageId": "billing-4711", "sequence": 9, "enqueuedAt": "2026-11-24T10:00:00Z", "deliveries": 50,
        "reason": "MaxDeliveryCountExceeded", "replay": "none", "unreadable": "not one of our events",
        "sections": { "properties": { "messageId": "billing-4711" } },
        "bodyText": "hello, is this the billing topic?"
    });
    EndpointDoc::new::<WholeDeadLetter>("Look at a dead letter with its whole body", letter)
        .subscription("Whose.")
        .errors(&[
            ProblemKind::UnknownDeadLetter,
            ProblemKind::NotPossible,
            ProblemKind::InvalidQuery,
        ])
}

/// `GET /api/operations/dead-letters/{sequence}?subscription=`.
pub(super) async fn get_dead_letter(
    State(state): State<AppState>,
    _operator: Caller,
    PathId(text): PathId,
    parameters: QueryParameters,
) -> Result<Response, Problem> {
    let absent = || {
        Problem::new(
            ProblemKind::UnknownDeadLetter,
            ProblemKind::UnknownDeadLetter.meaning(),
        )
    };
    let sequence: i64 = text
        .parse()
        .ok()
        .filter(|number| *number >= 0)
        .ok_or_else(absent)?;
    let subscription = subscription(&parameters)?;
    let found = jobs(&state)?
        .resources()
        .dead_letters(&subscription)?
        .peek(sequence, 1)
        .await?;
    let letter = found
        .first()
        .filter(|letter| letter.received.sequence() == sequence);
    Ok(Json(WholeDeadLetter::of(letter.ok_or_else(absent)?)).into_response())
}

pub(super) fn status_doc() -> EndpointDoc {
    let status = json!({
        "stores": {
            "writeModel": { "status": "degraded", "reason": "read-only", "why": "the session takes no writes" },
            "bus": { "status": "ok" }, "readModel": { "status": "ok" }
        },
        "outbox": { "waiting": 0, "parked": 0 },
        "subscription": { "name": "read-model", "waiting": 0, "deadLetters": 0 },
        "generations": { "id": "pointer", "pk": "control", "live": 1, "highest": 1 },
        "jobs": [], "unknown": []
    });
    EndpointDoc::new::<SystemStatus>("How things are", status)
        .detail("What cannot be asked now is named in `unknown`.")
        .subscription("Whose messages are counted.")
        .errors(&[ProblemKind::InvalidQuery])
}

/// `GET /api/operations/status?subscription=`.
pub(super) async fn status(
    State(state): State<AppState>,
    _operator: Caller,
    parameters: QueryParameters,
) -> Result<Response, Problem> {
    let subscription = subscription(&parameters)?;
    Ok(Json(inspect::status(jobs(&state)?, &state.health, &subscription).await).into_response())
}

pub(super) fn explain_doc() -> EndpointDoc {
    let explanation = json!({
        "events": [{
            "version": 1, "type": "orders.OrderPlaced.v1", "eventId": "0198c9c1-7a10-7c44-9d0f-2b6a1f0e7a11",
            "at": "2026-11-24T10:00:00Z", "outbox": "sent", "inHistory": true
        }],
        "generation": 1, "document": 1, "customersRow": 1, "differences": []
    });
    EndpointDoc::new::<OrderExplanation>("Follow an order over every hop", explanation)
        .subscription("Where its messages are looked for.")
        .errors(&[
            ProblemKind::UnknownOrder,
            ProblemKind::NotPossible,
            ProblemKind::NotApplicable,
            ProblemKind::InvalidQuery,
        ])
}

/// `GET /api/operations/orders/{id}/explanation?subscription=`.
pub(super) async fn explain(
    State(state): State<AppState>,
    _operator: Caller,
    PathId(text): PathId,
    parameters: QueryParameters,
) -> Result<Response, Problem> {
    let absent = || Problem::new(ProblemKind::UnknownOrder, ProblemKind::UnknownOrder.meaning());
    let order = Uuid::try_parse(&text).map_err(|_| absent())?;
    let subscription = subscription(&parameters)?;
    match inspect::explain(jobs(&state)?, order, &subscription).await {
        Err(JobError::NotFound(_)) => Err(absent()),
        explanation => Ok(Json(explanation?).into_response()),
    }
}
