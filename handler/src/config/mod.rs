//! Reads every setting once, at the start, into one value.
//! Never reads one again, and never guesses: half a group of settings is refused by the name of the missing one.

mod auth;
mod bus;
mod cosmos;
mod credentials;
mod error;
mod group;
mod part_settings;
mod parts;
mod postgres;
mod read_model;

use std::collections::BTreeMap;

pub use auth::{AuthMode, SignInPolicy};
pub use error::ConfigError;
use error::invalid;
use part_settings::SettingsGroup;
pub use parts::{Part, ServedParts};
pub use read_model::ReadModelKind;
use read_model::read_model;

use crate::{
    bus::{SubscriptionName, TopicAddress},
    identity::Identity,
    postgres::{PoolerMode, PostgresTarget},
    read::CosmosAccount,
};

/// All settings of the process.
#[derive(Debug, Clone)]
pub struct Config {
    /// Port on 127.0.0.1 (`FUNCTIONS_CUSTOMHANDLER_PORT`).
    pub port: u16,
    /// `PGHOST`, `PGPORT`, `PGUSER`, `PGPASSWORD`, `PGDATABASE`, `PGSSLMODE`, `PGSSLROOTCERT`; `None` when the whole group is absent.
    pub postgres: Option<PostgresTarget>,
    /// `PG_POOLER`: nothing (default), or `transaction` for a pooler such as PgBouncer in that mode.
    pub pooler: PoolerMode,
    /// `ServiceBusConnection`, or `ServiceBusConnection__fullyQualifiedNamespace` for an identity, and `ServiceBusTopic`; `None` when this process does not send.
    pub bus: Option<TopicAddress>,
    /// `ServiceBusSubscription`: whose messages the projector gets; `read-model` (default).
    pub subscription: SubscriptionName,
    /// `READ_MODEL`: `cosmos` (default) or `postgres`, which needs the PG settings and has no COSMOS settings beside it.
    pub read_model: ReadModelKind,
    /// `OUTBOX`: `keep` (default), or `forget` what waits in it for a day: for a deployment without a bus.
    pub forgets_outbox: bool,
    /// `COSMOS_ENDPOINT`, `COSMOS_KEY`, `COSMOS_DATABASE`, without a key by an identity; `None` when this process has
    /// no documents.
    pub cosmos: Option<CosmosAccount>,
    /// `PARTS`: the parts of the system that this process serves; all (default) as far as there are settings for them.
    pub parts: ServedParts,
    /// Names of settings that are there and that its parts have no use for.
    pub unused: Vec<String>,
}

impl Config {
    /// The settings of a process that serves. Its parts get the settings that they use: what else is there is not even read.
    ///
    /// # Errors
    /// Also for a setting that is missing and that a part needs which `PARTS` names.
    pub fn to_serve(environment: &BTreeMap<String, String>) -> Result<Self, ConfigError> {
        let parts = ServedParts::from_environment(environment)?;
        let read_model = read_model(environment)?;
        part_settings::check_projector(&parts, read_model)?;
        let (used, unused) = part_settings::divide(environment, &parts, read_model);
        let config = Self {
            parts,
            unused,
            ..Self::read(&used, &credentials::of_server(&used))?
        };
        let tables = read_model == ReadModelKind::Postgres;
        let groups = [
            (SettingsGroup::Postgres, config.postgres.is_some()),
            (SettingsGroup::Bus, config.bus.is_some() || config.forgets_outbox),
            (SettingsGroup::Cosmos, config.cosmos.is_some() || tables),
        ];
        part_settings::check(&config.parts, read_model, groups)?;
        Ok(config)
    }

    /// The settings out of `environment`, for a tool in a terminal: it is no part, and does what it has settings for.
    ///
    /// # Errors
    /// [`ConfigError`] for the first setting that is wrong or missing from a group that was begun.
    pub fn from_environment(environment: &BTreeMap<String, String>) -> Result<Self, ConfigError> {
        Self::read(environment, &credentials::of_tool(environment))
    }

    fn read(environment: &BTreeMap<String, String>, identity: &Identity) -> Result<Self, ConfigError> {
        credentials::check(environment)?;
        let port = match environment.get("FUNCTIONS_CUSTOMHANDLER_PORT") {
            None => 8080,
            Some(text) => text
                .parse()
                .map_err(|_| invalid("FUNCTIONS_CUSTOMHANDLER_PORT", "is not a port number"))?,
        };
        Ok(Self {
            port,
            postgres: postgres::postgres(environment, identity)?,
            pooler: postgres::pooler(environment)?,
            read_model: read_model(environment)?,
            forgets_outbox: forgets_outbox(environment)?,
            bus: bus::bus(environment, identity)?,
            subscription: bus::subscription(environment)?,
            cosmos: cosmos::cosmos(environment, identity)?,
            parts: ServedParts::Unsaid,
            unused: Vec::new(),
        })
    }
}

/// Refuses to forget events where documents are projected: they would lack them for ever.
fn forgets_outbox(environment: &BTreeMap<String, String>) -> Result<bool, ConfigError> {
    match environment.get("OUTBOX").map_or("keep", String::as_str) {
        "keep" => Ok(false),
        "forget" if bus::is_there(environment) => Err(invalid(
            "OUTBOX",
            "is forget, and ServiceBusConnection says that there is a bus",
        )),
        "forget" if read_model(environment)? == ReadModelKind::Cosmos => {
            Err(invalid("OUTBOX", "is forget, and READ_MODEL is not postgres"))
        }
        "forget" => Ok(true),
        _ => Err(invalid("OUTBOX", "is neither keep nor forget")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: &[(&str, &str)]) -> Result<Config, String> {
        let environment = pairs
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
            .collect();
        Config::from_environment(&environment).map_err(|error| error.to_string())
    }

    #[test]
    fn nothing_set_means_no_database() {
        assert!(read(&[]).unwrap().postgres.is_none());
    }

    #[test]
    fn half_a_group_is_refused_by_the_name_of_what_is_missing() {
        let error = read(&[("PGHOST", "localhost"), ("PGUSER", "app")]).unwrap_err();
        assert!(error.contains("PGDATABASE"), "{error}");
    }

    #[test]
    fn every_group_stands_alone_and_must_be_whole() {
        let bus = "Endpoint=sb://h;SharedAccessKeyName=n;SharedAccessKey=k;UseDevelopmentEmulator=true";
        let config = read(&[("ServiceBusConnection", bus), ("ServiceBusTopic", "t")]).unwrap();
        assert!(config.bus.is_some() && config.cosmos.is_none());
        let error = read(&[("ServiceBusConnection", bus)]).unwrap_err();
        assert!(error.contains("ServiceBusTopic"), "{error}");
        let error = read(&[("COSMOS_ENDPOINT", "http://127.0.0.1:1/"), ("COSMOS_KEY", "k")]).unwrap_err();
        assert!(error.contains("COSMOS_DATABASE"), "{error}");
    }

    #[test]
    fn there_is_one_read_model_and_postgres_needs_its_settings() {
        let postgres = [("PGHOST", "h"), ("PGUSER", "u"), ("PGDATABASE", "d")];
        let with = |more: &[(&str, &str)]| read(&[&postgres, more].concat());
        assert_eq!(with(&[]).unwrap().read_model, ReadModelKind::Cosmos);
        let chosen = ("READ_MODEL", "postgres");
        let config = with(&[chosen]).unwrap();
        assert_eq!(
            (config.read_model, config.forgets_outbox),
            (ReadModelKind::Postgres, false)
        );
        assert!(with(&[chosen, ("OUTBOX", "forget")]).unwrap().forgets_outbox);
        for (error, named) in [
            (read(&[chosen]), "PGHOST"),
            (with(&[chosen, ("COSMOS_KEY", "k")]), "COSMOS_KEY"),
            (with(&[("READ_MODEL", "sqlite")]), "READ_MODEL"),
            (with(&[("READ_MODEL", "")]), "READ_MODEL"),
            (with(&[("OUTBOX", "forget")]), "OUTBOX"),
            (with(&[chosen, ("OUTBOX", "none")]), "OUTBOX"),
            (
                with(&[chosen, ("OUTBOX", "forget"), ("ServiceBusConnection", "x")]),
                "OUTBOX",
            ),
        ] {
            let error = error.unwrap_err();
            assert!(error.contains(named), "{error}");
        }
    }
}
