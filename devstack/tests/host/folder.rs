//! How the host reads an app folder, and what it says about a bad one.
//! Never checks a message word for word: what matters is that it names the place.

use devstack::host::Host;
use serde_json::{Value, json};

use crate::app::{App, within};

fn names(list: &Value) -> Vec<&str> {
    list.as_array()
        .expect("a list")
        .iter()
        .filter_map(|it| it["name"].as_str())
        .collect()
}

#[tokio::test]
async fn nested_folders_are_ignored_and_a_bad_function_does_not_hide_the_others() {
    let binding = json!({ "bindings": [{ "type": "timerTrigger", "name": "t", "schedule": "0 0 0 1 1 *" }] });
    let running = App::new()
        .write("group/Nested/function.json", &binding)
        .write("1bad/function.json", &binding)
        .write("Broken/function.json", "{")
        .write("Empty/function.json", json!({ "bindings": [] }))
        .write(
            "Underscore/function.json",
            json!({ "bindings": [{ "type": "timerTrigger", "name": "a_b" }] }),
        )
        .start()
        .await;
    assert_eq!(
        names(&running.json("GET", "/admin/functions").await),
        ["Calls", "Exit", "Release"]
    );
    let status = running.json("GET", "/admin/host/status").await;
    assert_eq!(status["state"], "Running");
    let errors = status["errors"].to_string();
    for name in ["1bad/", "Broken/", "Empty/", "Underscore/"] {
        assert!(errors.contains(name), "{name} is missing in {errors}");
        running.logged(&["ERR", name]).await;
    }
    running.stop().await;
}

#[tokio::test]
async fn what_the_stand_in_does_not_do_is_refused_by_name() {
    let bus = |key: &str, value: Value| {
        let mut binding = json!({ "type": "serviceBusTrigger", "name": "m", "queueName": "q" });
        binding[key] = value;
        json!([binding])
    };
    let output = json!([{ "type": "timerTrigger", "name": "t", "schedule": "0 * * * * *" },
        { "type": "serviceBus", "direction": "out", "name": "o" }]);
    for (bindings, field) in [
        (bus("isSessionsEnabled", json!(true)), "isSessionsEnabled"),
        (bus("cardinality", json!("many")), "cardinality"),
        (json!([{ "type": "queueTrigger", "name": "q" }]), "queueTrigger"),
        (output, "bindings[1].type"),
    ] {
        let error = App::new().function("Odd", bindings).refused().await;
        assert!(
            error.contains("Odd/function.json") && error.contains(field),
            "{error}"
        );
    }
}

#[tokio::test]
async fn bad_json_is_one_line_with_the_file_and_the_field() {
    let missing = App::new().host_json(json!({ "version": "2.0", "customHandler": { "description": {} } }));
    let error = missing.refused().await;
    assert!(
        error.starts_with("host.json: customHandler.description.defaultExecutablePath"),
        "{error}"
    );
    let broken = App::new().write("host.json", "{").refused().await;
    assert!(
        broken.starts_with("host.json: ") && !broken.contains('\n'),
        "{broken}"
    );
    let timeout = App::new().host("functionTimeout", "soon").refused().await;
    assert!(timeout.starts_with("host.json: functionTimeout"), "{timeout}");
    let settings = App::new()
        .write("local.settings.json", json!({ "Values": { "A": 1 } }))
        .refused()
        .await;
    assert!(
        settings.starts_with("local.settings.json: Values.A"),
        "{settings}"
    );
}

#[tokio::test]
async fn a_taken_port_is_named() {
    let other = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let app = App::new();
    let mut options = app.options();
    options.listen = other.local_addr().expect("an address");
    let Err(error) = within(Host::start(options.clone())).await else {
        panic!("the host started")
    };
    assert!(
        error.to_string().contains(&options.listen.port().to_string()),
        "{error}"
    );
}

#[tokio::test]
async fn a_setting_is_resolved_and_a_missing_one_fails_the_function_by_name() {
    let running = App::new()
        .setting("When", "0 0 0 1 1 *")
        .timer("Known", "%When%")
        .timer("Unknown", "%Never%")
        .start()
        .await;
    let list = running.json("GET", "/admin/functions").await;
    assert!(names(&list).contains(&"Known") && !names(&list).contains(&"Unknown"));
    running
        .logged(&["Unknown/function.json", "bindings[0].schedule", "%Never%"])
        .await;
    running.stop().await;
}
