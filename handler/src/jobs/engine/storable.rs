//! Text and JSON without what PostgreSQL cannot keep in a `jsonb`.
//! Never changes anything else.

use serde_json::Value;

/// The text without NUL.
pub(crate) fn storable(text: &str) -> String {
    text.replace('\0', "")
}

/// The same for all texts of a value.
pub(crate) fn storable_json(value: Value) -> Value {
    match value {
        Value::String(text) => Value::String(storable(&text)),
        Value::Array(items) => items.into_iter().map(storable_json).collect(),
        Value::Object(members) => {
            let members = members.into_iter();
            members
                .map(|(name, member)| (storable(&name), storable_json(member)))
                .collect()
        }
        other => other,
    }
}
