//! The store that answers queries: the setting `READ_MODEL`.
//! Never two in one process.

use std::collections::BTreeMap;

use super::{
    cosmos::COSMOS,
    error::{ConfigError, invalid},
};

/// The store that answers queries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum ReadModelKind {
    /// Documents in Cosmos DB, projected from the bus.
    Cosmos,
    /// The schema `read_model` of the database that commands write to.
    Postgres,
}

/// One process has one read model: settings for two would leave open which one is meant.
pub(super) fn read_model(environment: &BTreeMap<String, String>) -> Result<ReadModelKind, ConfigError> {
    match environment.get("READ_MODEL").map_or("cosmos", String::as_str) {
        "cosmos" => Ok(ReadModelKind::Cosmos),
        "postgres" => {
            if let Some(name) = COSMOS.iter().find(|name| environment.contains_key(**name)) {
                return Err(invalid(name, "has no use: READ_MODEL is postgres"));
            }
            if !environment.contains_key("PGHOST") {
                return Err(invalid("PGHOST", "is missing; READ_MODEL is postgres"));
            }
            Ok(ReadModelKind::Postgres)
        }
        _ => Err(invalid("READ_MODEL", "is neither cosmos nor postgres")),
    }
}
