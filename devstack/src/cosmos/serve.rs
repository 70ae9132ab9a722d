//! Answers the requests that come in to the account.
//! It never decides what the service can decide rightly: what is not signed, what a switch is set to refuse and what the
//! service would answer wrongly is not carried.

use std::sync::Arc;

use anyhow::Result;
use axum::extract::{Request, State};
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse as _, Response};

use super::door::Door;
use super::gateway::Gateway;
use super::refusal::Refusal;
use super::request::AccountRequest;
use super::{admission, patch, resource_ids};

/// Answers any request to the account.
pub(super) async fn answer(
    State((gateway, door)): State<(Arc<Gateway>, Door)>,
    request: Request,
) -> Response {
    match meet(&gateway, &door, request).await {
        Ok(response) => response,
        Err(refused) => refused.into_response(),
    }
}

async fn meet(gateway: &Gateway, door: &Door, request: Request) -> Result<Response, Refusal> {
    let mut asked = AccountRequest::read(request).await?;
    admission::addresses(&asked)?;
    let principal = door.admit(&asked)?;
    if asked.too_large {
        let message = "Request size is too large";
        return Err(Refusal::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "RequestEntityTooLarge",
            message,
        ));
    }
    if let Some(refused) = gateway.switches.meet(&asked.path, &asked.headers).await {
        return Ok(refused);
    }
    resource_ids::put_names(gateway, &mut asked).await?;
    door.check(principal, &asked)?;
    let afterwards = admission::admit(gateway, &door.endpoint, &mut asked).await?;
    if asked.method == Method::PATCH {
        return patch::carry(gateway, asked).await;
    }
    let answer = gateway.carry(&asked, &afterwards).await?;
    if admission::defines(&asked) {
        gateway.definitions.forget();
    }
    Ok(answer)
}
