//! What an operator can look at: operations, dead letters, one order over every hop, and how things are as a whole.
//! Never locks or counts anything by looking.

use axum::{
    Json,
    extract::State,
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{USUAL_SUBSCRIPTION, example, of_documents, operations};
use crate::{
    bus::{SUBSCRIPTION_NAME_RULE, is_subscription_name},
    domain::quote,
    http::{
        AppState,
        call::{Caller, PathId},
        endpoint::EndpointDoc,
        problem::{Problem, ProblemKind},
        queries::listing::{PageAnswer, QueryParameters},
    },
    operations::{
        Failed,
        dead_letters::{LetterView, WholeLetter},
        operation::{Operation, State as Stand},
        status::Status,
        why::Trail,
    },
    read::view::Page,
};

/// The id in a path; what is no id names nothing that exists.
pub(super) fn id(text: &str) -> Result<Uuid, Problem> {
    let absent = |_| {
        Problem::new(
            ProblemKind::UnknownOperation,
            ProblemKind::UnknownOperation.meaning(),
        )
    };
    Uuid::try_parse(text).map_err(absent)
}

/// The subscription that is asked about.
fn subscription(parameters: &QueryParameters) -> Result<&str, Problem> {
    let name = parameters.get("subscription").unwrap_or(USUAL_SUBSCRIPTION);
    if is_subscription_name(name) {
        return Ok(name);
    }
    Err(Problem::new(ProblemKind::InvalidQuery, SUBSCRIPTION_NAME_RULE))
}

fn an_operation() -> Value {
    example("retire", &json!({ "rate": 200 }), "running")
}

pub(in crate::http) fn list_doc() -> EndpointDoc {
    EndpointDoc::new::<PageAnswer<Operation>>("List operations", json!({ "items": [an_operation()] }))
        .detail("Newest first.")
        .query("state", "Only those in this state.")
        .paged(&[])
}

/// `GET /api/operations?state=&limit=&cursor=`.
pub(in crate::http) async fn list(
    State(reach): State<AppState>,
    _operator: Caller,
    parameters: QueryParameters,
) -> Result<Response, Problem> {
    let request = parameters.request(|key| Uuid::try_parse(&key).ok())?;
    let state = parameters.get("state").map(|name| {
        let unknown = || {
            Problem::new(
                ProblemKind::InvalidQuery,
                format!("there is no state {}", quote::brief(name)),
            )
        };
        Stand::of(name).ok_or_else(unknown)
    });
    let states = state.transpose()?.map(|state| [state]);
    let most = i64::try_from(request.limit).unwrap_or(i64::MAX);
    let states = states.as_ref().map(<[Stand; 1]>::as_slice);
    let mut items = operations(&reach)?
        .list(request.after, states, most.saturating_add(1))
        .await?;
    let more = items.len() > request.limit;
    items.truncate(request.limit);
    parameters.answer(Page { items, more }, |operation| operation.id.to_string())
}

pub(in crate::http) fn get_doc() -> EndpointDoc {
    EndpointDoc::new::<Operation>("Look at an operation", an_operation())
        .errors(&[ProblemKind::UnknownOperation])
}

/// `GET /api/operations/{id}`.
pub(in crate::http) async fn get(
    State(reach): State<AppState>,
    _operator: Caller,
    PathId(text): PathId,
) -> Result<Response, Problem> {
    let operation = operations(&reach)?.get(id(&text)?).await?;
    Ok(Json(operation).into_response())
}

pub(in crate::http) fn letters_doc() -> EndpointDoc {
    let letter = json!({
        "messageId": "billing-4711", "sequence": 9, "enqueuedAt": "2026-11-24T10:00:00Z", "deliveries": 50,
        "reason": "MaxDeliveryCountExceeded", "replay": "none", "unreadable": "not one of our events"
    });
    EndpointDoc::new::<PageAnswer<LetterView>>(
        "List the dead letters of a subscription",
        json!({ "items": [letter] }),
    )
    .detail("In the order of the queue. Looking locks and counts nothing.")
    .subscription("Whose.")
    .paged(&[])
    .errors(&[ProblemKind::OperationRefused])
}

/// `GET /api/operations/dead-letters?subscription=&limit=&cursor=`.
pub(in crate::http) async fn letters(
    State(reach): State<AppState>,
    _operator: Caller,
    parameters: QueryParameters,
) -> Result<Response, Problem> {
    let request = parameters.request(|key| key.parse::<i64>().ok().filter(|sequence| *sequence >= 0))?;
    let subscription = subscription(&parameters)?;
    let from = request.after.map_or(0, |last| last.saturating_add(1));
    let most = i32::try_from(request.limit).unwrap_or(i32::MAX);
    let found = operations(&reach)?
        .dead_letters(subscription)?
        .look(from, most)
        .await;
    let found = found.map_err(Failed::from)?;
    let page = Page {
        // A short page may be all that fitted into one answer: only an empty one is the end.
        more: !found.is_empty(),
        items: found.iter().map(LetterView::of).collect(),
    };
    parameters.answer(page, |letter| letter.sequence.to_string())
}

pub(in crate::http) fn letter_doc() -> EndpointDoc {
    let letter = json!({
        "messageId": "billing-4711", "sequence": 9, "enqueuedAt": "2026-11-24T10:00:00Z", "deliveries": 50,
        "reason": "MaxDeliveryCountExceeded", "replay": "none", "unreadable": "not one of our events",
        "sections": { "properties": { "messageId": "billing-4711" } },
        "bodyText": "hello, is this the billing topic?"
    });
    EndpointDoc::new::<WholeLetter>("Look at a dead letter with its whole body", letter)
        .subscription("Whose.")
        .errors(&[
            ProblemKind::UnknownDeadLetter,
            ProblemKind::OperationRefused,
            ProblemKind::InvalidQuery,
        ])
}

/// `GET /api/operations/dead-letters/{sequence}?subscription=`.
pub(in crate::http) async fn letter(
    State(reach): State<AppState>,
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
    let found = operations(&reach)?
        .dead_letters(subscription)?
        .look(sequence, 1)
        .await;
    let found = found.map_err(Failed::from)?;
    let letter = found
        .first()
        .filter(|letter| letter.received.sequence() == sequence);
    Ok(Json(WholeLetter::of(letter.ok_or_else(absent)?)).into_response())
}

pub(in crate::http) fn status_doc() -> EndpointDoc {
    let status = json!({
        "stores": {
            "writeModel": { "status": "degraded", "reason": "read-only", "why": "the session takes no writes" },
            "bus": { "status": "ok" }, "readModel": { "status": "ok" }
        },
        "outbox": { "waiting": 0, "parked": 0 },
        "subscription": { "name": "read-model", "waiting": 0, "deadLetters": 0 },
        "generations": { "id": "pointer", "pk": "control", "live": 1, "highest": 1 },
        "operations": [], "unknown": []
    });
    EndpointDoc::new::<Status>("How things are", status)
        .detail("What cannot be asked now is named in `unknown`.")
        .subscription("Whose messages are counted.")
        .errors(&[ProblemKind::InvalidQuery])
}

/// `GET /api/operations/status?subscription=`.
pub(in crate::http) async fn status(
    State(reach): State<AppState>,
    _operator: Caller,
    parameters: QueryParameters,
) -> Result<Response, Problem> {
    let subscription = subscription(&parameters)?;
    Ok(Json(operations(&reach)?.status(&reach.health, subscription).await).into_response())
}

pub(in crate::http) fn trace_doc() -> EndpointDoc {
    let trail = json!({
        "events": [{
            "version": 1, "type": "orders.OrderPlaced.v1", "eventId": "0198c9c1-7a10-7c44-9d0f-2b6a1f0e7a11",
            "at": "2026-11-24T10:00:00Z", "outbox": "sent", "inHistory": true
        }],
        "generation": 1, "document": 1, "customersRow": 1, "differences": []
    });
    EndpointDoc::new::<Trail>("Follow an order over every hop", trail)
        .subscription("Where its messages are looked for.")
        .errors(&[
            ProblemKind::UnknownOrder,
            ProblemKind::OperationRefused,
            ProblemKind::NotApplicable,
            ProblemKind::InvalidQuery,
        ])
}

/// `GET /api/operations/orders/{id}?subscription=`.
pub(in crate::http) async fn trace(
    State(reach): State<AppState>,
    _operator: Caller,
    PathId(text): PathId,
    parameters: QueryParameters,
) -> Result<Response, Problem> {
    let absent = || Problem::new(ProblemKind::UnknownOrder, ProblemKind::UnknownOrder.meaning());
    let order = Uuid::try_parse(&text).map_err(|_| absent())?;
    let subscription = subscription(&parameters)?;
    match of_documents(&reach)?.why(order, subscription).await {
        Err(Failed::Absent(_)) => Err(absent()),
        trail => Ok(Json(trail?).into_response()),
    }
}
