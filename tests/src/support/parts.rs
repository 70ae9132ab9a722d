//! The run in which each part of the system has a process of its own (`TEST_STACK=split`): which one a request is for, and what
//! settings a handler gets there. Never has a list of functions: the handler's one table says whose a function is.

use std::{collections::BTreeMap, sync::LazyLock};

use devstack::stack::PartsLayout;
use handler::{
    config::Part,
    http::api::{TRIGGERS, endpoints},
};

use super::database::role_of_part;

/// Nobody is there.
const NO_BUS: [(&str, &str); 2] = [
    (
        "ServiceBusConnection",
        "Endpoint=sb://127.0.0.1:1;SharedAccessKeyName=n;SharedAccessKey=k;UseDevelopmentEmulator=true",
    ),
    ("ServiceBusTopic", "order-events"),
];
/// An account where nobody is.
pub(crate) const NO_DOCUMENTS: [(&str, &str); 3] = [
    ("COSMOS_ENDPOINT", "http://127.0.0.1:1/"),
    ("COSMOS_KEY", "a2V5"),
    ("COSMOS_DATABASE", "orders"),
];

/// How the parts are spread in this run.
pub(crate) fn layout() -> PartsLayout {
    match std::env::var("TEST_STACK").as_deref() {
        Err(_) => PartsLayout::Together,
        Ok("split") => PartsLayout::Split,
        Ok(other) => panic!("TEST_STACK={other} is not split"),
    }
}

/// The part that serves a request; `None`: each does.
pub(super) fn part_of(method: &str, path: &str) -> Option<Part> {
    type Calls = Vec<(&'static str, String, Part)>;
    static CALLS: LazyLock<Calls> = LazyLock::new(|| {
        let calls = endpoints().into_iter().filter_map(|call| {
            let path = format!("/api{}", call.path);
            Some((call.method, path, call.part?))
        });
        let triggers = TRIGGERS.map(|(name, part)| ("post", format!("/{name}"), part));
        calls.chain(triggers).collect()
    });
    let path = path.split('?').next().unwrap_or_default();
    let method = if method == "HEAD" {
        "get"
    } else {
        &method.to_lowercase()
    };
    let fits = |template: &str| {
        let open = |part: &str| part.starts_with('{');
        let mut parts = template.split('/').zip(path.split('/'));
        template.split('/').count() == path.split('/').count()
            && parts.all(|(expected, found)| expected == found || open(expected))
    };
    let mut calls = CALLS.iter();
    let found = calls.find(|(its, template, _)| *its == method && fits(template));
    found.map(|(.., part)| *part)
}

/// The settings of a handler for each part that these settings are for. Where a part needs a service that a test does not have, it
/// gets an address at which nobody is.
pub(super) fn divided(settings: &BTreeMap<String, String>) -> Vec<(Part, BTreeMap<String, String>)> {
    let has = |name: &str, value: &str| settings.get(name).is_some_and(|found| found == value);
    let tables = has("READ_MODEL", "postgres");
    let projects = settings.contains_key("COSMOS_ENDPOINT");
    let parts = Part::ALL
        .into_iter()
        .filter(|part| *part != Part::Projector || projects);
    let divided = parts.map(|part| {
        let mut own = settings.clone();
        let mut add = |missing: &[(&str, &str)]| {
            for (name, value) in missing {
                own.entry((*name).to_owned())
                    .or_insert_with(|| (*value).to_owned());
            }
        };
        if !has("OUTBOX", "forget") && part != Part::Query {
            add(&NO_BUS);
        }
        if !tables && part != Part::Command {
            add(&NO_DOCUMENTS);
        }
        own.insert("PARTS".to_owned(), part.name().to_owned());
        role_of_part(&mut own, part.name());
        (part, own)
    });
    divided.collect()
}
