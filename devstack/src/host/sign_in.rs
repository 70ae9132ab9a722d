//! Plays App Service authentication: tells the handler in headers who is signed in, and lets that change.
//! It never lets callers say so themselves: what they sent under these names is taken away first.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{SystemTime, UNIX_EPOCH},
};

use base64::{Engine, engine::general_purpose::STANDARD};
use hyper::{HeaderMap, header::HeaderValue};
use serde_json::{Value, json};

use super::user::User;

/// Every header of the platform about the caller starts with this.
const PRINCIPAL: &str = "x-ms-client-principal";
/// The names that the default mapping of App Service gives to the token's `email`, `oid`, `sub` and `tid`.
const EMAIL: &str = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/emailaddress";
const OBJECT_ID: &str = "http://schemas.microsoft.com/identity/claims/objectidentifier";
const SUBJECT: &str = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/nameidentifier";
const TENANT_ID: &str = "http://schemas.microsoft.com/identity/claims/tenantid";
/// App roles keep the name that they have in the token, whatever `role_typ` says: the mapping leaves them out by default.
const ROLES: &str = "roles";
const ROLE_TYPE: &str = "http://schemas.microsoft.com/ws/2008/06/identity/claims/role";

/// The tenant of all users who sign in here, for `AUTH_TENANTS`.
pub const TENANT: &str = "de750000-0000-4000-8000-000000000001";
/// The app that tokens are made out to, for `AUTH_AUDIENCES`.
pub const AUDIENCE: &str = "de750000-0000-4000-8000-0000000000a9";
/// The lifetime of a token, in seconds.
const LIFETIME: u64 = 3_600;

/// The user who is signed in at the host; clones see the same one.
#[derive(Clone, Debug, Default)]
pub struct SignIn(Arc<Mutex<Option<User>>>);

impl SignIn {
    /// Signs this user in from the next request on; `None` signs the present one out.
    pub fn set(&self, user: Option<User>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = user;
    }

    /// Puts the user's headers in the place of those that the caller sent; without a user there are none.
    pub(crate) fn apply(&self, headers: &mut HeaderMap) -> Result<(), String> {
        let forged: Vec<_> = headers
            .keys()
            .filter(|name| name.as_str().starts_with(PRINCIPAL))
            .cloned()
            .collect();
        for name in forged {
            headers.remove(name);
        }
        let user = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let Some(user) = user else { return Ok(()) };
        let id = user.id.to_string();
        let name = format!("{id}@example.org");
        let principal = STANDARD.encode(principal(&user, &name).to_string());
        let value = |text: &str| {
            HeaderValue::from_str(text).map_err(|_| "the principal cannot be written as a header".to_owned())
        };
        headers.insert(PRINCIPAL, value(&principal)?);
        headers.insert("x-ms-client-principal-id", value(&id)?);
        headers.insert("x-ms-client-principal-name", value(&name)?);
        headers.insert("x-ms-client-principal-idp", HeaderValue::from_static("aad"));
        Ok(())
    }
}

/// The rest of a v2.0 token of Entra ID (Microsoft: "Work with user identities in Azure App Service authentication"). Every value
/// is text, and a list is a claim for each of its values.
fn principal(user: &User, name: &str) -> Value {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let now = now.map(|since| since.as_secs()).unwrap_or_default();
    let (id, issuer) = (
        user.id.to_string(),
        format!("https://login.microsoftonline.com/{TENANT}/v2.0"),
    );
    let (from, until) = (now.to_string(), (now + LIFETIME).to_string());
    let mut claims = vec![
        ("aud", AUDIENCE),
        ("iss", &issuer),
        ("iat", &from),
        ("nbf", &from),
        ("exp", &until),
        (EMAIL, name),
        ("name", name),
        (OBJECT_ID, &id),
        ("preferred_username", name),
    ];
    claims.extend(user.roles.iter().map(|role| (ROLES, role.name())));
    claims.extend([(SUBJECT, id.as_str()), (TENANT_ID, TENANT), ("ver", "2.0")]);
    let claims = claims.iter().map(|(typ, val)| json!({ "typ": typ, "val": val }));
    json!({ "auth_typ": "aad", "name_typ": EMAIL, "role_typ": ROLE_TYPE, "claims": claims.collect::<Vec<_>>() })
}
