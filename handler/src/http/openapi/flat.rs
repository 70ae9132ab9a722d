//! Alternatives as generators can read them: constants as one `enum`, objects told apart by a constant as one flat object.
//! Never loses a property or a name: a property of some alternatives only is optional, and says of which.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::reference::{DEFINITIONS, reference};

/// Alternatives of constants are an `enum`, whose description says what each is.
pub(super) fn name_constants(schema: &mut Value) {
    let Some(alternatives) = schema.get("oneOf").and_then(Value::as_array) else {
        return;
    };
    let mut names = Vec::new();
    let mut meanings = Vec::new();
    for alternative in alternatives {
        let Some(name) = alternative.get("const") else {
            return;
        };
        meanings.push((name.clone(), text(alternative, "description")));
        names.push(name.clone());
    }
    let description = described(&text(schema, "description"), &meanings);
    *schema = json!({ "type": "string", "enum": names, "description": description });
}

fn text(schema: &Value, key: &str) -> String {
    schema[key].as_str().unwrap_or_default().to_owned()
}

/// A description, with the meaning of each name below it.
fn described(what: &str, meanings: &[(Value, String)]) -> String {
    let lines = meanings
        .iter()
        .filter(|(_, meaning)| !meaning.is_empty())
        .map(|(name, meaning)| format!("\n* `{}`: {meaning}", name.as_str().unwrap_or_default()));
    format!("{what}{}", lines.collect::<String>())
}

/// Alternatives of objects, told apart by a constant, are one object: what not all of them have is optional, and its
/// description says when it is there. Where they have one name for different objects, those are left in `new` to be merged.
pub(super) fn flatten_alternatives(name: &str, schema: &mut Value, new: &mut Map<String, Value>) {
    let Some(alternatives) = schema.get("oneOf").and_then(Value::as_array).cloned() else {
        return;
    };
    let Some(tag) = tag_of(&alternatives) else { return };
    let constant = |alternative: &Value| alternative["properties"][&tag]["const"].clone();
    let meanings: Vec<_> = alternatives
        .iter()
        .map(|alternative| (constant(alternative), text(alternative, "description")))
        .collect();
    let names: Vec<Value> = meanings.iter().map(|(name, _)| name.clone()).collect();
    let mut properties = Map::new();
    properties.insert(
        tag.clone(),
        json!({ "type": "string", "enum": names, "description": described("Which of these it is.", &meanings) }),
    );
    for property in property_names(&alternatives, &tag) {
        let here: Vec<&Value> = alternatives
            .iter()
            .filter(|alternative| alternative["properties"].get(&property).is_some())
            .collect();
        let first = &here[0]["properties"][&property];
        let one = if here.iter().all(|it| same(&it["properties"][&property], first)) {
            let when = when(&here, &property, alternatives.len(), &tag);
            let mut one = first.clone();
            one["description"] = format!("{}{when}", text(first, "description")).into();
            one
        } else {
            let merged = format!("{name}{}", capital(&property));
            let kinds = here
                .iter()
                .map(|it| json!([constant(it), it["properties"][&property]]));
            new.insert(merged.clone(), kinds.collect());
            json!({ "$ref": format!("{DEFINITIONS}{merged}") })
        };
        properties.insert(property, one);
    }
    let mut required = vec![Value::from(tag.as_str())];
    required.extend(
        properties
            .keys()
            .filter(|it| alternatives.iter().all(|one| requires(one, it)) && **it != tag)
            .map(|it| it.as_str().into()),
    );
    join(schema, properties, required);
}

/// Adds these properties to the enclosing object.
fn join(schema: &mut Value, properties: Map<String, Value>, required: Vec<Value>) {
    let Some(object) = schema.as_object_mut() else {
        return;
    };
    object.remove("oneOf");
    object.insert("type".to_owned(), "object".into());
    if let Some(there) = object
        .entry("properties")
        .or_insert_with(|| json!({}))
        .as_object_mut()
    {
        there.extend(properties);
    }
    if let Some(there) = object
        .entry("required")
        .or_insert_with(|| json!([]))
        .as_array_mut()
    {
        there.extend(required);
    }
}

/// The property that is a constant in each.
fn tag_of(alternatives: &[Value]) -> Option<String> {
    let first = alternatives.first()?["properties"].as_object()?;
    let is_tag = |name: &&String| {
        alternatives
            .iter()
            .all(|one| one["properties"][name.as_str()].get("const").is_some())
    };
    first.keys().find(is_tag).cloned()
}

fn property_names(alternatives: &[Value], tag: &str) -> BTreeSet<String> {
    let of = |alternative: &Value| alternative["properties"].as_object().cloned().unwrap_or_default();
    let all = alternatives
        .iter()
        .flat_map(|alternative| of(alternative).into_iter().map(|(name, _)| name));
    all.filter(|name| name != tag).collect()
}

fn requires(schema: &Value, property: &str) -> bool {
    schema["required"]
        .as_array()
        .is_some_and(|names| names.iter().any(|name| name == property))
}

/// Equal but for what is said of them and for null.
fn same(one: &Value, other: &Value) -> bool {
    let bare = |schema: &Value| {
        let mut schema = schema.clone();
        if let Some(object) = schema.as_object_mut() {
            object.remove("description");
            object.remove("default");
        }
        match schema["anyOf"].as_array() {
            Some(choices) => choices[0].clone(),
            None => schema,
        }
    };
    bare(one) == bare(other)
}

fn when(here: &[&Value], property: &str, all: usize, tag: &str) -> String {
    let names = |must: bool| -> Vec<String> {
        let fit = here.iter().filter(|one| requires(one, property) == must);
        fit.map(|one| format!("`{}`", text(&one["properties"][tag], "const")))
            .collect()
    };
    let (always, sometimes) = (names(true), names(false));
    let mut said = String::new();
    if !always.is_empty() && always.len() < all {
        said += &format!(" There when `{tag}` is {}.", listed(&always));
    }
    if !sometimes.is_empty() && here.len() < all {
        said += &format!(" May be there when `{tag}` is {}.", listed(&sometimes));
    }
    said
}

fn listed(names: &[String]) -> String {
    match names {
        [others @ .., last] if !others.is_empty() => format!("{} or {last}", others.join(", ")),
        _ => names.concat(),
    }
}

/// With a capital letter first.
pub(super) fn capital(name: &str) -> String {
    let (first, rest) = name.split_at(name.len().min(1));
    first.to_uppercase() + rest
}

/// One object of all the properties that these kinds' objects have, none of which must be there.
pub(super) fn merge_arguments(kinds: &Value, definitions: &Map<String, Value>) -> Value {
    let mut properties: Map<String, Value> = Map::new();
    let mut owners: Vec<(String, String)> = Vec::new();
    for pair in kinds.as_array().into_iter().flatten() {
        let object = pair[1]
            .as_object()
            .and_then(reference)
            .and_then(|name| definitions.get(name));
        let of = object
            .and_then(|object| object["properties"].as_object())
            .cloned()
            .unwrap_or_default();
        for (property, mut schema) in of {
            owners.push((
                property.clone(),
                format!("`{}`", pair[0].as_str().unwrap_or_default()),
            ));
            if let Some(object) = schema.as_object_mut() {
                object.remove("default");
            }
            properties.entry(property).or_insert(schema);
        }
    }
    for (name, schema) in &mut properties {
        let of: Vec<String> = owners
            .iter()
            .filter(|(property, _)| property == name)
            .map(|(_, owner)| owner.clone())
            .collect();
        schema["description"] = format!("{} Of {}.", text(schema, "description"), listed(&of)).into();
    }
    json!({ "type": "object", "description": "What was said with it; each kind has its own.", "properties": properties })
}
