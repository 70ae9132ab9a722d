//! Clients who are signed in, as the platform tells the handler.
//! Never signs: that header is the platform's word.

use base64::{Engine, engine::general_purpose::STANDARD};
use devstack::host::sign_in::TENANT;
use serde_json::{Value, json};
use uuid::Uuid;

use super::Client;

const PRINCIPAL: &str = "x-ms-client-principal";

impl Client {
    /// A customer, whose roles are none.
    pub(crate) fn as_customer(&self, id: &str) -> Self {
        self.as_principal(&principal(id, &[]))
    }

    /// Somebody with this role.
    pub(crate) fn as_role(&self, role: &str) -> Self {
        self.as_principal(&principal(&Uuid::now_v7().to_string(), &[role]))
    }

    /// The header as it is.
    pub(crate) fn as_principal(&self, header: &str) -> Self {
        self.with(PRINCIPAL, header)
    }
}

/// `X-MS-CLIENT-PRINCIPAL` of somebody with these roles.
pub(crate) fn principal(oid: &str, roles: &[&str]) -> String {
    STANDARD.encode(claims(oid, roles).to_string())
}

/// The same before it is encoded.
pub(crate) fn claims(oid: &str, roles: &[&str]) -> Value {
    let claim = |typ: &str, val: &str| json!({ "typ": typ, "val": val });
    let mut claims = vec![
        claim(
            "http://schemas.microsoft.com/identity/claims/objectidentifier",
            oid,
        ),
        claim("http://schemas.microsoft.com/identity/claims/tenantid", TENANT),
    ];
    claims.extend(roles.iter().map(|role| claim("roles", role)));
    json!({ "auth_typ": "aad", "name_typ": "name", "role_typ": "roles", "claims": claims })
}
