//! The groups of settings that each part of the system uses, so that a process gets those of its parts and no others.
//! Never reads a value: only whether a setting is there.

use std::collections::BTreeMap;

use super::{
    bus,
    cosmos::COSMOS,
    error::{ConfigError, invalid},
    parts::{Part, ServedParts},
    postgres,
    read_model::ReadModelKind,
};

type Environment = BTreeMap<String, String>;

/// Settings that lead to one service.
#[derive(Debug, Clone, Copy)]
pub(super) enum SettingsGroup {
    Postgres,
    Bus,
    Cosmos,
}

impl SettingsGroup {
    const ALL: [Self; 3] = [Self::Postgres, Self::Bus, Self::Cosmos];

    /// The parts that use the service. Where they serve, its settings must be there.
    fn users(self, read_model: ReadModelKind) -> &'static [Part] {
        match (self, read_model) {
            (Self::Postgres, ReadModelKind::Cosmos) => &[Part::Command, Part::Operator],
            (Self::Postgres, ReadModelKind::Postgres) => &[Part::Command, Part::Query, Part::Operator],
            (Self::Bus, _) => &[Part::Command, Part::Projector, Part::Operator],
            (Self::Cosmos, ReadModelKind::Cosmos) => &[Part::Query, Part::Projector, Part::Operator],
            (Self::Cosmos, ReadModelKind::Postgres) => &[],
        }
    }

    fn has(self, name: &str) -> bool {
        match self {
            Self::Postgres => postgres::is_setting(name),
            Self::Bus => bus::is_setting(name),
            Self::Cosmos => COSMOS.contains(&name),
        }
    }

    /// The setting that is named where the group is missing.
    fn first(self) -> &'static str {
        match self {
            Self::Postgres => "PGHOST",
            Self::Bus => "ServiceBusConnection",
            Self::Cosmos => COSMOS[0],
        }
    }
}

/// The settings that these parts use, and the names of those that they leave aside.
pub(super) fn divide(
    environment: &Environment,
    parts: &ServedParts,
    read_model: ReadModelKind,
) -> (Environment, Vec<String>) {
    let is_used = |name: &str| {
        let group = SettingsGroup::ALL.into_iter().find(|group| group.has(name));
        group.is_none_or(|group| parts.has_any(group.users(read_model)))
    };
    let (used, unused): (Environment, Environment) = environment
        .clone()
        .into_iter()
        .partition(|(name, _)| is_used(name));
    (used, unused.into_keys().collect())
}

/// Refuses parts that `PARTS` names and that lack one of these groups: each with whether it is there, or not needed.
pub(super) fn check(
    parts: &ServedParts,
    read_model: ReadModelKind,
    groups: [(SettingsGroup, bool); 3],
) -> Result<(), ConfigError> {
    for (group, _) in groups.into_iter().filter(|(_, is_there)| !is_there) {
        if let Some(part) = parts.first_named(group.users(read_model)) {
            let why = format!("is missing; PARTS has {part}, which needs it");
            return Err(invalid(group.first(), &why));
        }
    }
    Ok(())
}

/// Refuses a projector where there is nothing to project.
pub(super) fn check_projector(parts: &ServedParts, read_model: ReadModelKind) -> Result<(), ConfigError> {
    let named = parts.first_named(&[Part::Projector]);
    if named.is_some() && read_model == ReadModelKind::Postgres {
        let why = "has projector, which has nothing to do: READ_MODEL is postgres";
        return Err(invalid("PARTS", why));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::config::Config;

    const POSTGRES: [(&str, &str); 3] = [("PGHOST", "h"), ("PGUSER", "u"), ("PGDATABASE", "d")];
    const BUS: [(&str, &str); 2] = [
        (
            "ServiceBusConnection",
            "Endpoint=sb://h;SharedAccessKeyName=n;SharedAccessKey=k;UseDevelopmentEmulator=true",
        ),
        ("ServiceBusTopic", "t"),
    ];
    const DOCUMENTS: [(&str, &str); 3] = [
        ("COSMOS_ENDPOINT", "http://127.0.0.1:1/"),
        ("COSMOS_KEY", "k"),
        ("COSMOS_DATABASE", "d"),
    ];

    fn serve(parts: &str, groups: &[&[(&str, &str)]]) -> Result<Config, String> {
        let pairs = groups.concat().into_iter().chain([("PARTS", parts)]);
        let environment = pairs.map(|(name, value)| (name.to_owned(), value.to_owned()));
        Config::to_serve(&environment.collect()).map_err(|error| error.to_string())
    }

    #[test]
    fn a_part_without_its_settings_is_refused_by_both_names() {
        for (parts, groups, setting) in [
            ("command", &[&BUS[..]][..], "PGHOST"),
            ("command", &[&POSTGRES], "ServiceBusConnection"),
            ("projector", &[&BUS], "COSMOS_ENDPOINT"),
            ("projector", &[&DOCUMENTS], "ServiceBusConnection"),
            ("query", &[&POSTGRES, &BUS], "COSMOS_ENDPOINT"),
            ("operator", &[&POSTGRES, &BUS], "COSMOS_ENDPOINT"),
            ("operator", &[&POSTGRES, &DOCUMENTS], "ServiceBusConnection"),
            ("operator", &[&BUS, &DOCUMENTS], "PGHOST"),
        ] {
            let error = serve(parts, groups).unwrap_err();
            assert!(
                error.contains(setting) && error.contains(parts),
                "{parts}: {error}"
            );
        }
    }

    #[test]
    fn a_part_has_the_services_of_its_own_and_no_others() {
        for (parts, postgres, bus, cosmos) in [
            ("command", true, true, false),
            ("query", false, false, true),
            ("projector", false, true, true),
            ("operator", true, true, true),
            ("query,command", true, true, true),
        ] {
            let config = serve(parts, &[&POSTGRES, &BUS, &DOCUMENTS]).unwrap();
            let has = (
                config.postgres.is_some(),
                config.bus.is_some(),
                config.cosmos.is_some(),
            );
            assert_eq!(has, (postgres, bus, cosmos), "{parts}");
            assert_eq!(config.unused.is_empty(), has == (true, true, true), "{parts}");
        }
    }

    #[test]
    fn what_is_not_used_is_named_and_may_be_wrong() {
        let half = [
            ("PGHOST", "h"),
            ("PGSSLMODE", "require"),
            ("ServiceBusTopic", "t"),
        ];
        let config = serve("query", &[&half, &DOCUMENTS]).unwrap();
        assert_eq!(config.unused, ["PGHOST", "PGSSLMODE", "ServiceBusTopic"]);
    }

    #[test]
    fn with_tables_queries_need_postgresql_and_nothing_is_projected() {
        let tables = [("READ_MODEL", "postgres")];
        let forgetting = [("OUTBOX", "forget")];
        let query = serve("query", &[&POSTGRES, &BUS, &tables]).unwrap();
        assert!(query.postgres.is_some() && query.bus.is_none());
        for parts in ["command", "operator"] {
            let error = serve(parts, &[&POSTGRES, &tables]).unwrap_err();
            assert!(error.contains("ServiceBusConnection"), "{parts}: {error}");
            assert!(
                serve(parts, &[&POSTGRES, &tables, &forgetting]).is_ok(),
                "{parts}"
            );
        }
        let error = serve("command,projector", &[&POSTGRES, &BUS, &tables]).unwrap_err();
        assert!(error.contains("PARTS") && error.contains("projector"), "{error}");
    }
}
