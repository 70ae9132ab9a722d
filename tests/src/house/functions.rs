//! What the Functions host reads: no call may reach two functions.
//! Never looks at what a function does.

use std::{collections::BTreeMap, fs};

use devstack::app_folder::workspace_root;
use serde_json::Value;

/// Takes what no other function does.
const CATCH_ALL: &str = "{*path}";

/// Whether some path fits both routes: a part in braces fits every part.
fn meet(one: &str, other: &str) -> bool {
    let parts = |route: &str| -> Vec<String> { route.split('/').map(str::to_lowercase).collect() };
    let (one, other) = (parts(one), parts(other));
    let is_open = |part: &str| part.starts_with('{');
    one.len() == other.len()
        && one
            .iter()
            .zip(&other)
            .all(|(one, other)| one == other || is_open(one) || is_open(other))
}

#[test]
fn no_call_reaches_two_functions() {
    let mut routes: BTreeMap<String, (String, String)> = BTreeMap::new();
    for folder in fs::read_dir(workspace_root().join("functions")).unwrap() {
        let folder = folder.unwrap();
        let text = fs::read_to_string(folder.path().join("function.json")).unwrap();
        let definition: Value = serde_json::from_str(&text).unwrap();
        let trigger = &definition["bindings"][0];
        let route = trigger["route"].as_str().unwrap_or_default();
        if trigger["type"] != "httpTrigger" || route == CATCH_ALL {
            continue;
        }
        let name = folder.file_name().into_string().unwrap();
        for method in trigger["methods"].as_array().unwrap() {
            let method = method.as_str().unwrap().to_lowercase();
            for (other, (its_method, its_route)) in &routes {
                let both = *its_method == method && meet(its_route, route);
                assert!(!both, "{name} and {other} both take {method} {route}");
            }
            routes.insert(format!("{name} {method}"), (method, route.to_owned()));
        }
    }
    assert!(routes.len() > 30, "{routes:?}");
}

#[test]
fn routes_meet_where_a_part_may_be_anything() {
    for (one, other, expected) in [
        ("jobs/{id}", "jobs/rebuilds", true),
        ("jobs/{id}", "Jobs/{kind}", true),
        ("jobs/{id}", "jobs", false),
        ("jobs/{id}/state", "orders/{id}/state", false),
    ] {
        assert_eq!(meet(one, other), expected, "{one} {other}");
    }
}
