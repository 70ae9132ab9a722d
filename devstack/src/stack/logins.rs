//! The roles that the app connects to its database as: one with all rights of the app, or one for each part that has a process of its
//! own. It never says what a part may do: `handler migrate` does.

use std::collections::BTreeMap;

use super::parts::{Part, PartsLayout};
use super::read_model::ReadModel;

/// Their names, which are their passwords too: they guard nothing beyond this machine. `None` stands for all parts.
#[derive(Debug)]
pub(super) struct AppLogins(Vec<(Option<Part>, String)>);

impl AppLogins {
    /// Those of a database: stacks on one server must not alter each other's.
    pub(super) fn new(database: &str, layout: PartsLayout, read_model: ReadModel) -> Self {
        let whole = format!("{database}_app");
        if layout == PartsLayout::Together {
            return Self(vec![(None, whole)]);
        }
        let parts = Part::all(read_model).iter().copied();
        let parts = parts.filter(|part| part.has_database(read_model));
        Self(
            parts
                .map(|part| (Some(part), format!("{whole}_{}", part.name())))
                .collect(),
        )
    }

    /// Those of identities, which have tokens for passwords.
    pub(super) fn of_identities(named: Vec<(Option<Part>, String)>) -> Self {
        Self(named)
    }

    /// All of them.
    pub(super) fn names(&self) -> Vec<&str> {
        self.0.iter().map(|(_, name)| name.as_str()).collect()
    }

    /// That of a part, if it has one.
    pub(super) fn of(&self, part: Part) -> Option<&str> {
        let mut logins = self.0.iter();
        let found = logins.find(|(its, _)| its.is_none_or(|its| its == part));
        found.map(|(_, name)| name.as_str())
    }

    /// The settings by which a part's process signs in.
    pub(super) fn environment(&self, part: Part) -> BTreeMap<String, String> {
        let settings = ["PGUSER", "PGPASSWORD"].map(str::to_owned);
        let login = self.of(part).into_iter();
        login
            .flat_map(|login| settings.clone().map(|name| (name, login.to_owned())))
            .collect()
    }

    /// What `handler migrate` is told of them.
    pub(super) fn arguments(&self) -> Vec<String> {
        let argument = |(part, name): &(Option<Part>, String)| match part {
            None => name.clone(),
            Some(part) => format!("{name}={}", part.name()),
        };
        let arguments = self.0.iter().map(argument);
        arguments
            .flat_map(|argument| ["--app-role".to_owned(), argument])
            .collect()
    }
}
