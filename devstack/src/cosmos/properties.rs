//! The properties of databases and containers that the service in memory would keep and not follow.
//! It never refuses one that changes no answer, such as a composite index.

use serde_json::Value;

use super::documents;
use super::refusal::Refusal;
use super::request::AccountRequest;

/// Properties that a container may not have, by their place in the definition.
const UNSUPPORTED: [(&str, &str); 9] = [
    ("/computedProperties", "computed properties"),
    ("/vectorEmbeddingPolicy", "vectors"),
    ("/indexingPolicy/vectorIndexes", "vector indexes"),
    ("/fullTextPolicy", "full text search"),
    ("/indexingPolicy/fullTextIndexes", "full text indexes"),
    (
        "/changeFeedPolicy/retentionDuration",
        "the change feed of all versions and deletes",
    ),
    ("/analyticalStorageTtl", "the analytical store"),
    ("/materializedViewDefinition", "materialized views"),
    ("/clientEncryptionPolicy", "client-side encryption"),
];

pub(super) fn of_database(asked: &AccountRequest) -> Result<(), Refusal> {
    if asked.headers.contains_key("x-ms-offer-throughput") {
        return Err(Refusal::unsupported("throughput shared by a database"));
    }
    asked.json().map_or(Ok(()), |database| documents::id(&database))
}

pub(super) fn of_container(asked: &AccountRequest) -> Result<(), Refusal> {
    let Some(container) = asked.json() else {
        return Ok(());
    };
    documents::id(&container)?;
    for (place, what) in UNSUPPORTED {
        if container.pointer(place).is_some_and(says_something) {
            return Err(Refusal::unsupported(what));
        }
    }
    match container.get("defaultTtl").map(Value::as_i64) {
        None | Some(Some(-1)) => Ok(()),
        Some(Some(seconds)) if seconds > 0 => Err(Refusal::unsupported("a time to live (only -1, for ever)")),
        Some(_) if container["defaultTtl"].is_null() => Ok(()),
        Some(_) => Err(Refusal::bad(
            "The defaultTtl must be -1 or a number of seconds above 0.",
        )),
    }
}

fn says_something(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Array(list) => !list.is_empty(),
        Value::Object(fields) => fields.values().any(says_something),
        Value::Number(number) => number.as_i64() != Some(0),
        Value::Bool(_) | Value::String(_) => true,
    }
}
