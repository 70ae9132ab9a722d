//! Schemas as generators of clients can read them: no alternatives of constants or of objects, no null that is never sent.
//! Never changes what a body may be: it says the same with fewer words of JSON Schema.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::{
    flat::{capital, flatten_alternatives, merge_arguments, name_constants},
    reference::{DEFINITIONS, reference},
};

/// Rewrites all definitions; `sent` are those of request bodies, whose optional values may be null.
pub(super) fn simplify(definitions: &mut Map<String, Value>, sent: &BTreeSet<String>) {
    let mut new = Map::new();
    for (name, schema) in definitions.iter_mut() {
        name_constants(schema);
        flatten_alternatives(name, schema, &mut new);
    }
    for (name, alternatives) in new {
        let merged = merge_arguments(&alternatives, definitions);
        definitions.insert(name, merged);
    }
    name_enums(definitions);
    let scalars = definitions.clone();
    for (name, schema) in definitions.iter_mut() {
        walk(schema, &mut |schema| {
            settle_null(schema, sent.contains(name), &scalars);
            settle_format(schema);
            settle_description(schema);
        });
    }
}

/// An enum within an object refers to the definition of the same words, or becomes one of its own.
fn name_enums(definitions: &mut Map<String, Value>) {
    let mut named: Vec<(String, Value)> = definitions
        .iter()
        .map(|(name, schema)| (name.clone(), schema["enum"].clone()))
        .collect();
    let mut new = Map::new();
    for (name, schema) in definitions.iter_mut() {
        let properties = schema.get_mut("properties").and_then(Value::as_object_mut);
        for (property, schema) in properties.into_iter().flatten() {
            if schema.get("enum").is_none() {
                continue;
            }
            let known = named.iter().find(|(_, words)| *words == schema["enum"]);
            let definition = known.map_or_else(
                || format!("{name}{}", capital(property)),
                |(name, _)| name.clone(),
            );
            if known.is_none() {
                named.push((definition.clone(), schema["enum"].clone()));
                new.insert(definition.clone(), schema.clone());
            }
            let description = schema["description"]
                .as_str()
                .and_then(|text| text.lines().next())
                .unwrap_or_default();
            *schema = json!({ "$ref": format!("{DEFINITIONS}{definition}"), "description": description });
        }
    }
    definitions.extend(new);
}

fn walk(schema: &mut Value, change: &mut impl FnMut(&mut Map<String, Value>)) {
    match schema {
        Value::Object(object) => {
            change(object);
            object.values_mut().for_each(|value| walk(value, change));
        }
        Value::Array(values) => values.iter_mut().for_each(|value| walk(value, change)),
        _ => {}
    }
}

/// Null is said where it may be sent, beside a scalar's type; an answer leaves out what it does not have.
fn settle_null(schema: &mut Map<String, Value>, sent: bool, definitions: &Map<String, Value>) {
    if let Some(Value::Array(types)) = schema.get_mut("type")
        && !sent
    {
        types.retain(|one| one != "null");
        if let [one] = types.as_slice() {
            let one = one.clone();
            schema.insert("type".to_owned(), one);
        }
    }
    let Some([choice, null]) = schema.get("anyOf").and_then(Value::as_array).map(Vec::as_slice) else {
        return;
    };
    let (choice, is_null) = (choice.clone(), null == &json!({ "type": "null" }));
    let referred = choice
        .as_object()
        .and_then(reference)
        .and_then(|name| definitions.get(name));
    let kind = referred
        .map(|definition| definition["type"].clone())
        .unwrap_or_default();
    if !is_null || (sent && kind == "object") {
        return;
    }
    schema.remove("anyOf");
    let mut put = choice.as_object().cloned().unwrap_or_default();
    if sent {
        put = referred.and_then(Value::as_object).cloned().unwrap_or_default();
        put.insert("type".to_owned(), json!([kind, "null"]));
    }
    for (key, value) in put {
        schema.entry(key).or_insert(value);
    }
}

/// Only formats of the OpenAPI registry that generators know: `int32` and `int64`, whose limits are said in numbers.
fn settle_format(schema: &mut Map<String, Value>) {
    let (format, most) = match schema.get("format").and_then(Value::as_str) {
        Some("uint8") => ("int32", Some(u32::from(u8::MAX))),
        Some("uint16") => ("int32", Some(u32::from(u16::MAX))),
        Some("uint32") => ("int64", Some(u32::MAX)),
        Some("uint" | "uint64") => ("int64", None),
        _ => return,
    };
    schema.insert("format".to_owned(), format.into());
    schema.entry("minimum").or_insert(0.into());
    if let Some(most) = most {
        schema.entry("maximum").or_insert(most.into());
    }
}

/// Links between Rust items are names for everybody else.
fn settle_description(schema: &mut Map<String, Value>) {
    if let Some(Value::String(text)) = schema.get_mut("description")
        && text.contains("[`")
    {
        *text = text.replace("[`", "`").replace("`]", "`");
    }
}
