//! References from one schema to another, by name.
//! Never follows one out of the document.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

/// The beginning of every reference.
pub(super) const DEFINITIONS: &str = "#/components/schemas/";

/// The names of the definitions that a schema refers to, and so on.
pub(super) fn reached(from: &Value, definitions: &Map<String, Value>, into: &mut BTreeSet<String>) {
    match from {
        Value::Object(object) => {
            if let Some(name) = reference(object)
                && into.insert(name.to_owned())
                && let Some(definition) = definitions.get(name)
            {
                reached(definition, definitions, into);
            }
            object
                .values()
                .for_each(|value| reached(value, definitions, into));
        }
        Value::Array(values) => values.iter().for_each(|value| reached(value, definitions, into)),
        _ => {}
    }
}

/// The name of the definition that a schema refers to.
pub(super) fn reference(schema: &Map<String, Value>) -> Option<&str> {
    schema.get("$ref")?.as_str()?.strip_prefix(DEFINITIONS)
}
