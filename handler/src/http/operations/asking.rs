//! What an operator can ask for, and how it is steered.
//! Never decides whether it can be done: that is found out where it is done.

use axum::{
    Json,
    extract::State,
    response::{IntoResponse, Response},
};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use super::{accepted, example, of_documents, operations};
use crate::{
    http::{
        AppState,
        call::{CommandRequest, PathId},
        endpoint::EndpointDoc,
        problem::{Problem, ProblemKind},
    },
    operations::{
        dead_letters::{Deletion, Resubmission},
        operation::{Operation, Request, Wanted},
        rebuild::Anew,
        replay::{Projection, Replay},
        retire::Removal,
        verify::Comparison,
    },
    read::{document::Generation, generation::GenerationPointer},
};

/// Into which state an operation is to be brought.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct Steering {
    /// `running` starts what is planned, and goes on with what is paused.
    state: Wanted,
}

/// Makes the description and the handler of a call that asks for an operation.
macro_rules! asks_for {
    ($doc:ident, $call:ident, $reach:ident, $request:ident($body:ident), $kind:literal, $state:literal, $summary:literal, $detail:literal, $example:expr) => {
        pub(in crate::http) fn $doc() -> EndpointDoc {
            EndpointDoc::new::<Operation>($summary, example($kind, &$example, $state))
                .body::<$body>($example)
                .status(202)
                .detail($detail)
                .errors(&[
                    ProblemKind::OperationRefused,
                    ProblemKind::OperationUnderWay,
                    ProblemKind::NotApplicable,
                ])
        }

        pub(in crate::http) async fn $call(
            State(reach): State<AppState>,
            CommandRequest { call, body }: CommandRequest<$body>,
        ) -> Result<Response, Problem> {
            let operations = $reach(&reach)?;
            call.check_creates()?;
            let request = Request::$request(body);
            let asked = operations.ask(&request, &call.caller.id).await?;
            Ok(accepted(&asked))
        }
    };
}

asks_for!(
    replay_doc,
    replay,
    operations,
    Replay(Replay),
    "replay",
    "planning",
    "Plan to send events of the log once more to one subscription",
    "Counts first, and sends nothing until the operation is brought into the state `running`. All of them need `all: true`.",
    json!({ "subscription": "read-model", "events": { "types": ["orders.OrderPaid.v1"] }, "rate": 200, "force": false })
);
asks_for!(
    project_doc,
    project,
    of_documents,
    Projection(Projection),
    "projection",
    "planning",
    "Plan to bring events of the log once more into the documents, without the bus",
    "Counts first, and changes nothing until the operation is brought into the state `running`. All of them need `all: true`.",
    json!({ "events": { "subjects": ["0198c9c1-5a1e-7c44-9d0f-2b6a1f0e7a11"] }, "rate": 200 })
);
asks_for!(
    rebuild_doc,
    rebuild,
    of_documents,
    Rebuild(Anew),
    "rebuild",
    "running",
    "Make the read model anew",
    "Fills new documents beside those that are read, proves them, and switches over. Cancelled, it gives up what it has filled.",
    json!({ "rate": 500 })
);
asks_for!(
    retire_doc,
    retire,
    of_documents,
    Retire(Removal),
    "retire",
    "running",
    "Remove the documents that nobody reads any more",
    "Those from before the last switch, or of a rebuild that was given up or has failed. Begins at once.",
    json!({ "rate": 200 })
);
asks_for!(
    verify_doc,
    verify,
    of_documents,
    Verify(Comparison),
    "verify",
    "running",
    "Compare the documents with the log",
    "`result.different` is 0 when all is well; the first hundred differences are told.",
    json!({ "sample": 5, "graceSeconds": 300 })
);
asks_for!(
    resubmit_doc,
    resubmit,
    operations,
    Resubmit(Resubmission),
    "resubmit",
    "running",
    "Send dead letters once more to their subscription",
    "Each is taken out when the topic has accepted its copy. All of them need `all: true`.",
    json!({ "subscription": "read-model", "letters": { "reason": "MaxDeliveryCountExceeded" }, "force": false })
);
asks_for!(
    delete_doc,
    delete,
    operations,
    Delete(Deletion),
    "delete",
    "running",
    "Remove dead letters for good",
    "Each is written to the log first, whole. All of them need `all: true`.",
    json!({ "subscription": "read-model", "letters": { "messageIds": ["billing-4711"] }, "because": "not ours" })
);

pub(in crate::http) fn steer_doc() -> EndpointDoc {
    let with = json!({ "rate": 200 });
    EndpointDoc::new::<Operation>(
        "Start, pause or cancel an operation",
        example("retire", &with, "paused"),
    )
    .body::<Steering>(json!({ "state": "paused" }))
    .detail("What is in that state already stays so.")
    .errors(&[ProblemKind::UnknownOperation, ProblemKind::OperationRefused])
}

/// `PUT /api/operations/{id}/state`.
pub(in crate::http) async fn steer(
    State(reach): State<AppState>,
    PathId(id): PathId,
    CommandRequest {
        call,
        body: Steering { state },
    }: CommandRequest<Steering>,
) -> Result<Response, Problem> {
    let id = super::looking::id(&id)?;
    operations(&reach)?.get(id).await?;
    call.check_changes()?;
    let steered = operations(&reach)?.steer(id, state).await?;
    Ok(Json(steered).into_response())
}

pub(in crate::http) fn roll_back_doc() -> EndpointDoc {
    let pointer = json!({ "id": "pointer", "pk": "control", "live": 1, "highest": 2, "previous": 2 });
    EndpointDoc::new::<GenerationPointer>(
        "Read the documents again that were read before the last switch",
        pointer,
    )
    .body::<Back>(json!({ "to": 1 }))
    .detail("Nothing is lost, since both are written. What is read already stays so.")
    .errors(&[ProblemKind::OperationRefused, ProblemKind::NotApplicable])
}

/// Which documents are to be read.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Rollback")]
pub(in crate::http) struct Back {
    /// The generation that was live before.
    to: Generation,
}

/// `POST /api/operations/rollbacks`.
pub(in crate::http) async fn roll_back(
    State(reach): State<AppState>,
    CommandRequest {
        call,
        body: Back { to },
    }: CommandRequest<Back>,
) -> Result<Response, Problem> {
    let operations = of_documents(&reach)?;
    call.check_changes()?;
    let pointer = operations.model()?.roll_back(Some(to)).await?;
    Ok(Json(pointer).into_response())
}
