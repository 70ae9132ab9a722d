//! The settings that tell the handler where its services are, and which functions have anything to do.
//! It never names a service that does not run: the handler takes an absent group for a part that is off.

use std::collections::BTreeMap;

use super::Stack;
use crate::host::sign_in;

/// Read from local.settings.json otherwise, where they are for a read model in Cosmos DB.
const PROJECTING: [&str; 6] = [
    "ServiceBusConnection",
    "ServiceBusTopic",
    "ServiceBusSubscription",
    "COSMOS_ENDPOINT",
    "COSMOS_KEY",
    "COSMOS_DATABASE",
];

/// Tables are no projection's, so there is nothing to listen for.
const TABLES: [(&str, &str); 3] = [
    ("READ_MODEL", "postgres"),
    ("OUTBOX", "forget"),
    ("AzureWebJobs.ProjectEvent.Disabled", "true"),
];

/// Whom the host may have signed in, for a handler with `AUTH=easyauth`. The host does enforce it: it takes forged headers away.
const SIGN_IN: [(&str, &str); 3] = [
    ("AUTH_TENANTS", sign_in::TENANT),
    ("AUTH_AUDIENCES", sign_in::AUDIENCE),
    ("AUTH_ENFORCED_BY_PLATFORM", "true"),
];

/// What an app like in Azure has none of, wherever it may come from.
const SECRETS: [&str; 3] = ["PGPASSWORD", "ServiceBusConnection", "COSMOS_KEY"];

/// A stack is a developer's, and on loopback, in a pod as well; the handler would take this for a sign of the opposite.
const ELSEWHERE: &str = "KUBERNETES_SERVICE_HOST";

impl Stack {
    pub(super) fn environment(&self, over: BTreeMap<String, String>) -> BTreeMap<String, String> {
        let mut environment = self.database.app_environment();
        if self.host_options.http.easy_auth {
            environment.extend(SIGN_IN.map(|(name, value)| (name.to_owned(), value.to_owned())));
        }
        let mut set = |name: &str, value: String| environment.insert(name.to_owned(), value);
        if let Some(faults) = &self.faults {
            set("PGHOST", faults.postgres.address().ip().to_string());
            set("PGPORT", faults.postgres.address().port().to_string());
        }
        if let Some(servicebus) = &self.servicebus {
            let mut bus = servicebus.connection_string();
            if let Some(faults) = &self.faults {
                let wire = faults.servicebus.address().to_string();
                bus = bus.replace(&servicebus.address().to_string(), &wire);
            }
            set("ServiceBusConnection", bus);
        }
        if let Some(cosmos) = &self.cosmos {
            set("COSMOS_ENDPOINT", cosmos.endpoint());
            set("COSMOS_KEY", cosmos.key().to_owned());
            set("COSMOS_DATABASE", "orders".to_owned());
        } else {
            for (name, value) in TABLES {
                set(name, value.to_owned());
            }
        }
        if let Some(azure) = &self.azure {
            environment.retain(|name, _| !SECRETS.contains(&name.as_str()));
            let wire = self.faults.as_ref().map(|faults| faults.servicebus.address());
            environment.extend(azure.places(wire));
            environment.extend(azure.environment(None));
        }
        if let Some(account) = self.storage.connection_string() {
            environment.insert("AzureWebJobsStorage".to_owned(), account);
        }
        environment.extend(over);
        environment
    }

    /// Settings that the app must not get from anywhere; among them what a shell says of PostgreSQL servers, since the
    /// stack has one of its own.
    pub(super) fn without(&self) -> Vec<String> {
        let names: &[&str] = if self.cosmos.is_some() { &[] } else { &PROJECTING };
        let secrets: &[&str] = if self.azure.is_some() { &SECRETS } else { &[] };
        let names = names.iter().chain(secrets).chain([&ELSEWHERE]);
        let names = names.map(|name| (*name).to_owned());
        let shell = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok());
        names.chain(shell.filter(|name| is_of_libpq(name))).collect()
    }
}

/// A variable of PostgreSQL's client library; ours have an underscore after the `PG`.
fn is_of_libpq(name: &str) -> bool {
    name.strip_prefix("PG").is_some_and(|rest| !rest.starts_with('_'))
}
