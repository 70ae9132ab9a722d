//! Who is calling, from `X-MS-CLIENT-PRINCIPAL` as App Service authentication writes it.
//! Never trusts any other header, and never validates tokens itself: the platform has done it.

use axum::{
    extract::FromRequestParts,
    http::{StatusCode, request::Parts},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use serde::Deserialize;

use super::{Reach, problem::Problem};
use crate::config::Auth;

/// The caller's stable id: the token's `oid`.
#[derive(Debug, Clone)]
pub(super) struct Principal {
    pub(super) id: String,
}

/// Microsoft: "Work with user identities in Azure App Service authentication".
#[derive(Deserialize)]
struct ClientPrincipal {
    claims: Vec<Claim>,
}

#[derive(Deserialize)]
struct Claim {
    typ: String,
    val: String,
}

impl FromRequestParts<Reach> for Principal {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, reach: &Reach) -> Result<Self, Problem> {
        match reach.auth {
            Auth::Development => Ok(Self {
                id: "development-staff".to_owned(),
            }),
            Auth::EasyAuth => parts
                .headers
                .get("x-ms-client-principal")
                .and_then(|v| decode(v.as_bytes()))
                .ok_or_else(|| Problem::new(StatusCode::UNAUTHORIZED, "unauthenticated", "sign in first")),
        }
    }
}

fn decode(header: &[u8]) -> Option<Principal> {
    const OID: [&str; 2] = [
        "oid",
        "http://schemas.microsoft.com/identity/claims/objectidentifier",
    ];
    let principal: ClientPrincipal = serde_json::from_slice(&STANDARD.decode(header).ok()?).ok()?;
    let oid = principal
        .claims
        .into_iter()
        .find(|claim| OID.contains(&claim.typ.as_str()) && !claim.val.is_empty())?;
    Some(Principal { id: oid.val })
}
