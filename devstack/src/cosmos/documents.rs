//! What an item may be, beyond what the service in memory checks itself.
//! It never looks at properties that are the caller's own.

use serde_json::Value;

use super::refusal::Refusal;

/// The longest id, in characters (<https://learn.microsoft.com/azure/cosmos-db/concepts-limits>).
const LONGEST_ID: usize = 1023;

pub(super) fn check(document: &Value, definition: Option<&Value>) -> Result<(), Refusal> {
    id(document)?;
    // In a container without a default an item's own time to live is a property like any other.
    let expires = definition.is_some_and(|definition| !definition["defaultTtl"].is_null());
    match document.get("ttl") {
        Some(ttl) if expires && ttl.as_i64().is_none_or(|seconds| seconds == 0 || seconds < -1) => {
            let message = "The input ttl is invalid: it must be -1 or a number of seconds above 0.";
            Err(Refusal::bad(message))
        }
        Some(ttl) if expires && ttl.as_i64() != Some(-1) => {
            Err(Refusal::unsupported("an item's time to live (only -1, for ever)"))
        }
        _ => Ok(()),
    }
}

/// Refuses an id that no path could say.
pub(super) fn id(resource: &Value) -> Result<(), Refusal> {
    // One that is missing, or is no text, the service refuses itself.
    let Some(id) = resource["id"].as_str() else {
        return Ok(());
    };
    let message = if id.is_empty() {
        "The input content is invalid because the required properties - 'id; ' - are missing.".to_owned()
    } else if id.chars().count() > LONGEST_ID {
        format!("The id is longer than {LONGEST_ID} characters.")
    } else if id.contains(['/', '\\', '?', '#']) {
        "The id must not have any of the characters '/', '\\', '?' and '#'.".to_owned()
    } else {
        return Ok(());
    };
    Err(Refusal::bad(message))
}
