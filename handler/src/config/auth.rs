//! Settings of sign-in: the source of callers, and the tenants and audiences that may sign in.
//! Never assumes what the platform enforces: a setting that is missing or unknown is refused by name.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use uuid::Uuid;

use super::error::{ConfigError, invalid};
use crate::tls::is_loopback;

/// The source of a request's caller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AuthMode {
    /// App Service authentication puts the caller in `X-MS-CLIENT-PRINCIPAL`.
    EasyAuth(Arc<SignInPolicy>),
    /// One fixed staff principal; for a developer's machine only.
    Development,
}

/// Whom App Service authentication may have signed in.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct SignInPolicy {
    /// `AUTH_TENANTS`: the Entra tenants whose users may call; without any, no user may.
    pub tenants: BTreeSet<Uuid>,
    /// `AUTH_AUDIENCES`: what a token must be made out to; without any, the platform's own check is all there is.
    pub audiences: BTreeSet<String>,
}

/// Any of these says that this is no developer's machine: App Service in all its plans (in Flex Consumption the SKU, the pod and
/// `LEGION_SERVICE_HOST`), Container Apps, Functions on them, and Kubernetes. docs/adr/0017 has the sources. (`CONTAINER_NAME`
/// would be one too, but other places set it as well.)
const PLATFORMS: [&str; 15] = [
    "WEBSITE_AUTH_ENABLED",
    "WEBSITE_HOME_STAMPNAME",
    "WEBSITE_INSTANCE_ID",
    "WEBSITE_OWNER_NAME",
    "WEBSITE_POD_NAME",
    "WEBSITE_RESOURCE_GROUP",
    "WEBSITE_SITE_NAME",
    "WEBSITE_SKU",
    "WEBSITE_STAMP_DEPLOYMENT_ID",
    "LEGION_SERVICE_HOST",
    "CONTAINER_APP_ENV_DNS_SUFFIX",
    "CONTAINER_APP_NAME",
    "CONTAINER_APP_REVISION",
    "MANAGED_ENVIRONMENT",
    "KUBERNETES_SERVICE_HOST",
];

const HOSTNAME: &str = "WEBSITE_HOSTNAME";
const ENABLED: &str = "WEBSITE_AUTH_ENABLED";
const ENFORCED: &str = "AUTH_ENFORCED_BY_PLATFORM";
const TENANTS: &str = "AUTH_TENANTS";
const AUDIENCES: &str = "AUTH_AUDIENCES";
const ENVIRONMENT: &str = "AZURE_FUNCTIONS_ENVIRONMENT";

type Environment = BTreeMap<String, String>;

impl AuthMode {
    /// The settings out of `environment`. Only who serves needs them: a tool in a terminal has no callers.
    ///
    /// # Errors
    /// [`ConfigError`] for a setting with which anybody could say who they are.
    pub fn from_environment(environment: &Environment) -> Result<Self, ConfigError> {
        match environment.get("AUTH").map_or("easyauth", String::as_str) {
            "easyauth" => Ok(Self::EasyAuth(Arc::new(policy(environment)?))),
            "development" => development(environment),
            _ => Err(invalid("AUTH", "is neither easyauth nor development")),
        }
    }
}

/// Everybody may do everything, so all signs must say that this is a developer's machine, and none may say another thing.
fn development(environment: &Environment) -> Result<AuthMode, ConfigError> {
    let refused = |why: &str| {
        let why = format!("is development, which lets everybody in, and {why}");
        Err(invalid("AUTH", &why))
    };
    if environment.get(ENVIRONMENT).map(String::as_str) != Some("Development") {
        return refused("AZURE_FUNCTIONS_ENVIRONMENT is not Development, as it is under `func start`");
    }
    match platform(environment) {
        Some(name) => refused(&format!("{name} says that this is no developer's machine")),
        None => Ok(AuthMode::Development),
    }
}

/// Refuses to start where the platform leaves the header to callers: any caller could write it.
fn policy(environment: &Environment) -> Result<SignInPolicy, ConfigError> {
    let is_enforced = is_enforced(environment)?;
    let tenants = list(environment, TENANTS, |text| text.parse().ok())?;
    let audiences = list(environment, AUDIENCES, |text| Some(text.to_owned()))?;
    let Some(tenants) = tenants else {
        return match platform(environment) {
            Some(_) if !is_enforced => Err(nobody_enforces()),
            Some(name) => {
                let why = format!("is missing: {name} is there, and the tenants that may sign in are not");
                Err(invalid(TENANTS, &why))
            }
            None => Ok(SignInPolicy::default()),
        };
    };
    if !is_enforced {
        return Err(nobody_enforces());
    }
    Ok(SignInPolicy {
        tenants,
        audiences: audiences.unwrap_or_default(),
    })
}

/// By the platform's own word, or by the word of who has set it up.
fn is_enforced(environment: &Environment) -> Result<bool, ConfigError> {
    // .NET writes it as `True`, and the Functions host reads it in any case.
    let is_on = environment
        .get(ENABLED)
        .map(|text| text.eq_ignore_ascii_case("true"));
    if is_on == Some(false) {
        let why =
            "is not true: App Service authentication is off, and anybody could write X-MS-CLIENT-PRINCIPAL";
        return Err(invalid(ENABLED, why));
    }
    match environment.get(ENFORCED).map(String::as_str) {
        None => Ok(is_on.is_some()),
        Some("true") => Ok(true),
        Some(_) => Err(invalid(
            ENFORCED,
            "is not true; where the platform enforces nothing, leave it away",
        )),
    }
}

fn nobody_enforces() -> ConfigError {
    let why = "is missing: nothing says that the platform takes X-MS-CLIENT-PRINCIPAL away from callers. WEBSITE_AUTH_ENABLED=true \
               says so by itself; where the platform sets none, turn its authentication on, and then set this to true";
    invalid(ENFORCED, why)
}

/// The name of the first variable that says that this is no developer's machine.
pub(super) fn platform(environment: &Environment) -> Option<&'static str> {
    let is_there = |name: &&&str| environment.contains_key(**name);
    let hostname = environment.get(HOSTNAME).filter(|host| !is_of_loopback(host));
    let named = PLATFORMS.iter().find(is_there).copied();
    named.or_else(|| hostname.map(|_| HOSTNAME))
}

/// True for the host names, with or without a port, that only this machine can mean.
fn is_of_loopback(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.parse::<u16>().is_ok() && !name.ends_with(':') => name,
        _ => host,
    };
    let name = name.trim_start_matches('[').trim_end_matches(']');
    is_loopback(name)
}

/// Values with commas between them; `None` where there is no such setting.
fn list<T: Ord>(
    environment: &Environment,
    name: &str,
    read: impl Fn(&str) -> Option<T>,
) -> Result<Option<BTreeSet<T>>, ConfigError> {
    let Some(text) = environment.get(name) else {
        return Ok(None);
    };
    let read = |part: &str| match part.trim() {
        "" => Err(invalid(name, "has an empty value in it")),
        part => read(part).ok_or_else(|| invalid(name, "has a value in it that is no UUID")),
    };
    text.split(',').map(read).collect::<Result<_, _>>().map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TENANT: (&str, &str) = (TENANTS, "11111111-1111-4111-8111-111111111111");
    const LOCAL: (&str, &str) = (ENVIRONMENT, "Development");

    fn read(pairs: &[(&str, &str)]) -> Result<AuthMode, String> {
        let pairs = pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
        AuthMode::from_environment(&pairs.collect()).map_err(|error| error.to_string())
    }

    fn refused(pairs: &[(&str, &str)], named: &str) {
        let error = read(pairs).expect_err(&format!("{pairs:?}"));
        assert!(error.contains(named), "{pairs:?}: {error}");
    }

    fn tenants(auth: Result<AuthMode, String>) -> usize {
        match auth {
            Ok(AuthMode::EasyAuth(policy)) => policy.tenants.len(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn nothing_set_means_easyauth_and_nobody_who_may_sign_in() {
        assert_eq!(tenants(read(&[])), 0);
    }

    #[test]
    fn easyauth_starts_only_where_something_says_that_the_platform_enforces_it() {
        let on = (ENABLED, "True");
        let enforced = (ENFORCED, "true");
        for platform in PLATFORMS.iter().filter(|name| **name != ENABLED) {
            let platform = (*platform, "x");
            assert_eq!(tenants(read(&[platform, TENANT, on])), 1);
            assert_eq!(tenants(read(&[platform, TENANT, enforced])), 1);
            refused(&[platform, TENANT], ENFORCED);
            refused(&[platform], ENFORCED);
            refused(&[platform, on], TENANTS);
            refused(&[platform, enforced], TENANTS);
            refused(&[platform, TENANT, enforced, (ENABLED, "False")], ENABLED);
        }
        let azure = (HOSTNAME, "orders.azurewebsites.net");
        refused(&[azure, TENANT], ENFORCED);
        refused(&[azure, on], TENANTS);
        // Tenants are named for somebody's sake: then it must be said anywhere.
        refused(&[TENANT], ENFORCED);
        for value in ["false", "0", "", "yes"] {
            refused(&[(ENABLED, value)], ENABLED);
            refused(&[TENANT, (ENFORCED, value)], ENFORCED);
        }
    }

    #[test]
    fn tenants_and_audiences_are_lists_and_every_value_counts() {
        let with = |name, value| [(name, value), (ENABLED, "true"), TENANT];
        let two = "11111111-1111-4111-8111-111111111111, 22222222-2222-4222-8222-222222222222";
        assert_eq!(tenants(read(&[(TENANTS, two), (ENABLED, "true")])), 2);
        for bad in ["", "common", "11111111-1111-4111-8111-111111111111,", "*"] {
            refused(&[(TENANTS, bad), (ENABLED, "true")], TENANTS);
        }
        refused(&with(AUDIENCES, ""), AUDIENCES);
        let Ok(AuthMode::EasyAuth(policy)) = read(&with(AUDIENCES, "api://orders,b")) else {
            panic!("not admitted");
        };
        assert_eq!(
            policy.audiences,
            ["api://orders".to_owned(), "b".to_owned()].into()
        );
    }

    #[test]
    fn development_is_for_a_developers_machine_alone() {
        let development = ("AUTH", "development");
        assert_eq!(read(&[development, LOCAL]), Ok(AuthMode::Development));
        for host in [
            "localhost",
            "localhost:7071",
            "127.0.0.1:7071",
            "[::1]:7071",
            "::1",
            "127.0.0.2",
        ] {
            assert_eq!(
                read(&[development, LOCAL, (HOSTNAME, host)]),
                Ok(AuthMode::Development),
                "{host}"
            );
        }
        for host in [
            "orders.azurewebsites.net",
            "localhost.example",
            "10.0.0.4:7071",
            "",
            "::",
        ] {
            refused(&[development, LOCAL, (HOSTNAME, host)], HOSTNAME);
        }
        for environment in ["Production", "Staging", "development", ""] {
            refused(&[development, (ENVIRONMENT, environment)], ENVIRONMENT);
        }
        refused(&[development], ENVIRONMENT);
        for platform in PLATFORMS {
            refused(&[development, LOCAL, (platform, "x")], platform);
        }
        refused(&[("AUTH", "none"), LOCAL], "AUTH");
    }
}
