//! The function.json files and the handler's routes say the same.
//! Never asks what a function does: only whether it is there on both sides.

use std::{collections::BTreeSet, fs};

use devstack::app_folder::workspace_root;
use hyper::StatusCode;
use serde_json::{Value, json};

use crate::support::App;

/// Name and trigger of every function.
fn functions() -> Vec<(String, Value)> {
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

fn is_http(trigger: &Value) -> bool {
    trigger["type"] == "httpTrigger"
}

#[tokio::test]
async fn every_function_is_served_by_its_method_and_route() {
    let app = App::start().await;
    for (name, trigger) in functions() {
        let (method, path) = if is_http(&trigger) {
            let method = trigger["methods"][0].as_str().unwrap().to_uppercase();
            let route = trigger["route"].as_str().unwrap();
            let route = route
                .replace("{id}", "0198c9c1-0000-7000-8000-000000000001")
                .replace("{sku}", "NONE");
            (method, format!("/api/{route}"))
        } else {
            ("POST".to_owned(), format!("/{name}"))
        };
        let json = [("content-type", "application/json")];
        let answer = app.send(&method, &path, json!({}).to_string(), &json).await;
        assert_ne!(answer.body["type"], "urn:problem:orders:unknown-route", "{name}");
        assert_ne!(answer.status, StatusCode::METHOD_NOT_ALLOWED, "{name}");
    }
    let nothing = app.send("GET", "/api/nothing", "", &[]).await;
    assert_eq!(nothing.body["type"], "urn:problem:orders:unknown-route");
}

#[test]
fn every_route_of_the_handler_has_a_function() {
    let routed: BTreeSet<String> = functions()
        .iter()
        .filter(|(_, trigger)| is_http(trigger))
        .map(|(_, trigger)| format!("/api/{}", trigger["route"].as_str().unwrap()))
        .collect();
    let mut files = Vec::new();
    crate::house::sources(&workspace_root().join("handler/src"), &mut files);
    let mut found = BTreeSet::new();
    for file in files {
        let text = fs::read_to_string(file).unwrap();
        let routes = text
            .split(".route(")
            .skip(1)
            .filter_map(|rest| rest.split('"').nth(1));
        found.extend(
            routes
                .filter(|route| route.starts_with("/api/"))
                .map(str::to_owned),
        );
    }
    assert_eq!(found, routed);
}
