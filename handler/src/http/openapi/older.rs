//! A schema of OpenAPI 3.1 in the words of 3.0.3: `nullable` for a null type, no annotations beside a reference, one example.
//! Never says more than 3.0 can: where null may be sent for an object, the object alone is described.

use schemars::{
    Schema,
    transform::{AddNullable, RemoveRefSiblings, ReplaceBoolSchemas, SetSingleExample, Transform},
};
use serde_json::{Value, json};

/// Rewrites a definition.
pub(super) fn rewrite(definition: &mut Value) {
    let Ok(schema) = <&mut Schema>::try_from(definition) else {
        return;
    };
    let mut booleans = ReplaceBoolSchemas::default();
    booleans.skip_additional_properties = true;
    DropNull.transform(schema);
    booleans.transform(schema);
    AddNullable::default().transform(schema);
    RemoveRefSiblings::default().transform(schema);
    SetSingleExample::default().transform(schema);
}

/// `nullable` needs a `type` beside it, and a reference has none.
struct DropNull;

impl Transform for DropNull {
    fn transform(&mut self, schema: &mut Schema) {
        schemars::transform::transform_subschemas(self, schema);
        let choice = match schema.get("anyOf").and_then(Value::as_array).map(Vec::as_slice) {
            Some([choice, null]) if *null == json!({ "type": "null" }) => choice["$ref"].clone(),
            _ => return,
        };
        schema.remove("anyOf");
        schema.insert("$ref".to_owned(), choice);
    }
}
