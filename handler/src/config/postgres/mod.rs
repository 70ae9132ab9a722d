//! The way to PostgreSQL: the variables of its own client library, libpq, as far as they are kept.
//! Never ignores one that it does not keep: a variable of that form is refused by name
//! (PostgreSQL: "libpq, Environment Variables").

mod tls;

use std::{collections::BTreeMap, time::Duration};

use super::error::{ConfigError, invalid};
use crate::{
    identity::{Identity, TokenAudience},
    postgres::{PoolerMode, PostgresTarget},
};

const POOLER: &str = "PG_POOLER";
const AUTH: &str = "PG_AUTH";
const LIFETIME: &str = "PG_CONNECTION_LIFETIME";
/// Kept as they are.
const KEPT: [&str; 8] = [
    "PGHOST",
    "PGPORT",
    "PGUSER",
    "PGPASSWORD",
    "PGDATABASE",
    "PGAPPNAME",
    "PGSSLMODE",
    "PGSSLROOTCERT",
];
/// Kept at these values, which are what is done anyway. There is no GSSAPI: what would try it first is refused.
const KEPT_AT: [(&str, &[&str]); 3] = [
    ("PGGSSENCMODE", &["disable"]),
    ("PGCHANNELBINDING", &["disable", "prefer"]),
    ("PGCLIENTENCODING", &["UTF8", "utf8", "UTF-8", "utf-8"]),
];
/// Of the server, not of its clients.
const NOT_OF_CLIENTS: [&str; 1] = ["PGDATA"];

type Environment = BTreeMap<String, String>;

/// True for a setting by which a process is taken to have a database.
pub(super) fn is_setting(name: &str) -> bool {
    KEPT.contains(&name) || [POOLER, AUTH, LIFETIME].contains(&name)
}

/// The database's address and credentials; `None` when no setting names one.
pub(super) fn postgres(
    environment: &Environment,
    identity: &Identity,
) -> Result<Option<PostgresTarget>, ConfigError> {
    if !environment.keys().any(|name| is_setting(name)) {
        return Ok(None);
    }
    environment
        .iter()
        .try_for_each(|(name, value)| known(name, value))?;
    let needed = |name: &str| match environment.get(name).map(String::as_str) {
        None => Err(invalid(name, "is missing; other PG settings are there")),
        Some("") => Err(invalid(name, "is empty")),
        Some(value) => Ok(value),
    };
    let host = needed("PGHOST")?;
    if host.contains(',') {
        return Err(invalid("PGHOST", "names more than one host, and one is kept"));
    }
    let mut config = tokio_postgres::Config::new();
    config
        .host(host)
        .user(needed("PGUSER")?)
        .dbname(needed("PGDATABASE")?)
        .application_name(environment.get("PGAPPNAME").map_or("handler", String::as_str))
        .keepalives_idle(Duration::from_secs(30))
        .connect_timeout(Duration::from_secs(2));
    if let Some(text) = environment.get("PGPORT") {
        match text.parse() {
            Ok(port) if port > 0 => config.port(port),
            _ => return Err(invalid("PGPORT", "is not a port number")),
        };
    }
    if let Some(password) = environment.get("PGPASSWORD") {
        config.password(password);
    }
    let target = match tls::tls(environment, host)? {
        None => PostgresTarget::in_plain_text(config),
        Some(tls) => PostgresTarget::by_tls(config, tls),
    };
    let target = match lifetime(environment)? {
        Some(lifetime) => target.with_lifetime(lifetime),
        None => target,
    };
    authenticated(environment, identity, target).map(Some)
}

/// By a password, if there is one, or by an identity's tokens.
fn authenticated(
    environment: &Environment,
    identity: &Identity,
    target: PostgresTarget,
) -> Result<PostgresTarget, ConfigError> {
    match environment.get(AUTH).map_or("password", String::as_str) {
        "password" => Ok(target),
        "entra" if environment.contains_key("PGPASSWORD") => Err(invalid(
            "PGPASSWORD",
            "is there, and PG_AUTH is entra, which has tokens for passwords",
        )),
        "entra" if !tls::is_verified(environment) => Err(invalid(
            tls::MODE,
            "is not verify-full, and PG_AUTH is entra: any server could use the token",
        )),
        "entra" => {
            let tokens = identity.tokens(TokenAudience::Postgres);
            let tokens = tokens.map_err(|error| invalid(AUTH, &error.to_string()))?;
            Ok(target.with_tokens(tokens))
        }
        _ => Err(invalid(AUTH, "is neither entra nor password")),
    }
}

/// `PG_CONNECTION_LIFETIME`, in seconds.
fn lifetime(environment: &Environment) -> Result<Option<Duration>, ConfigError> {
    let Some(text) = environment.get(LIFETIME) else {
        return Ok(None);
    };
    match text.parse() {
        Ok(seconds @ 1..=86_400) => Ok(Some(Duration::from_secs(seconds))),
        _ => Err(invalid(LIFETIME, "is not a number of seconds from 1 to 86400")),
    }
}

/// Passes what is kept, and what is no variable of libpq or has no value.
fn known(name: &str, value: &str) -> Result<(), ConfigError> {
    let word = |rest: &str| {
        !rest.starts_with('_') && rest.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_')
    };
    let of_libpq = name.strip_prefix("PG").is_some_and(word);
    if !of_libpq || value.is_empty() || KEPT.contains(&name) || NOT_OF_CLIENTS.contains(&name) {
        return Ok(());
    }
    match KEPT_AT.iter().find(|(kept, _)| *kept == name) {
        Some((_, values)) if values.contains(&value) => Ok(()),
        Some((_, values)) => {
            let why = format!(
                "is kept as {} only: there is no GSSAPI, channel binding or other encoding",
                values.join(" or ")
            );
            Err(invalid(name, &why))
        }
        None => Err(invalid(
            name,
            "is a setting of libpq that is not kept here: leave it away",
        )),
    }
}

/// The pooler before the server, if there is one.
pub(super) fn pooler(environment: &Environment) -> Result<PoolerMode, ConfigError> {
    match environment.get(POOLER).map(String::as_str) {
        None => Ok(PoolerMode::None),
        Some("transaction") => Ok(PoolerMode::Transaction),
        Some(_) => Err(invalid(
            POOLER,
            "is not transaction; without a pooler, leave it away",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHOLE: [(&str, &str); 3] = [("PGHOST", "h"), ("PGUSER", "u"), ("PGDATABASE", "d")];

    fn read(pairs: &[(&str, &str)]) -> Result<Option<PostgresTarget>, String> {
        let pairs = pairs
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let environment = pairs.collect();
        pooler(&environment)
            .and_then(|_| postgres(&environment, &Identity::SignedIn))
            .map_err(|error| error.to_string())
    }

    fn with(more: &[(&str, &str)]) -> Result<Option<PostgresTarget>, String> {
        read(&[&WHOLE, more].concat())
    }

    #[test]
    fn a_setting_of_libpq_is_kept_or_refused_by_its_name() {
        for kept in [
            ("PGSSLMODE", "require"),
            ("PGSSLMODE", "verify-full"),
            ("PGSSLROOTCERT", "system"),
            ("PGGSSENCMODE", "disable"),
            ("PGCLIENTENCODING", "UTF8"),
            ("PGAPPNAME", "orders"),
            ("PGDATA", "/var/lib/postgresql"),
            ("PG_BIN", "/usr/bin"),
            ("PGTZ", ""),
        ] {
            assert!(with(&[kept]).unwrap().is_some(), "{kept:?}");
        }
        for (name, value) in [
            ("PGSSLMODE", "disable"),
            ("PGSSLMODE", "allow"),
            ("PGSSLMODE", "verify-ca"),
            ("PGSSLMODE", "prefer"),
            ("PGSSLMODE", "required"),
            ("PGSLLMODE", "require"),
            ("PGREQUIRESSL", "1"),
            ("PGSSLROOTCERT", "/does/not/exist"),
            ("PGSSLCERT", "/c"),
            ("PGSSLMINPROTOCOLVERSION", "TLSv1.3"),
            ("PGGSSENCMODE", "require"),
            ("PGCHANNELBINDING", "require"),
            ("PGREQUIREAUTH", "scram-sha-256"),
            ("PGREQUIREPEER", "postgres"),
            ("PGHOSTADDR", "10.0.0.1"),
            ("PGPASSFILE", "/p"),
            ("PGSERVICE", "s"),
            ("PGOPTIONS", "-c search_path=x"),
            ("PGTZ", "America/New_York"),
            ("PGDATESTYLE", "German"),
            ("PGCLIENTENCODING", "LATIN1"),
            ("PGTARGETSESSIONATTRS", "standby"),
            ("PGCONNECT_TIMEOUT", "60"),
            ("PGHOST", "a,b"),
            ("PGHOST", ""),
            ("PGUSER", ""),
            ("PGPORT", "0"),
            ("PGPORT", "5432,5433"),
        ] {
            let pairs: Vec<_> = WHOLE
                .into_iter()
                .filter(|(known, _)| *known != name)
                .chain([(name, value)])
                .collect();
            let error = read(&pairs).unwrap_err();
            assert!(error.contains(name), "{name}: {error}");
        }
    }

    #[test]
    fn an_identity_has_no_password_and_speaks_to_verified_servers_only() {
        let entra = (AUTH, "entra");
        assert!(with(&[entra]).unwrap().is_some());
        assert!(with(&[entra, ("PGSSLMODE", "verify-full")]).unwrap().is_some());
        for (more, named) in [
            (&[entra, ("PGPASSWORD", "p")][..], "PGPASSWORD"),
            (&[entra, ("PGSSLMODE", "require")], "PGSSLMODE"),
            (&[(AUTH, "Entra")], AUTH),
            (&[(AUTH, "")], AUTH),
            (&[(LIFETIME, "0")], LIFETIME),
            (&[(LIFETIME, "1h")], LIFETIME),
        ] {
            let error = with(more).unwrap_err();
            assert!(error.contains(named), "{more:?}: {error}");
        }
        let here = [("PGHOST", "localhost"), ("PGUSER", "u"), ("PGDATABASE", "d")];
        let error = read(&[&here, &[entra, ("PGSSLMODE", "disable")][..]].concat()).unwrap_err();
        assert!(error.contains("PGSSLMODE"), "{error}");
    }

    #[test]
    fn a_setting_that_asks_for_security_is_not_ignored_where_the_others_are_missing() {
        let error = read(&[("PGSSLMODE", "require")]).unwrap_err();
        assert!(error.contains("PGHOST"), "{error}");
    }

    #[test]
    fn a_pooler_is_one_that_pools_transactions_and_needs_the_other_settings() {
        let pooler = |value: Option<&str>| {
            let environment = value.map(|value| (POOLER.to_owned(), value.to_owned()));
            pooler(&environment.into_iter().collect())
        };
        assert_eq!(pooler(None), Ok(PoolerMode::None));
        assert_eq!(pooler(Some("transaction")), Ok(PoolerMode::Transaction));
        for value in ["session", "none", ""] {
            let error = pooler(Some(value)).unwrap_err().to_string();
            assert!(error.contains(POOLER), "{error}");
        }
        let error = read(&[(POOLER, "transaction")]).unwrap_err();
        assert!(error.contains("PGHOST"), "{error}");
    }
}
