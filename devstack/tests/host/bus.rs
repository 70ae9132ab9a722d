//! The Service Bus trigger against the emulator: what a function gets, and what becomes of the message.
//! Never waits for nothing to happen: a later message proves that an earlier one did not come again.

use hyper::StatusCode;
use serde_json::{Value, json};

use crate::{
    app::App,
    broker::{Broker, TOPIC},
};

pub(crate) fn listening(broker: &Broker, data_type: &str) -> App {
    let trigger = json!({
        "type": "serviceBusTrigger", "direction": "in", "name": "message",
        "topicName": "%Topic%", "subscriptionName": "view",
        "connection": "Bus", "dataType": data_type,
    });
    App::new()
        .function("Project", json!([trigger]))
        .setting("Topic", TOPIC)
        .setting("Bus", &broker.emulator.connection_string())
}

fn ids(calls: &[Value]) -> Vec<&str> {
    calls
        .iter()
        .filter_map(|call| call["Metadata"]["MessageId"].as_str())
        .collect()
}

#[tokio::test]
async fn a_text_message_is_encoded_twice_and_merged_into_the_metadata() {
    let broker = Broker::start("PT1M", 3).await;
    let running = listening(&broker, "string").start().await;
    broker.client().await.send("m-1", r#"{"qty":2}"#).await;
    let calls = running.calls("Project", 1).await;
    assert_eq!(calls[0]["Data"]["message"], r#""{\"qty\":2}""#);
    assert_eq!(calls[0]["Metadata"]["qty"], "\"2\"");
    running.stop().await;
}

#[tokio::test]
async fn a_message_that_always_fails_becomes_a_dead_letter() {
    let broker = Broker::start("PT1M", 2).await;
    let running = listening(&broker, "binary")
        .setting("PROBE_PROJECT", "fail")
        .start()
        .await;
    let mut client = broker.client().await;
    client.send("m-1", "poison").await;
    assert_eq!(client.dead_letter().await, "poison");
    assert_eq!(running.calls("Project", 2).await.len(), 2);
    running.stop().await;
}

/// The real host's settling then fails with a lost lock, which it logs: the message is no longer its own.
#[tokio::test]
async fn a_message_that_its_function_settled_is_neither_delivered_again_nor_counted() {
    for mode in ["hold", "hold-fail"] {
        let broker = Broker::start("PT1M", 3).await;
        let running = listening(&broker, "binary")
            .setting("PROBE_PROJECT", mode)
            .start()
            .await;
        let mut client = broker.client().await;
        client.send("m-1", "rubbish").await;
        let calls = running.calls("Project", 1).await;
        let lock = calls[0]["Metadata"]["LockToken"].as_str().expect("a token");
        client
            .suspend(lock.trim_matches('"').parse().expect("a UUID"))
            .await;
        running.call("POST", "/api/release").await;
        assert_eq!(client.dead_letter().await, "rubbish", "{mode}");
        // The host ends what it has begun, so that nothing can come after it.
        running.stop().await;
        let switches = broker.emulator.switches();
        assert_eq!(switches.held("events/Subscriptions/view"), Some(0), "{mode}");
        let counts = switches.counts();
        // One delivery and its outcome by token; the other of each is the test's own look at the dead letter.
        let seen = [counts.deliveries, counts.settlements, counts.dead_letters];
        assert_eq!(seen, [2, 2, 1], "{mode}");
    }
}

/// The real host's client throws while it reads such a message, which stays locked then until its lock ends.
#[tokio::test]
async fn a_message_that_cannot_be_decoded_is_named_and_the_others_go_on() {
    let broker = Broker::start("PT1M", 1).await;
    let running = listening(&broker, "binary").start().await;
    let mut client = broker.client().await;
    client.send_unreadable().await;
    running
        .logged(&["ERR", "Functions.Project is not called", "cannot be decoded"])
        .await;
    let switches = broker.emulator.switches();
    switches.expire_locks();
    assert_eq!(switches.counts().dead_letters, 1);
    client.send("m-1", "{}").await;
    assert_eq!(ids(&running.calls("Project", 1).await), ["\"m-1\""]);
    assert_eq!(running.lines("Project listens to"), 1, "the link went on");
    running.stop().await;
}

#[tokio::test]
async fn the_lock_of_a_long_call_is_renewed() {
    let broker = Broker::start("PT1S", 3).await;
    let app = listening(&broker, "binary")
        .setting("PROBE_PROJECT", "hold")
        .timer("Tick", "* * * * * *");
    let running = app.start().await;
    let mut client = broker.client().await;
    client.send("m-1", "{}").await;
    running.calls("Project", 1).await;
    // Three ticks are at least twice the lock.
    let ticks = running.calls("Tick", 0).await.len();
    running.calls("Tick", ticks + 3).await;
    running.call("POST", "/api/release").await;
    client.send("m-2", "{}").await;
    assert_eq!(ids(&running.calls("Project", 2).await), ["\"m-1\"", "\"m-2\""]);
    running.stop().await;
}

#[tokio::test]
async fn no_more_messages_run_at_once_than_allowed() {
    let broker = Broker::start("PT1M", 3).await;
    let app = listening(&broker, "binary").setting("PROBE_PROJECT", "hold");
    let app = app
        .host("extensions__serviceBus__maxConcurrentCalls", "2")
        .timer("Tick", "* * * * * *");
    let running = app.start().await;
    let mut client = broker.client().await;
    for id in ["m-1", "m-2", "m-3"] {
        client.send(id, "{}").await;
    }
    let ticks = running.calls("Tick", 0).await.len();
    running.calls("Tick", ticks + 2).await;
    assert_eq!(running.calls("Project", 2).await.len(), 2);
    running.call("POST", "/api/release").await;
    assert_eq!(running.calls("Project", 3).await.len(), 3);
    running.stop().await;
}

#[tokio::test]
async fn the_listener_connects_again_when_the_bus_comes_back() {
    let broker = Broker::start("PT1M", 3).await;
    let address = broker.emulator.address();
    let running = listening(&broker, "binary").start().await;
    running
        .logged(&["Project listens to events/Subscriptions/view"])
        .await;
    broker.emulator.stop().await;
    running.logged(&["WRN", "Project does not hear"]).await;
    let broker = Broker::start_at(address, "PT1M", 3).await;
    broker.client().await.send("m-1", "{}").await;
    assert_eq!(ids(&running.calls("Project", 1).await), ["\"m-1\""]);
    running.stop().await;
}

#[tokio::test]
async fn a_connection_that_is_missing_or_not_an_emulator_is_refused_by_name() {
    let broker = Broker::start("PT1M", 3).await;
    let azure = "Endpoint=sb://x.servicebus.windows.net;SharedAccessKeyName=n;SharedAccessKey=k";
    let error = listening(&broker, "binary").setting("Bus", azure).refused().await;
    assert!(
        error.starts_with("setting Bus:") && error.contains("UseDevelopmentEmulator"),
        "{error}"
    );
    let mut app = listening(&broker, "binary");
    app.environment.remove("Bus");
    let error = app.refused().await;
    assert!(
        error.starts_with("setting Bus:") && error.contains("Project"),
        "{error}"
    );
}

#[tokio::test]
async fn an_admin_call_stands_in_for_a_message() {
    let broker = Broker::start("PT1M", 3).await;
    let running = listening(&broker, "binary").start().await;
    let request = running
        .request("POST", "/admin/functions/Project")
        .body(r#"{"input":"hi"}"#.into());
    assert_eq!(
        running.send(request.expect("a request")).await.status(),
        StatusCode::ACCEPTED
    );
    assert_eq!(running.calls("Project", 1).await[0]["Data"]["message"], "aGk=");
    running.stop().await;
}
