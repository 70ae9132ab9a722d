//! The ways into an account: with its key, or as in Azure, by the tokens of a directory.
//! It never takes the key where tokens are wanted.

use axum::http::StatusCode;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use time::OffsetDateTime;
use url::Url;
use uuid::Uuid;

use super::authorization::{KEY, is_signed, token};
use super::refusal::Refusal;
use super::request::AccountRequest;
use super::rights;
use crate::identity::{COSMOS_AUDIENCE, Directory, TokenFault};

/// One way in, and the address by which clients come.
#[derive(Clone, Debug)]
pub(super) struct Door {
    pub(super) endpoint: Url,
    /// Who may come in; without a directory, whoever knows the key.
    directory: Option<Directory>,
}

/// Who asks; `None`: somebody who knows the key, and may do everything.
pub(super) type Principal = Option<Uuid>;

impl Door {
    pub(super) fn new(endpoint: Url, directory: Option<Directory>) -> Self {
        Self { endpoint, directory }
    }

    /// Says who asks, or why they may not.
    pub(super) fn admit(&self, asked: &AccountRequest) -> Result<Principal, Refusal> {
        match &self.directory {
            None => signed(asked),
            Some(directory) => by_token(directory, asked),
        }
    }

    /// Passes what the principal may do.
    pub(super) fn check(&self, principal: Principal, asked: &AccountRequest) -> Result<(), Refusal> {
        match (&self.directory, principal) {
            (Some(directory), Some(principal)) => rights::check(directory, principal, asked),
            _ => Ok(()),
        }
    }
}

fn signed(asked: &AccountRequest) -> Result<Principal, Refusal> {
    let key = STANDARD.decode(KEY).unwrap_or_default();
    if is_signed(&asked.method, &asked.path, &asked.headers, &key) {
        return Ok(None);
    }
    let message = "The input authorization token can't serve the request.";
    Err(Refusal::new(StatusCode::UNAUTHORIZED, "Unauthorized", message))
}

/// The numbers are those that Microsoft's driver knows (`cosmos_status.rs`).
fn by_token(directory: &Directory, asked: &AccountRequest) -> Result<Principal, Refusal> {
    let refused = |substatus: u16, message: &str| {
        Err(Refusal::new(StatusCode::UNAUTHORIZED, "Unauthorized", message).with_substatus(substatus))
    };
    let Some(token) = token(&asked.headers) else {
        let message = "Local Authorization is disabled. Use an AAD token to authorize all requests.";
        return refused(5202, message);
    };
    let now = OffsetDateTime::now_utc().unix_timestamp();
    match directory.verify(&token, COSMOS_AUDIENCE, now) {
        Ok(verified) => Ok(Some(verified.object_id)),
        Err(TokenFault::Malformed) => refused(5003, "The AAD token cannot be read."),
        Err(TokenFault::Signature) => refused(5004, "The AAD token has an invalid signature."),
        Err(TokenFault::Expired) => refused(5006, "The AAD token has expired."),
        Err(TokenFault::Audience) => refused(5008, "The AAD token has an invalid audience."),
    }
}
