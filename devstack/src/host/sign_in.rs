//! Plays App Service authentication: tells the handler in headers who is signed in, and lets that change.
//! It never lets a caller say so: what he sent under these names is taken away first.

use std::sync::{Arc, Mutex, PoisonError};

use base64::{Engine, engine::general_purpose::STANDARD};
use hyper::{HeaderMap, header::HeaderValue};
use serde_json::{Value, json};

use super::user::User;

/// Every header of the platform about the caller starts with this.
const PRINCIPAL: &str = "x-ms-client-principal";
/// The names that the default mapping of App Service gives to the token's `email` and `oid`.
const EMAIL: &str = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/emailaddress";
const OBJECT_ID: &str = "http://schemas.microsoft.com/identity/claims/objectidentifier";
/// App roles keep the name they have in the token.
const ROLES: &str = "roles";

/// Who is signed in at the host; clones see the same user.
#[derive(Clone, Debug, Default)]
pub struct SignIn(Arc<Mutex<Option<User>>>);

impl SignIn {
    /// Signs this user in from the next request on, or whoever was there out.
    pub fn set(&self, user: Option<User>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = user;
    }

    /// Puts the user's headers in the place of those that the caller sent; nobody has none.
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

/// Microsoft: "Work with user identities in Azure App Service authentication".
fn principal(user: &User, name: &str) -> Value {
    let mut claims = vec![
        json!({ "typ": EMAIL, "val": name }),
        json!({ "typ": OBJECT_ID, "val": user.id }),
    ];
    // A claim for each value: that is how App Service writes a list.
    let roles = user.roles.iter().map(|role| role.name());
    claims.extend(roles.map(|role| json!({ "typ": ROLES, "val": role })));
    json!({ "auth_typ": "aad", "name_typ": EMAIL, "role_typ": ROLES, "claims": claims })
}
