//! The API's descriptions, as generators of clients need them.
//! Never asks a server: both documents are in docs/, and another test holds them to be what the code says.

use std::fs;

use devstack::app_folder::workspace_root;
use serde_json::{Map, Value, json};

/// Formats of the OpenAPI registry that generators of clients know.
const FORMATS: [&str; 7] = ["int32", "int64", "double", "uuid", "date", "date-time", "uri"];

fn documents() -> [Value; 2] {
    ["openapi.json", "openapi-3.0.json"].map(|file| {
        let text = fs::read_to_string(workspace_root().join("docs").join(file)).unwrap();
        serde_json::from_str(&text).unwrap()
    })
}

/// Calls `look` with every object of a value and the path to it.
fn walk(value: &Value, path: &str, look: &mut impl FnMut(&Map<String, Value>, &str)) {
    match value {
        Value::Object(object) => {
            look(object, path);
            for (name, value) in object {
                // What is sent and answered is data, and no schema.
                if !["example", "examples", "default"].contains(&name.as_str()) {
                    walk(value, &format!("{path}/{name}"), look);
                }
            }
        }
        Value::Array(values) => {
            for (index, value) in values.iter().enumerate() {
                walk(value, &format!("{path}/{index}"), look);
            }
        }
        _ => {}
    }
}

/// The definition a schema refers to, or the schema. In 3.0 a reference with a description is the one of an `allOf`.
fn resolved<'a>(document: &'a Value, schema: &'a Value) -> &'a Value {
    match schema["$ref"]
        .as_str()
        .or_else(|| schema["allOf"][0]["$ref"].as_str())
    {
        Some(reference) => document.pointer(&reference[1..]).expect("it is defined"),
        None => schema,
    }
}

#[test]
fn alternatives_are_an_enum_or_one_object_or_null() {
    for document in documents() {
        walk(&document, "", &mut |object, path| {
            assert!(!object.contains_key("const"), "{path}");
            for word in ["oneOf", "anyOf"] {
                let Some(alternatives) = object.get(word).and_then(Value::as_array) else {
                    continue;
                };
                let objects = alternatives
                    .iter()
                    .filter(|one| resolved(&document, one)["type"] == "object")
                    .count();
                assert!(objects < 2 || object.contains_key("discriminator"), "{path}");
                assert!(
                    document["openapi"] == "3.1.0",
                    "{path}: 3.0 has no null to choose"
                );
                assert!(alternatives.contains(&json!({ "type": "null" })), "{path}");
            }
        });
    }
}

#[test]
fn numbers_and_texts_have_formats_that_are_registered_and_schemas_that_3_0_allows() {
    for document in documents() {
        walk(&document, "", &mut |object, path| {
            // A property may have this name; then it is no word of the schema.
            if let Some(Value::String(format)) = object.get("format") {
                assert!(FORMATS.contains(&format.as_str()), "{path}: {format}");
            }
            if object.get("nullable") == Some(&json!(true)) {
                assert!(object.contains_key("type"), "{path}");
            }
            if let Some(Value::String(words)) = object.get("description") {
                assert!(!words.contains("[`") && !words.contains("](`"), "{path}: {words}");
            }
        });
    }
}

#[test]
fn every_call_that_changes_something_requires_a_body() {
    for document in documents() {
        for (path, calls) in document["paths"].as_object().unwrap() {
            for (method, call) in calls.as_object().unwrap() {
                let required = &call["requestBody"]["required"];
                assert_eq!(*required == true, method != "get", "{method} {path}");
            }
        }
    }
}

#[test]
fn every_object_and_every_enum_has_a_name() {
    for document in documents() {
        // A name with a number at its end is the second of two types that bear one name.
        let definitions = document["components"]["schemas"].as_object().unwrap();
        assert!(
            definitions.keys().all(|name| !name.ends_with(char::is_numeric)),
            "{:?}",
            definitions.keys()
        );
        walk(&document["components"]["schemas"], "", &mut |object, path| {
            let is_definition = path.matches('/').count() < 2;
            let names_something = object.get("enum").is_some_and(Value::is_array)
                || object
                    .get("properties")
                    .is_some_and(|it| it.is_object() && !it["type"].is_object());
            assert!(
                is_definition || path.ends_with("/properties") || !names_something,
                "{path}"
            );
        });
        walk(&document["paths"], "", &mut |object, path| {
            if path.ends_with("/application~1json") || path.ends_with("/application/json") {
                assert!(object["schema"].get("$ref").is_some(), "{path}");
            }
            assert!(!object.contains_key("enum"), "{path}");
        });
    }
}

#[test]
fn an_order_is_one_object_that_says_when_each_part_is_there() {
    for document in documents() {
        let order = &document["components"]["schemas"]["Order"];
        let required: Vec<&str> = order["required"]
            .as_array()
            .unwrap()
            .iter()
            .filter_map(Value::as_str)
            .collect();
        for (name, schema) in order["properties"].as_object().unwrap() {
            let described = resolved(&document, schema);
            assert!(
                described["type"].is_string() || described["enum"].is_array(),
                "{name}"
            );
            if !required.contains(&name.as_str()) {
                let words = schema["description"].as_str().unwrap();
                assert!(words.contains("`status` is"), "{name}: {words}");
            }
        }
        for name in [
            "paidAt",
            "shippedAt",
            "shipment",
            "deliveredAt",
            "cancelledAt",
            "reason",
        ] {
            assert!(
                order["properties"][name].is_object() && !required.contains(&name),
                "{name}"
            );
        }
        // A job's request is the body that started it: each kind's has a schema of its own.
        let schemas = &document["components"]["schemas"];
        let request = &schemas["Job"]["properties"]["request"];
        assert_eq!(request["type"], "object", "{request}");
        for (kind, name) in [
            ("Replay", "events"),
            ("Replay", "subscription"),
            ("Deletion", "letters"),
            ("Verification", "sample"),
            ("Rebuild", "rate"),
        ] {
            assert!(schemas[kind]["properties"][name].is_object(), "{kind} {name}");
        }
    }
}

#[test]
fn the_document_names_its_owner_its_server_and_every_header() {
    for document in documents() {
        assert!(
            document["servers"][0]["url"]
                .as_str()
                .unwrap()
                .starts_with("http")
        );
        assert!(
            document["info"]["license"]["identifier"] == "MIT"
                || document["info"]["license"]["url"].is_string()
        );
        let tags: Vec<&Value> = document["tags"]
            .as_array()
            .unwrap()
            .iter()
            .map(|tag| &tag["name"])
            .collect();
        for (path, calls) in document["paths"].as_object().unwrap() {
            for call in calls.as_object().unwrap().values() {
                assert!(
                    call["tags"]
                        .as_array()
                        .unwrap()
                        .iter()
                        .all(|tag| tags.contains(&tag)),
                    "{path}"
                );
                for (status, answer) in call["responses"].as_object().unwrap() {
                    let headers = answer["headers"].as_object().cloned().unwrap_or_default();
                    assert!(
                        headers
                            .values()
                            .all(|it| it["description"].as_str().is_some_and(|it| !it.is_empty())),
                        "{path}"
                    );
                    assert!(status != "503" || headers.contains_key("Retry-After"), "{path}");
                    assert!(
                        !["201", "202"].contains(&status.as_str()) || headers.contains_key("Location"),
                        "{path}"
                    );
                    assert!(status != "304" || headers.contains_key("ETag"), "{path}");
                }
            }
        }
        let kinds = resolved(
            &document,
            &document["components"]["schemas"]["Problem"]["properties"]["type"],
        );
        let kinds = kinds["enum"].as_array().unwrap();
        assert!(
            kinds.contains(&json!("urn:problem:orders:not-enough-stock")) && kinds.len() > 30,
            "{kinds:?}"
        );
    }
}
