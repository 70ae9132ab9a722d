//! The parts of the system, each of which can have a host and a handler of its own: what each gets of the settings.
//! It never says which function is whose: the handler does, in the API's description.

use std::collections::BTreeMap;

use clap::ValueEnum;

use super::read_model::ReadModel;
use crate::host;

/// How the parts are spread over hosts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum PartsLayout {
    /// One host and one handler for all of them.
    #[default]
    Together,
    /// A host and a handler for each.
    Split,
}

/// A part of the system, by its word in `PARTS`; in the order of their hosts' ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Takes commands.
    Command,
    /// Answers queries.
    Query,
    /// For those who look after the system.
    Operator,
    /// Makes documents of events.
    Projector,
}

/// Settings that lead to one service, as local.settings.json has them.
const POSTGRES: [&str; 7] = [
    "PGHOST",
    "PGPORT",
    "PGUSER",
    "PGPASSWORD",
    "PGDATABASE",
    "PGSSLMODE",
    "PG_AUTH",
];
const BUS: [&str; 6] = [
    "ServiceBusConnection",
    "ServiceBusConnection__fullyQualifiedNamespace",
    "ServiceBusConnection__credential",
    "ServiceBusConnection__clientId",
    "ServiceBusTopic",
    "ServiceBusSubscription",
];
const DOCUMENTS: [&str; 3] = ["COSMOS_ENDPOINT", "COSMOS_KEY", "COSMOS_DATABASE"];

/// Switches the function off at the host of another part: its host must not receive what it cannot project.
const DEAF: (&str, &str) = ("AzureWebJobs.ProjectEvent.Disabled", "true");

impl Part {
    /// The hosts of a stack with this read model: tables need no projector.
    pub(super) fn all(read_model: ReadModel) -> &'static [Self] {
        match read_model {
            ReadModel::Cosmos => &[Self::Command, Self::Query, Self::Operator, Self::Projector],
            ReadModel::Postgres => &[Self::Command, Self::Query, Self::Operator],
        }
    }

    /// Its word in `PARTS`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Command => "command",
            Self::Query => "query",
            Self::Operator => "operator",
            Self::Projector => "projector",
        }
    }

    /// What its host is for.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Command => "Commands",
            Self::Query => "Queries",
            Self::Operator => "Operators",
            Self::Projector => "Projector",
        }
    }

    /// The part of this name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        let all = Self::all(ReadModel::Cosmos).iter();
        all.copied().find(|part| part.name() == name)
    }

    /// Settings that it has no use for.
    fn unused(self, read_model: ReadModel) -> Vec<&'static str> {
        let groups: &[&[&'static str]] = match (self, read_model) {
            (Self::Command, _) => &[&DOCUMENTS],
            (Self::Query, ReadModel::Cosmos) => &[&POSTGRES, &BUS],
            (Self::Query, ReadModel::Postgres) => &[&BUS],
            (Self::Projector, _) => &[&POSTGRES],
            (Self::Operator, _) => &[],
        };
        groups.concat()
    }

    /// True when it connects to PostgreSQL.
    pub(super) fn has_database(self, read_model: ReadModel) -> bool {
        !self.unused(read_model).contains(&POSTGRES[0])
    }

    /// The start of its host, out of that of a host for everything and settings of its own.
    pub(super) fn host_options(
        self,
        whole: &host::HostOptions,
        read_model: ReadModel,
        own: BTreeMap<String, String>,
    ) -> host::HostOptions {
        let mut options = whole.clone();
        options.environment.extend(own);
        let unused = self.unused(read_model);
        options
            .environment
            .retain(|name, _| !unused.contains(&name.as_str()));
        let unused = unused.into_iter().map(str::to_owned);
        options.without.extend(unused);
        let mut set = |(name, value): (&str, &str)| {
            options.environment.insert(name.to_owned(), value.to_owned());
        };
        set(("PARTS", self.name()));
        if self != Self::Projector {
            set(DEAF);
        }
        options
    }
}
