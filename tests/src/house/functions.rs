//! What the Functions host reads: no call may reach two functions, as it takes the first by name whose route fits.
//! Never looks at what a function does.

use std::{collections::BTreeMap, fs};

use devstack::app_folder::workspace_root;
use serde_json::Value;
use uuid::Uuid;

/// Takes what no other function does, and so must be tried last.
const CATCH_ALL: &str = "ZCatchAll";

/// Name and bindings of every function.
fn functions() -> BTreeMap<String, Value> {
    let folders = fs::read_dir(workspace_root().join("functions")).unwrap();
    let read = |folder: fs::DirEntry| {
        let text = fs::read_to_string(folder.path().join("function.json")).unwrap();
        let definition: Value = serde_json::from_str(&text).unwrap();
        let name = folder.file_name().into_string().unwrap();
        (name, definition["bindings"].clone())
    };
    folders.map(|folder| read(folder.unwrap())).collect()
}

/// The constraint of a part in braces, empty where it has none; `None` for text.
fn constraint(part: &str) -> Option<&str> {
    let inner = part.strip_prefix('{')?.strip_suffix('}')?;
    Some(inner.split_once(':').map_or("", |(_, constraint)| constraint))
}

/// Whether this text can stand where the constraint is.
fn fits(constraint: &str, text: &str) -> bool {
    match constraint {
        "guid" => Uuid::parse_str(text).is_ok(),
        "int" | "long" => text.parse::<i64>().is_ok(),
        "bool" => ["true", "false"].contains(&text),
        "alpha" => text.bytes().all(|byte| byte.is_ascii_alphabetic()),
        _ => true,
    }
}

/// Whether some path fits both routes.
fn meet(one: &str, other: &str) -> bool {
    let parts = |route: &str| -> Vec<String> { route.split('/').map(str::to_lowercase).collect() };
    let (one, other) = (parts(one), parts(other));
    let both = |(one, other): (&String, &String)| match (constraint(one), constraint(other)) {
        (None, None) => one == other,
        (Some(open), None) => fits(open, other),
        (None, Some(open)) => fits(open, one),
        // No number is a UUID.
        (Some(a), Some(b)) => {
            !(["int", "long"].contains(&a) && b == "guid" || ["int", "long"].contains(&b) && a == "guid")
        }
    };
    one.len() == other.len() && one.iter().zip(&other).all(both)
}

#[test]
fn no_call_reaches_two_functions() {
    let mut routes: Vec<(String, String, String)> = Vec::new();
    for (name, bindings) in functions() {
        let trigger = &bindings[0];
        if trigger["type"] != "httpTrigger" || name == CATCH_ALL {
            continue;
        }
        let route = trigger["route"].as_str().unwrap();
        assert!(!route.contains("{*") && !route.contains("?}"), "{name}: {route}");
        for method in trigger["methods"].as_array().unwrap() {
            let method = method.as_str().unwrap().to_lowercase();
            for (other, its_method, its_route) in &routes {
                let both = *its_method == method && meet(its_route, route);
                assert!(!both, "{name} and {other} both take {method} {route}");
            }
            routes.push((name.clone(), method, route.to_owned()));
        }
    }
    assert!(routes.len() > 30, "{routes:?}");
}

#[test]
fn the_function_for_everything_else_is_the_last_by_name() {
    let functions = functions();
    let last = functions.keys().max_by_key(|name| name.to_lowercase()).unwrap();
    assert_eq!(last, CATCH_ALL);
    assert_eq!(functions[last][0]["route"], "{*path}");
    assert!(functions[last][0]["methods"].is_null(), "it takes every method");
}

#[test]
fn every_http_function_answers_by_the_binding_that_the_handler_names() {
    for (name, bindings) in functions() {
        if bindings[0]["type"] == "httpTrigger" {
            assert_eq!(
                (&bindings[1]["type"], &bindings[1]["name"]),
                (&"http".into(), &"response".into()),
                "{name}"
            );
        }
    }
}

#[test]
fn routes_meet_where_a_part_may_be_anything() {
    for (one, other, expected) in [
        ("jobs/{id}", "jobs/rebuilds", true),
        ("jobs/{id}", "Jobs/{kind}", true),
        ("jobs/{id}", "jobs", false),
        ("jobs/{id}/state", "orders/{id}/state", false),
        ("jobs/{id:guid}", "jobs/rebuilds", false),
        ("jobs/{id:guid}", "jobs/{number:int}", false),
        ("jobs/{id:guid}", "jobs/{kind}", true),
        ("jobs/{number:int}", "jobs/7", true),
    ] {
        assert_eq!(meet(one, other), expected, "{one} {other}");
    }
}
