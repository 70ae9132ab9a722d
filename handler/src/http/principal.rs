//! Reads the caller from `X-MS-CLIENT-PRINCIPAL`, as App Service authentication writes it, and refuses callers that may not sign in here.
//! Never trusts any other header, and never validates tokens itself: the platform has done it.

use std::collections::BTreeSet;

use axum::http::{HeaderMap, Uri};
use base64::{Engine, engine::general_purpose::STANDARD};
use serde::Deserialize;
use uuid::Uuid;

use super::{
    access::{Principal, Role},
    problem::{Problem, ProblemKind},
};
use crate::{
    config::{AuthMode, SignInPolicy},
    json,
};

const HEADER: &str = "x-ms-client-principal";
/// App Service's name for Microsoft Entra ID; other providers' users have no roles of ours.
const PROVIDER: &str = "aad";

/// The types of a claim: as in the token, and as App Service may rename it (its "default claims mapping"; for app roles only with
/// `WEBSITE_AUTH_USE_LEGACY_CLAIMS=false`). The header's own `role_typ` counts for nothing: it would make a role of any claim.
type ClaimTypes = [&'static str; 2];
const OBJECT: ClaimTypes = [
    "oid",
    "http://schemas.microsoft.com/identity/claims/objectidentifier",
];
const TENANT: ClaimTypes = ["tid", "http://schemas.microsoft.com/identity/claims/tenantid"];
const ROLES: ClaimTypes = [
    "roles",
    "http://schemas.microsoft.com/ws/2008/06/identity/claims/role",
];
const ISSUER: ClaimTypes = ["iss", "iss"];
const AUDIENCE: ClaimTypes = ["aud", "aud"];

/// Microsoft: "Work with user identities in Azure App Service authentication", decoded client principal header.
#[derive(Deserialize)]
struct ClientPrincipal {
    auth_typ: String,
    claims: Vec<Claim>,
}

#[derive(Deserialize)]
struct Claim {
    typ: String,
    val: String,
}

/// The caller of a request.
///
/// # Errors
/// A [`Problem`]: 401 when there is no such header, more than one, or one whose caller may not sign in here; 403 when none of
/// their roles is known.
pub(super) fn principal(headers: &HeaderMap, auth: &AuthMode) -> Result<Principal, Problem> {
    match auth {
        // On a developer's machine everybody is everything.
        AuthMode::Development => Ok(Principal {
            id: "development-staff".to_owned(),
            roles: [Role::Staff, Role::Operator].into(),
        }),
        AuthMode::EasyAuth(admitted) => {
            let mut values = headers.get_all(HEADER).iter();
            let (Some(value), None) = (values.next(), values.next()) else {
                return Err(Problem::new(ProblemKind::Unauthenticated, "sign in first"));
            };
            let signed_in = decode(value.as_bytes());
            let signed_in = signed_in.as_ref().ok_or("the header cannot be read");
            match signed_in.and_then(|signed_in| signed_in.admitted_by(admitted)) {
                Ok((id, roles)) => Ok(Principal {
                    id,
                    roles: known(&roles)?,
                }),
                // The platform has let them in, so an operator must be able to see why we do not.
                Err(reason) => {
                    tracing::info!(reason, "caller_not_admitted");
                    Err(Problem::new(ProblemKind::Unauthenticated, "sign in first"))
                }
            }
        }
    }
}

fn decode(header: &[u8]) -> Option<ClientPrincipal> {
    json::read(&STANDARD.decode(header).ok()?).ok()
}

/// A caller without roles is a customer; a caller with roles of which none is ours is refused.
fn known(roles: &[&str]) -> Result<BTreeSet<Role>, Problem> {
    let known: BTreeSet<Role> = roles.iter().filter_map(|name| Role::named(name)).collect();
    match (roles.is_empty(), known.is_empty()) {
        (true, _) => Ok([Role::Customer].into()),
        (false, false) => Ok(known),
        (false, true) => Err(Problem::new(
            ProblemKind::Forbidden,
            "none of your roles is known here",
        )),
    }
}

impl ClientPrincipal {
    /// The object id and the names of the roles, if the sign-in is one that may be here; else why not.
    fn admitted_by(&self, admitted: &SignInPolicy) -> Result<(String, Vec<&str>), &'static str> {
        if self.auth_typ != PROVIDER {
            return Err("the provider is not aad");
        }
        let tenant = self.one(TENANT)?.ok_or("no tenant is named")?;
        let tenant: Uuid = tenant.parse().map_err(|_| "the tenant is no UUID")?;
        if !admitted.tenants.contains(&tenant) {
            return Err("the tenant is not in AUTH_TENANTS");
        }
        if let Some(issuer) = self.one(ISSUER)?
            && !is_of(issuer, tenant)
        {
            return Err("the issuer is another tenant's");
        }
        let is_meant = |audience: &str| admitted.audiences.contains(audience);
        if !admitted.audiences.is_empty() && !self.one(AUDIENCE)?.is_some_and(is_meant) {
            return Err("the audience is not in AUTH_AUDIENCES");
        }
        let id = self.one(OBJECT)?.filter(|id| !id.is_empty());
        let id = id.ok_or("no object id is named")?;
        Ok((id.to_owned(), self.all(ROLES).collect()))
    }

    fn all(&self, types: ClaimTypes) -> impl Iterator<Item = &str> {
        let of = self
            .claims
            .iter()
            .filter(move |claim| types.contains(&claim.typ.as_str()));
        of.map(|claim| claim.val.as_str())
    }

    /// The claim's one value: two different ones are refused.
    fn one(&self, types: ClaimTypes) -> Result<Option<&str>, &'static str> {
        let mut values = self.all(types);
        let first = values.next();
        match values.find(|value| Some(*value) != first) {
            None => Ok(first),
            Some(_) => Err("a claim is there twice"),
        }
    }
}

/// True for an issuer that names the tenant in its path: `https://sts.windows.net/<tenant>/`,
/// `https://login.microsoftonline.com/<tenant>/v2.0`, and those of External ID and of national clouds.
fn is_of(issuer: &str, tenant: Uuid) -> bool {
    let named = |part: &str| part.parse() == Ok(tenant);
    let issuer = issuer
        .parse::<Uri>()
        .ok()
        .filter(|issuer| issuer.scheme_str() == Some("https"));
    issuer.is_some_and(|issuer| issuer.path().split('/').any(named))
}

#[cfg(test)]
mod tests {
    use axum::{http::StatusCode, response::IntoResponse};
    use serde_json::{Value, json};

    use super::*;

    const TENANT_ID: &str = "11111111-1111-4111-8111-111111111111";
    const FOREIGN: &str = "22222222-2222-4222-8222-222222222222";
    const OID: &str = "5b5450db-eb26-4c1a-981c-ba1d25f0483d";
    const LONG_OID: &str = OBJECT[1];
    const LONG_TID: &str = TENANT[1];

    fn admitted(audiences: &[&str]) -> AuthMode {
        AuthMode::EasyAuth(std::sync::Arc::new(SignInPolicy {
            tenants: [TENANT_ID.parse().unwrap()].into(),
            audiences: audiences.iter().map(|text| (*text).to_owned()).collect(),
        }))
    }

    fn read(principal: &Value, auth: &AuthMode) -> Result<BTreeSet<Role>, StatusCode> {
        let mut headers = HeaderMap::new();
        let value = STANDARD.encode(principal.to_string());
        headers.insert(HEADER, value.parse().unwrap());
        match super::principal(&headers, auth) {
            Ok(principal) if principal.id == OID => Ok(principal.roles),
            Ok(principal) => panic!("{principal:?}"),
            Err(problem) => Err(problem.into_response().status()),
        }
    }

    /// A header with these claims, as App Service writes it for a v2.0 token.
    fn header(claims: &[(&str, &str)]) -> Value {
        let claims = claims.iter().map(|(typ, val)| json!({ "typ": typ, "val": val }));
        let role_typ = ROLES[1];
        json!({ "auth_typ": "aad", "name_typ": "name", "role_typ": role_typ, "claims": claims.collect::<Vec<_>>() })
    }

    /// Somebody of the tenant, with more claims.
    fn somebody(more: &[(&str, &str)]) -> Value {
        header(&[&[(LONG_OID, OID), (LONG_TID, TENANT_ID)], more].concat())
    }

    fn staff() -> Result<BTreeSet<Role>, StatusCode> {
        Ok([Role::Staff].into())
    }

    #[test]
    fn claims_are_read_under_both_of_their_names_and_no_other() {
        let auth = admitted(&[]);
        for role in ROLES {
            assert_eq!(read(&somebody(&[(role, "staff")]), &auth), staff(), "{role}");
        }
        let short = header(&[
            ("oid", OID),
            ("tid", TENANT_ID),
            ("roles", "staff"),
            ("roles", "operator"),
        ]);
        assert_eq!(read(&short, &auth), Ok([Role::Staff, Role::Operator].into()));
        // What the header calls its roles does not make roles of them.
        for named in ["name", "groups", "preferred_username", LONG_OID] {
            let mut forged = somebody(&[
                ("name", "staff"),
                ("groups", "staff"),
                ("preferred_username", "staff"),
            ]);
            forged["role_typ"] = json!(named);
            assert_eq!(read(&forged, &auth), Ok([Role::Customer].into()), "{named}");
        }
    }

    #[test]
    fn only_entra_id_signs_in_and_only_for_the_tenants_that_are_named() {
        let auth = admitted(&[]);
        for provider in ["google", "facebook", "AAD", "azureactivedirectory", ""] {
            let mut other = somebody(&[("roles", "staff")]);
            other["auth_typ"] = json!(provider);
            assert_eq!(read(&other, &auth), Err(StatusCode::UNAUTHORIZED), "{provider}");
        }
        let foreign = header(&[("oid", OID), (LONG_TID, FOREIGN), ("roles", "staff")]);
        let nowhere = header(&[("oid", OID), ("roles", "staff")]);
        let both = somebody(&[("tid", FOREIGN), ("roles", "staff")]);
        let odd = header(&[("oid", OID), ("tid", "common"), ("roles", "staff")]);
        let two_people = somebody(&[("oid", FOREIGN), ("roles", "staff")]);
        for refused in [foreign, nowhere, both, odd, two_people] {
            assert_eq!(read(&refused, &auth), Err(StatusCode::UNAUTHORIZED), "{refused}");
        }
        let mut nameless = somebody(&[("roles", "staff")]);
        nameless.as_object_mut().unwrap().remove("auth_typ");
        assert_eq!(read(&nameless, &auth), Err(StatusCode::UNAUTHORIZED));
        let nobody = AuthMode::EasyAuth(std::sync::Arc::default());
        assert_eq!(read(&somebody(&[]), &nobody), Err(StatusCode::UNAUTHORIZED));
    }

    #[test]
    fn an_issuer_is_the_tenants_and_an_audience_is_one_of_ours() {
        let issued = |issuer: &str| read(&somebody(&[("iss", issuer), ("roles", "staff")]), &admitted(&[]));
        let of = |host: &str, tenant: &str, rest: &str| issued(&format!("https://{host}/{tenant}{rest}"));
        assert_eq!(of("login.microsoftonline.com", TENANT_ID, "/v2.0"), staff());
        assert_eq!(of("sts.windows.net", TENANT_ID, "/"), staff());
        for issuer in [
            format!("https://login.microsoftonline.com/{FOREIGN}/v2.0"),
            format!("http://login.microsoftonline.com/{TENANT_ID}/v2.0"),
            "https://accounts.google.com".to_owned(),
            TENANT_ID.to_owned(),
            String::new(),
        ] {
            assert_eq!(issued(&issuer), Err(StatusCode::UNAUTHORIZED), "{issuer}");
        }
        let meant = |claims: &[(&str, &str)]| read(&somebody(claims), &admitted(&["api://orders"]));
        assert!(meant(&[("aud", "api://orders")]).is_ok());
        for claims in [
            &[][..],
            &[("aud", "api://other")],
            &[("aud", "api://orders"), ("aud", "b")],
        ] {
            assert_eq!(meant(claims), Err(StatusCode::UNAUTHORIZED), "{claims:?}");
        }
    }

    #[test]
    fn an_array_is_no_principal_and_no_claim() {
        let mut positional = somebody(&[]);
        positional["claims"] = json!([["oid", OID], ["tid", TENANT_ID], ["roles", "staff"]]);
        let whole = json!(["aad", somebody(&[("roles", "staff")])["claims"]]);
        for refused in [positional, whole] {
            let status = read(&refused, &admitted(&[]));
            assert_eq!(status, Err(StatusCode::UNAUTHORIZED), "{refused}");
        }
    }

    #[test]
    fn without_roles_one_is_a_customer_and_with_unknown_ones_alone_nobody() {
        let with = |roles: &[&str]| {
            let claims: Vec<_> = roles.iter().map(|role| ("roles", *role)).collect();
            read(&somebody(&claims), &admitted(&[]))
        };
        assert_eq!(with(&[]), Ok([Role::Customer].into()));
        assert_eq!(with(&["staff", "auditor"]), staff());
        for unknown in ["auditor", "Staff", "", "staff ", "admin"] {
            assert_eq!(with(&[unknown]), Err(StatusCode::FORBIDDEN), "{unknown}");
        }
    }
}
