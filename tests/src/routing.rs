//! Each call reaches the function that is its own: by the host's log, and by switching functions off.
//! Never looks at what a function does.

use hyper::StatusCode;
use serde_json::Value;

use crate::{
    functions::{CATCH_ALL, functions, is_http},
    support::{Answer, Client},
    system::System,
};

/// The call that is this function's own; with a body that every one of them refuses.
async fn call(client: &Client, trigger: &Value) -> Answer {
    let method = trigger["methods"][0].as_str().unwrap_or("get").to_uppercase();
    let route = trigger["route"].as_str().unwrap();
    let path = route
        .replace("{id}", "0198c9c1-0000-7000-8000-000000000001")
        .replace("{sku}", "NONE")
        .replace("{sequence}", "1")
        .replace("{*path}", "nothing/at/all");
    let body = if method == "GET" { "" } else { "[]" };
    let json = [("content-type", "application/json")];
    client.send(&method, &format!("/api/{path}"), body, &json).await
}

#[tokio::test]
async fn each_function_is_named_in_the_hosts_log_by_its_own_call() {
    let system = System::start().await;
    for (name, trigger) in functions().into_iter().filter(|(_, trigger)| is_http(trigger)) {
        let executed = format!("Executed 'Functions.{name}' (Succeeded");
        let before = system.lines(&executed);
        let answer = call(&system.client, &trigger).await;
        assert!(answer.status.as_u16() < 500, "{name}: {answer:?}");
        system.logged_more_than(before, &executed).await;
    }
}

#[tokio::test]
async fn a_function_that_is_switched_off_is_404_and_no_other_takes_its_call() {
    // The health of the system is asked for as it starts.
    let off: Vec<(String, Value)> = functions()
        .into_iter()
        .filter(|(name, trigger)| is_http(trigger) && name != CATCH_ALL && !name.starts_with("Health"))
        .collect();
    assert!(off.len() > 30, "{}", off.len());
    let settings: Vec<String> = off
        .iter()
        .map(|(name, _)| format!("AzureWebJobs.{name}.Disabled"))
        .collect();
    let settings: Vec<(&str, &str)> = settings.iter().map(|name| (name.as_str(), "true")).collect();
    let system = System::start_with(&settings).await;
    for (name, trigger) in &off {
        let answer = call(&system.client, trigger).await;
        // The host's own answer: ours would be a problem.
        assert_eq!(
            (answer.status, answer.body),
            (StatusCode::NOT_FOUND, Value::Null),
            "{name}"
        );
    }
    let nothing = system.client.get("/api/nothing").await;
    assert_eq!(nothing.body["type"], "urn:problem:orders:unknown-route");
}
