//! Reads who is calling out of `X-MS-CLIENT-PRINCIPAL`, as App Service authentication writes it.
//! Never trusts any other header, and never validates tokens itself: the platform has done it.

use std::collections::BTreeSet;

use axum::http::HeaderMap;
use base64::{Engine, engine::general_purpose::STANDARD};
use serde::Deserialize;

use super::{
    access::{Principal, Role},
    problem::{Kind, Problem},
};
use crate::config::Auth;

const HEADER: &str = "x-ms-client-principal";
/// The claim types of the object id: as in the token, and as App Service renames it.
const OID: [&str; 2] = [
    "oid",
    "http://schemas.microsoft.com/identity/claims/objectidentifier",
];
/// Claim types of app roles besides the one that the principal itself names in `role_typ`.
const ROLES: [&str; 2] = [
    "roles",
    "http://schemas.microsoft.com/ws/2008/06/identity/claims/role",
];

/// Microsoft: "Work with user identities in Azure App Service authentication", decoded client principal header.
#[derive(Deserialize)]
struct ClientPrincipal {
    #[serde(default)]
    role_typ: String,
    claims: Vec<Claim>,
}

#[derive(Deserialize)]
struct Claim {
    typ: String,
    val: String,
}

/// Who is calling.
///
/// # Errors
/// A [`Problem`] (401) when there is no such header, more than one, or one that cannot be read.
pub(super) fn principal(headers: &HeaderMap, auth: Auth) -> Result<Principal, Problem> {
    match auth {
        // On a developer's machine everybody is everything.
        Auth::Development => Ok(Principal {
            id: "development-staff".to_owned(),
            roles: [Role::Staff, Role::Operator].into(),
        }),
        Auth::EasyAuth => {
            let mut values = headers.get_all(HEADER).iter();
            let (value, another) = (values.next(), values.next());
            let principal = value
                .filter(|_| another.is_none())
                .and_then(|value| decode(value.as_bytes()));
            principal.ok_or_else(|| Problem::new(Kind::Unauthenticated, "sign in first"))
        }
    }
}

fn decode(header: &[u8]) -> Option<Principal> {
    let principal: ClientPrincipal = serde_json::from_slice(&STANDARD.decode(header).ok()?).ok()?;
    let is_role = |claim: &&Claim| claim.typ == principal.role_typ || ROLES.contains(&claim.typ.as_str());
    let roles = principal.claims.iter().filter(is_role);
    let mut roles: BTreeSet<Role> = roles.filter_map(|claim| Role::of(&claim.val)).collect();
    if roles.is_empty() {
        roles.insert(Role::Customer);
    }
    let mut claims = principal.claims.iter();
    let oid = claims.find(|claim| OID.contains(&claim.typ.as_str()) && !claim.val.is_empty())?;
    Some(Principal {
        id: oid.val.clone(),
        roles,
    })
}
