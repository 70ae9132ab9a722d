//! What a process proves itself with: an identity (`AZURE_CLIENT_ID`), or keys and passwords (`ALLOW_KEYS`).
//! Never lets a key into Azure unasked: an identity needs no secret there.

use std::collections::BTreeMap;

use super::{
    auth,
    error::{ConfigError, invalid},
};
use crate::identity::Identity;

type Environment = BTreeMap<String, String>;

const CLIENT_ID: &str = "AZURE_CLIENT_ID";
const ALLOWED: &str = "ALLOW_KEYS";
/// Each holds a secret.
const SECRETS: [&str; 3] = ["PGPASSWORD", "ServiceBusConnection", "COSMOS_KEY"];
/// Says that this is no developer's machine, and not that it is Azure.
const NOT_AZURE: &str = "KUBERNETES_SERVICE_HOST";

/// The identity that the platform gives to a process that serves.
pub(super) fn of_server(environment: &Environment) -> Identity {
    Identity::Managed(environment.get(CLIENT_ID).cloned())
}

/// A tool's: whoever has signed in at a person's machine, and on the platform the same as the app's.
pub(super) fn of_tool(environment: &Environment) -> Identity {
    if environment.contains_key("IDENTITY_ENDPOINT") {
        of_server(environment)
    } else {
        Identity::SignedIn
    }
}

/// Refuses secrets where App Service says that this is Azure, unless somebody has allowed them.
pub(super) fn check(environment: &Environment) -> Result<(), ConfigError> {
    let is_allowed = match environment.get(ALLOWED).map(String::as_str) {
        None => false,
        Some("true") => true,
        Some(_) => return Err(invalid(ALLOWED, "is not true; to keep keys out, leave it away")),
    };
    let platform = auth::platform(environment).filter(|name| *name != NOT_AZURE);
    let secret = SECRETS.iter().find(|name| environment.contains_key(**name));
    match (platform, secret) {
        (Some(platform), Some(secret)) if !is_allowed => {
            let why = format!(
                "holds a secret, and {platform} says that this is Azure, where an identity needs none; ALLOW_KEYS=true allows it"
            );
            Err(invalid(secret, &why))
        }
        _ => Ok(()),
    }
}

/// Refuses a setting of the host that names another identity than the handler has: there is one for each process.
pub(super) fn check_client_id(environment: &Environment, name: &str) -> Result<(), ConfigError> {
    let hosts = environment.get(name);
    if hosts.is_some() && hosts != environment.get(CLIENT_ID) {
        return Err(invalid(
            name,
            "is not AZURE_CLIENT_ID: host and handler have one identity",
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(pairs: &[(&str, &str)]) -> Result<(), String> {
        let pairs = pairs
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        check(&pairs.collect()).map_err(|error| error.to_string())
    }

    #[test]
    fn secrets_are_refused_in_azure_unless_somebody_allows_them() {
        let site = ("WEBSITE_SITE_NAME", "orders");
        for secret in SECRETS {
            assert!(checked(&[(secret, "s")]).is_ok(), "{secret}");
            assert!(checked(&[("KUBERNETES_SERVICE_HOST", "10.0.0.1"), (secret, "s")]).is_ok());
            assert!(checked(&[site, (secret, "s"), (ALLOWED, "true")]).is_ok());
            let error = checked(&[site, (secret, "s")]).unwrap_err();
            assert!(
                error.contains(secret) && error.contains("WEBSITE_SITE_NAME"),
                "{error}"
            );
        }
        assert!(checked(&[site]).is_ok());
        for value in ["false", "True", "1", ""] {
            let error = checked(&[(ALLOWED, value)]).unwrap_err();
            assert!(error.contains(ALLOWED), "{error}");
        }
    }

    #[test]
    fn a_tool_at_a_persons_machine_has_that_persons_identity() {
        let mut environment = Environment::from([(CLIENT_ID.to_owned(), "id".to_owned())]);
        let managed = Identity::Managed(Some("id".to_owned()));
        assert_eq!(of_server(&environment), managed);
        assert_eq!(of_tool(&environment), Identity::SignedIn);
        environment.insert("IDENTITY_ENDPOINT".to_owned(), "http://127.0.0.1:1/".to_owned());
        assert_eq!(of_tool(&environment), managed);
    }
}
