//! function.json files, the handler's routes and the API's description say the same.
//! Never asks what a function does: only whether it is there on all sides.

use std::{collections::BTreeSet, fs};

use devstack::app_folder::workspace_root;
use hyper::{StatusCode, header::HeaderValue};
use serde_json::{Value, json};
use tokio::process::Command;

use crate::{
    support::{App, Client, Database, NO_DOCUMENTS, binary},
    system::System,
};

/// Name and trigger of every function.
pub(crate) fn functions() -> Vec<(String, Value)> {
    let folders = fs::read_dir(workspace_root().join("functions")).unwrap();
    let read = |folder: fs::DirEntry| {
        let text = fs::read_to_string(folder.path().join("function.json")).unwrap();
        let definition: Value = serde_json::from_str(&text).unwrap();
        (
            folder.file_name().into_string().unwrap(),
            definition["bindings"][0].clone(),
        )
    };
    folders.map(|folder| read(folder.unwrap())).collect()
}

pub(crate) fn is_http(trigger: &Value) -> bool {
    trigger["type"] == "httpTrigger"
}

/// The calls of the API's own description, as (operation, method, path).
async fn described(client: &Client) -> BTreeSet<(String, String, String)> {
    let document = client.send("GET", "/api/openapi.json", "", &[]).await.body;
    let mut found = BTreeSet::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            let name = operation["operationId"].as_str().unwrap();
            found.insert((name.to_owned(), method.clone(), path.clone()));
        }
    }
    found
}

/// One function takes what no other does, so that the handler can say 404, 405 and what is allowed.
pub(crate) const CATCH_ALL: &str = "ZCatchAll";

#[tokio::test]
async fn functions_and_the_described_calls_are_the_same() {
    let app = App::start().await;
    let http = functions()
        .into_iter()
        .filter(|(name, trigger)| is_http(trigger) && name != CATCH_ALL);
    let functions: BTreeSet<_> = http
        .map(|(name, trigger)| {
            let method = trigger["methods"][0].as_str().unwrap().to_owned();
            assert_eq!(trigger["methods"].as_array().unwrap().len(), 1, "{name}");
            (
                name,
                method,
                format!("/api/{}", trigger["route"].as_str().unwrap()),
            )
        })
        .collect();
    assert_eq!(described(&app).await, functions);
}

#[test]
fn no_path_holds_more_than_ids_numbers_and_skus() {
    let names: BTreeSet<String> = functions()
        .into_iter()
        .filter(|(name, _)| name != CATCH_ALL)
        .filter_map(|(_, trigger)| trigger["route"].as_str().map(str::to_owned))
        .flat_map(|route| {
            let parts = route.split('/').filter(|part| part.starts_with('{'));
            parts.map(str::to_owned).collect::<Vec<_>>()
        })
        .collect();
    // Hosts make `%252F` of `%2F`: a name with a slash could not be asked for.
    assert_eq!(names, ["{id}", "{sequence}", "{sku}"].map(str::to_owned).into());
}

#[tokio::test]
async fn every_described_call_and_every_trigger_is_served() {
    let database = Database::create().await;
    let mut settings = database.settings(Database::server_address());
    // Nobody is there: what cannot be decoded does not get so far.
    settings.extend(NO_DOCUMENTS.map(|(name, value)| (name.to_owned(), value.to_owned())));
    let app = App::start_with(database, settings).await;
    let calls = described(&app)
        .await
        .into_iter()
        .map(|(_, method, path)| (method, path));
    let triggers = functions().into_iter().filter(|(_, trigger)| !is_http(trigger));
    let triggers = triggers.map(|(name, _)| ("post".to_owned(), format!("/{name}")));
    for (method, path) in calls.chain(triggers) {
        let path = path
            .replace("{id}", "0198c9c1-0000-7000-8000-000000000001")
            .replace("{sku}", "NONE");
        let json = [("content-type", "application/json")];
        let answer = app
            .send(&method.to_uppercase(), &path, json!({}).to_string(), &json)
            .await;
        assert_ne!(answer.body["type"], "urn:problem:orders:unknown-route", "{path}");
        assert_ne!(answer.status, StatusCode::METHOD_NOT_ALLOWED, "{path}");
    }
}

#[tokio::test]
async fn what_is_served_nowhere_is_told_apart_from_what_is_served_otherwise() {
    let system = System::start().await;
    let client = &system.client;
    let nothing = client.send("GET", "/api/nothing", "", &[]).await;
    assert_eq!(
        (nothing.status, &nothing.body["type"]),
        (StatusCode::NOT_FOUND, &json!("urn:problem:orders:unknown-route"))
    );
    let other = client.send("DELETE", "/api/orders", "", &[]).await;
    assert_eq!(
        (other.status, &other.body["type"], &other.headers["allow"]),
        (
            StatusCode::METHOD_NOT_ALLOWED,
            &json!("urn:problem:orders:method-not-allowed"),
            &HeaderValue::from_static("POST,GET,HEAD")
        )
    );
    let options = client.send("OPTIONS", "/api/orders/1", "", &[]).await;
    assert_eq!(
        (options.status, &options.headers["allow"]),
        (StatusCode::NO_CONTENT, &HeaderValue::from_static("GET,HEAD"))
    );
    let head = client.send("HEAD", "/api/health", "", &[]).await;
    assert_eq!((head.status, head.body), (StatusCode::OK, Value::Null));
}

#[tokio::test]
async fn the_checked_in_descriptions_are_fresh() {
    for (file, arguments) in [
        ("openapi.json", &["openapi"][..]),
        ("openapi-3.0.json", &["openapi", "--v3-0"]),
    ] {
        let output = Command::new(binary()).args(arguments).output().await.unwrap();
        let printed: Value = serde_json::from_slice(&output.stdout).unwrap();
        let checked_in = fs::read_to_string(workspace_root().join("docs").join(file)).unwrap();
        let checked_in: Value = serde_json::from_str(&checked_in).unwrap();
        let command = arguments.join(" ");
        assert!(
            printed == checked_in,
            "docs/{file} is old: cargo run -p handler -- {command} > docs/{file}"
        );
    }
}

/// Every object of a document, at any depth.
fn objects<'a>(value: &'a Value, into: &mut Vec<&'a serde_json::Map<String, Value>>) {
    match value {
        Value::Object(object) => {
            into.push(object);
            object.values().for_each(|value| objects(value, into));
        }
        Value::Array(values) => values.iter().for_each(|value| objects(value, into)),
        _ => {}
    }
}

#[test]
fn the_description_for_api_management_is_the_same_in_an_older_dialect() {
    let [new, old] = ["openapi.json", "openapi-3.0.json"].map(|file| -> Value {
        let text = fs::read_to_string(workspace_root().join("docs").join(file)).unwrap();
        serde_json::from_str(&text).unwrap()
    });
    assert_eq!(
        (&new["openapi"], &old["openapi"]),
        (&json!("3.1.0"), &json!("3.0.3"))
    );
    let mut schemas = Vec::new();
    objects(&old["components"]["schemas"], &mut schemas);
    for schema in schemas {
        // What OpenAPI 3.0 does not know: several types, constants, and annotations beside a reference.
        assert!(!schema.get("type").is_some_and(Value::is_array), "{schema:?}");
        assert!(
            !schema.contains_key("const") && !schema.contains_key("$schema"),
            "{schema:?}"
        );
        assert!(!schema.contains_key("$ref") || schema.len() == 1, "{schema:?}");
    }
    let names = |document: &Value| -> Vec<String> {
        document["components"]["schemas"]
            .as_object()
            .unwrap()
            .keys()
            .cloned()
            .collect()
    };
    assert_eq!(names(&new), names(&old));
    let calls = |document: &Value| document["paths"].to_string();
    assert_eq!(calls(&new), calls(&old));
    for (name, operation) in new["paths"].as_object().unwrap() {
        for operation in operation.as_object().unwrap().values() {
            let answers = operation["responses"].as_object().unwrap();
            let success = answers
                .iter()
                .find(|(status, _)| status.starts_with('2'))
                .unwrap()
                .1;
            let example = success["content"].as_object().unwrap().values().next().unwrap();
            assert!(
                example["example"] != Value::Null,
                "{name} has no example of its answer"
            );
            let body = &operation["requestBody"]["content"]["application/json"];
            assert!(
                body.is_null() || body["example"] != Value::Null,
                "{name} has no example of its body"
            );
        }
    }
}

#[test]
fn every_kind_of_problem_is_documented() {
    let root = workspace_root();
    let table = fs::read_to_string(root.join("handler/src/http/problem_kind.rs")).unwrap();
    let documented = fs::read_to_string(root.join("docs/problems.md")).unwrap();
    let rows = table
        .split("\nkinds! {")
        .nth(1)
        .unwrap()
        .split("\n}")
        .next()
        .unwrap();
    let quoted = rows.split(';').filter_map(|row| row.split('"').nth(1));
    let names: Vec<&str> = quoted.collect();
    assert!(names.len() > 20, "{names:?}");
    for name in names {
        assert!(
            documented.contains(&format!("`{name}`")),
            "docs/problems.md says nothing of {name}"
        );
    }
}
