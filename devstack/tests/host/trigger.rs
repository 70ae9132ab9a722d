//! Timers and the admin calls: the payload, the answer, and what the log says about a bad one.
//! Never waits for a minute to pass: schedules are by the second, or started by hand.

use axum::body::Body;
use hyper::StatusCode;
use serde_json::{Value, json};

use crate::app::{App, Running};

async fn start(running: &Running, name: &str, input: Value) -> StatusCode {
    let request = running.request("POST", &format!("/admin/functions/{name}"));
    let request = request.body(Body::from(json!({ "input": input }).to_string()));
    running.send(request.expect("a request")).await.status()
}

#[tokio::test]
async fn a_timer_calls_its_function_by_name_with_the_payload_of_the_real_host() {
    let running = App::new().timer("Tick-Tock", "* * * * * *").start().await;
    let calls = running.calls("Tick-Tock", 2).await;
    let call = &calls[0];
    let timer = json!({ "Schedule": { "AdjustForDST": true }, "ScheduleStatus": null, "IsPastDue": false });
    assert_eq!(call["Data"], json!({ "timer": timer }));
    assert_eq!(call["Metadata"]["sys"]["MethodName"], "Tick-Tock");
    assert!(call["Metadata"]["sys"]["UtcNow"].is_string() && call["Metadata"]["sys"]["RandGuid"].is_string());
    assert_eq!(
        (&call["chunked"], &call["invocation"]),
        (&json!(true), &json!(true))
    );
    running
        .logged(&["INF", "Function.Tick-Tock.User", "Tick-Tock was called"])
        .await;
    running.stop().await;
}

#[tokio::test]
async fn an_admin_call_runs_a_function_now() {
    let running = App::new().timer("Yearly", "0 0 0 1 1 *").start().await;
    assert_eq!(start(&running, "yearly", json!("")).await, StatusCode::ACCEPTED);
    assert_eq!(
        running.calls("Yearly", 1).await[0]["Data"]["timer"]["IsPastDue"],
        false
    );
    assert_eq!(start(&running, "Nothing", json!("")).await, StatusCode::NOT_FOUND);
    running.stop().await;
}

#[tokio::test]
async fn an_answer_that_is_no_json_object_of_success_fails_the_call() {
    let answers = [
        ("text", "Invalid HttpResponseMessage"),
        ("problem", "Invalid HttpResponseMessage"),
        ("array", "no JSON object"),
        ("string", "no JSON object"),
        ("broken", "no JSON"),
        ("refuse", "400"),
        ("fail", "500"),
        ("cut", "connection"),
    ];
    let mut app = App::new();
    for (answer, _) in answers {
        app = app
            .timer(answer, "0 0 0 1 1 *")
            .setting(&format!("PROBE_{}", answer.to_uppercase()), answer);
    }
    let running = app.start().await;
    for (answer, words) in answers {
        assert_eq!(start(&running, answer, json!("")).await, StatusCode::ACCEPTED);
        let failed = format!("Executed 'Functions.{answer}' (Failed");
        running.logged(&["ERR", &failed, words]).await;
    }
    running.stop().await;
}

#[tokio::test]
async fn an_answer_with_nothing_is_named_in_the_log() {
    let app = App::new()
        .setting("PROBE_YEARLY", "null")
        .timer("Yearly", "0 0 0 1 1 *");
    let running = app.start().await;
    assert_eq!(start(&running, "Yearly", json!("")).await, StatusCode::ACCEPTED);
    running.logged(&["ERR", "Functions.Yearly", "hangs"]).await;
    running.stop().await;
}

fn disabled(list: &Value) -> Vec<&str> {
    let list = list.as_array().expect("a list").iter();
    let disabled = list.filter(|it| it["isDisabled"] == true);
    disabled.filter_map(|it| it["name"].as_str()).collect()
}

#[tokio::test]
async fn a_disabled_function_is_listed_and_logged_but_does_not_run() {
    let app = App::new()
        .timer("Tick", "* * * * * *")
        .timer("Tock", "* * * * * *");
    let running = app.setting("AzureWebJobs.Tick.Disabled", "true").start().await;
    running.calls("Tock", 2).await;
    assert!(running.calls("Tick", 0).await.is_empty());
    assert_eq!(disabled(&running.json("GET", "/admin/functions").await), ["Tick"]);
    running.logged(&["INF", "Disabled function Tick"]).await;
    running.logged(&["INF", "Found function Tock"]).await;
    assert_eq!(start(&running, "Tick", json!("")).await, StatusCode::BAD_REQUEST);
    running.stop().await;
}

#[tokio::test]
async fn a_disabled_function_needs_none_of_the_settings_that_it_names() {
    let listening = json!({
        "type": "serviceBusTrigger", "direction": "in", "name": "message",
        "topicName": "%Topic%", "subscriptionName": "%Subscription%", "connection": "Bus",
    });
    let app = || {
        App::new()
            .function("Project", json!([listening]))
            .timer("Tick", "%When%")
            .setting("AzureWebJobs.tick.disabled", "True")
    };
    let running = app().setting("AzureWebJobs.Project.Disabled", "1").start().await;
    let status = running.json("GET", "/admin/host/status").await;
    assert_eq!(status["errors"], json!([]));
    let list = running.json("GET", "/admin/functions").await;
    assert_eq!(disabled(&list), ["Project", "Tick"]);
    running.logged(&["INF", "Disabled function Project"]).await;
    running.stop().await;
    // Only these two words switch off.
    let running = app()
        .setting("AzureWebJobs.Project.Disabled", "yes")
        .start()
        .await;
    running.logged(&["ERR", "Project/function.json", "%Topic%"]).await;
    running.stop().await;
}
