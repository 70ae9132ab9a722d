//! Bodies against the schemas that the API publishes: whatever is of another type is refused, by its place, and all of it at
//! once.
//! Never a list of bodies: those of docs/openapi.json are walked.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use devstack::app_folder::workspace_root;
use serde_json::{Map, Value, json};

use crate::support::{Answer, App};

const JSON: [(&str, &str); 1] = [("content-type", "application/json")];
/// What a property may be instead of what it is.
const TYPES: [&str; 7] = [
    "null", "boolean", "integer", "number", "string", "array", "object",
];

fn places(answer: &Answer) -> Vec<(&str, &str)> {
    let errors = answer.body["errors"]
        .as_array()
        .map(Vec::as_slice)
        .unwrap_or_default();
    errors
        .iter()
        .map(|error| {
            (
                error["pointer"].as_str().unwrap(),
                error["detail"].as_str().unwrap(),
            )
        })
        .collect()
}

/// The schema itself, where it is only referred to, or may also be null.
fn resolved<'a>(document: &'a Value, schema: &'a Value) -> &'a Value {
    if let Some(reference) = schema["$ref"].as_str() {
        return resolved(
            document,
            document.pointer(reference.trim_start_matches('#')).unwrap(),
        );
    }
    let alternatives = schema["anyOf"].as_array().into_iter().flatten();
    match alternatives.into_iter().find(|schema| schema["type"] != "null") {
        Some(schema) => resolved(document, schema),
        None => schema,
    }
}

/// The types that a schema takes, null included.
fn taken(document: &Value, schema: &Value) -> Vec<String> {
    if schema.get("$ref").is_some() {
        return taken(document, resolved(document, schema));
    }
    if let Some(schemas) = schema["anyOf"].as_array().or_else(|| schema["oneOf"].as_array()) {
        return schemas
            .iter()
            .flat_map(|schema| taken(document, schema))
            .collect();
    }
    match &schema["type"] {
        Value::String(name) => vec![name.clone()],
        Value::Array(names) => names
            .iter()
            .map(|name| name.as_str().unwrap().to_owned())
            .collect(),
        other => panic!("a schema without a type: {other} in {schema}"),
    }
}

/// Something that a schema takes, with all that can be in it.
fn filled(document: &Value, schema: &Value) -> Value {
    let schema = resolved(document, schema);
    let first = schema
        .pointer("/enum/0")
        .or_else(|| schema.pointer("/oneOf/0/const"));
    if let Some(first) = first {
        return first.clone();
    }
    match taken(document, schema)[0].as_str() {
        "object" => {
            let properties = schema["properties"].as_object().cloned().unwrap_or_default();
            let members = properties
                .iter()
                .map(|(name, schema)| (name.clone(), filled(document, schema)));
            Value::Object(members.collect::<Map<_, _>>())
        }
        "array" => json!([filled(document, &schema["items"])]),
        "integer" => schema.get("minimum").cloned().unwrap_or_else(|| json!(1)),
        "boolean" => json!(false),
        "string" => match schema["format"].as_str() {
            Some("uuid") => json!("0198c9c1-0000-7000-8000-000000000001"),
            Some("date-time") => json!("2026-11-25T09:00:00Z"),
            _ => json!("ABC"),
        },
        other => panic!("{other}"),
    }
}

/// Each place of a body, with the schema of what is there.
fn walk<'a>(document: &'a Value, schema: &'a Value, pointer: &str, into: &mut Vec<(String, &'a Value)>) {
    into.push((pointer.to_owned(), schema));
    let schema = resolved(document, schema);
    for (name, schema) in schema["properties"].as_object().into_iter().flatten() {
        walk(document, schema, &format!("{pointer}/{name}"), into);
    }
    if schema.get("items").is_some() {
        walk(document, &schema["items"], &format!("{pointer}/0"), into);
    }
}

/// The same value as serde's readers would take it by position; and something of each other type.
fn others(right: &Value, taken: &[String]) -> Vec<Value> {
    let wrong = TYPES.iter().filter(|name| {
        let number = **name == "integer" && taken.iter().any(|taken| taken == "number");
        !number && !taken.iter().any(|taken| taken == *name)
    });
    let mut others: Vec<Value> = wrong
        .map(|name| match *name {
            "null" => Value::Null,
            "boolean" => json!(true),
            "integer" => json!(7),
            "number" => json!(7.5),
            "string" => json!("7"),
            "array" => json!([]),
            _ => json!({}),
        })
        .collect();
    if let Value::Object(members) = right {
        others.push(members.values().cloned().collect());
    }
    others
}

#[tokio::test]
async fn a_value_of_another_type_than_its_schema_is_refused_with_its_pointer() {
    let app = App::start().await;
    let text = std::fs::read_to_string(workspace_root().join("docs/openapi.json")).unwrap();
    let document: Value = serde_json::from_str(&text).unwrap();
    let (mut bodies, mut requests) = (0, 0);
    for (path, calls) in document["paths"].as_object().unwrap() {
        for (method, call) in calls.as_object().unwrap() {
            let Some(schema) = call.pointer("/requestBody/content/application~1json/schema") else {
                continue;
            };
            bodies += 1;
            let whole = filled(&document, schema);
            let path = path
                .replace("{id}", "0198c9c1-0000-7000-8000-000000000001")
                .replace("{sku}", "ABC");
            let mut all = Vec::new();
            walk(&document, schema, "", &mut all);
            for (pointer, schema) in all {
                let right = whole.pointer(&pointer).unwrap();
                for wrong in others(right, &taken(&document, schema)) {
                    let mut body = whole.clone();
                    *body.pointer_mut(&pointer).unwrap() = wrong.clone();
                    let answer = app
                        .send(&method.to_uppercase(), &path, body.to_string(), &JSON)
                        .await;
                    let told = format!("{method} {path} {body}: {answer:?}");
                    assert_eq!(answer.status.as_u16(), 422, "{told}");
                    assert_eq!(
                        answer.body["type"], "urn:problem:orders:invalid-content",
                        "{told}"
                    );
                    let place = format!("#{pointer}");
                    let found = places(&answer).into_iter().find(|(found, _)| *found == place);
                    let (_, detail) = found.unwrap_or_else(|| panic!("{place}: {told}"));
                    assert!(detail.starts_with("must be "), "{told}");
                    requests += 1;
                }
            }
        }
    }
    assert!(
        bodies > 15 && requests > 300,
        "{bodies} bodies, {requests} requests"
    );
}

/// Bodies with all places at which something is wrong with them.
fn wrong_bodies() -> Vec<(&'static str, Value, &'static [&'static str])> {
    let event = json!({ "subjects": ["a", ""], "from": "yesterday", "fromPosition": 1.5 });
    vec![
        (
            "/api/orders",
            json!({
                "customerId": "nobody", "expectedTotal": { "amount": "1", "currency": "eur" }, "gift": true,
                "lines": [{ "sku": "mug", "quantity": 0 }, { "quantity": 1, "a/b é": 1 }, ["MUG", 1]]
            }),
            &[
                "#/customerId",
                "#/expectedTotal/amount",
                "#/expectedTotal/currency",
                "#/gift",
                "#/lines/0/quantity",
                "#/lines/0/sku",
                "#/lines/1",
                "#/lines/1/a~1b%20%C3%A9",
                "#/lines/2",
            ][..],
        ),
        ("/api/customers", json!({}), &["#", "#"]),
        ("/api/customers", json!([]), &["#"]),
        (
            "/api/products",
            json!({ "sku": "", "name": " ", "price": { "amount": -1 } }),
            &["#/name", "#/price", "#/price/amount", "#/sku"],
        ),
        (
            "/api/jobs/replays",
            json!({ "events": event, "rate": 0, "force": "yes" }),
            &[
                "#",
                "#/events/from",
                "#/events/fromPosition",
                "#/events/subjects/1",
                "#/force",
                "#/rate",
            ],
        ),
        (
            "/api/orders",
            json!({ "lines": [{ "sku": "A", "quantity": 1 }, { "sku": "A", "quantity": -1 }, { "sku": "A", "quantity": 1 }] }),
            &[
                "#/customerId",
                "#/lines/1/quantity",
                "#/lines/1/sku",
                "#/lines/2/sku",
            ],
        ),
    ]
}

#[tokio::test]
async fn all_faults_of_a_body_are_told_at_once_in_the_apis_words() {
    let app = App::start().await;
    for (path, body, expected) in wrong_bodies() {
        let answer = app.send("POST", path, body.to_string(), &JSON).await;
        assert_eq!(answer.status.as_u16(), 422, "{answer:?}");
        let mut told: Vec<&str> = places(&answer).iter().map(|(pointer, _)| *pointer).collect();
        told.sort_unstable();
        assert_eq!(told, expected, "{answer:?}");
        let words = answer.body.to_string();
        for ours in [
            "struct",
            "line ",
            "column",
            "i64",
            "u32",
            "Placement",
            "Registration",
            "Selection",
            "expected `",
        ] {
            assert!(!words.contains(ours), "{ours}: {words}");
        }
    }
}

#[tokio::test]
async fn a_member_that_is_there_twice_is_refused_where_it_is() {
    let app = App::start().await;
    for (path, body, pointer) in [
        (
            "/api/customers",
            r#"{"name":"Ada","name":"Eve","email":"a@b"}"#,
            "#/name",
        ),
        (
            "/api/products",
            r#"{"sku":"A","name":"A","price":{"amount":1,"amount":2,"currency":"EUR"}}"#,
            "#/price/amount",
        ),
        (
            "/api/orders",
            r#"{"customerId":"0198c9c1-0000-7000-8000-000000000001","lines":[{"sku":"A","quantity":1,"sku":"B"}]}"#,
            "#/lines/0/sku",
        ),
    ] {
        let answer = app.send("POST", path, body, &JSON).await;
        assert_eq!(places(&answer), [(pointer, "is there twice")], "{answer:?}");
    }
}

#[tokio::test]
async fn of_what_is_sent_no_more_than_a_hundred_characters_are_quoted() {
    let app = App::start().await;
    let (long, longer) = ("k".repeat(900_000), "é".repeat(400_000));
    let many: Map<String, Value> = (0..40_000).map(|n| (format!("member-{n}"), json!(1))).collect();
    for body in [
        json!({ "name": "Ada", "email": "a@b", &long: 1 }),
        json!({ "name": "Ada", "email": "a@b", &longer: { "a": 1 } }),
        json!({ "name": long, "email": "" }),
        json!({ "name": "", "email": longer }),
        json!([long]),
        json!(long),
        Value::Object(many),
    ] {
        let answer = app.send("POST", "/api/customers", body.to_string(), &JSON).await;
        assert_eq!(answer.status.as_u16(), 422);
        let told = answer.body.to_string();
        assert!(
            told.len() < 40_000 && !told.contains(&"k".repeat(101)),
            "{} bytes",
            told.len()
        );
        assert!(!told.contains(&"é".repeat(101)), "{told:.500}");
    }
    let name = "n".repeat(6_000);
    for path in [format!("/api/orders?{name}=1"), format!("/api/jobs?state={name}")] {
        let answer = app.send("GET", &path, "", &[]).await;
        assert_eq!(answer.status.as_u16(), 400);
        assert!(answer.body.to_string().len() < 1_000, "{path:.40}");
    }
    let answer = app.send(&"M".repeat(5_000), "/api/orders", "", &[]).await;
    assert!(answer.body.to_string().len() < 1_000, "a long method");
}

#[tokio::test]
async fn a_token_of_ours_is_an_object_too() {
    let app = App::start().await;
    let id = "0198c9c1-0000-7000-8000-000000000001";
    let object = json!({ "k": "order", "i": id, "v": 1, "e": id });
    for (token, taken) in [
        (object.to_string(), true),
        (json!(["order", id, 1, id]).to_string(), false),
        (json!(["order", id, 1, id, null]).to_string(), false),
        (object.to_string().replace("\"v\":1", "\"v\":1,\"v\":2"), false),
    ] {
        let token = URL_SAFE_NO_PAD.encode(token);
        let answer = app
            .send(
                "GET",
                &format!("/api/orders/{id}"),
                "",
                &[("consistency-token", &token)],
            )
            .await;
        let refused = answer.body["type"] == "urn:problem:orders:invalid-consistency-token";
        assert_eq!(refused, !taken, "{answer:?}");
    }
}
