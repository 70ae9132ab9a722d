//! What the triggers post, member by member in its order.
//! Never waits for a schedule: a function is started by hand.

use serde_json::{Value, json};

use crate::{app::App, host::Host, http::Call, row::Row};

/// The last call of a function, as text, and as JSON.
fn called(host: &Host, name: &str) -> (String, Value) {
    let calls = Call::get(&format!("/api/calls/{name}/1")).send(host).json();
    let last = calls.as_array().and_then(|calls| calls.last()).expect("a call");
    let text = last["text"].as_str().expect("text").to_owned();
    let value = serde_json::from_str(&text).expect("JSON");
    (text, value)
}

/// True when these stand in the text in this order.
fn in_order(text: &str, names: &[&str]) -> bool {
    let mut rest = text;
    names
        .iter()
        .all(|name| match rest.split_once(&format!("\"{name}\":")) {
            Some((_, after)) => {
                rest = after;
                true
            }
            None => false,
        })
}

fn with_queue() -> App {
    let queue = json!([{
        "type": "serviceBusTrigger", "direction": "in", "name": "message", "queueName": "orders", "connection": "Bus",
    }]);
    App::new()
        .http("Echo", "echo/{*rest}", &[])
        .http("Calls", "calls/{name}/{count}", &["get"])
        .function("Project", queue)
        // Nobody is there: the function is started by hand.
        .setting(
            "Bus",
            "Endpoint=sb://127.0.0.1:1;SharedAccessKeyName=n;SharedAccessKey=k;UseDevelopmentEmulator=true;",
        )
}

pub(crate) const ROWS: &[Row] = &[
    Row::http(
        "a timer's call has these members in this order",
        "4, timer",
        "Data.timer: Schedule, ScheduleStatus, IsPastDue; Metadata.sys: MethodName, UtcNow, RandGuid",
        |host| {
            host.start_function("Yearly", "");
            let (text, call) = called(host, "Yearly");
            let names = [
                "Data",
                "timer",
                "Schedule",
                "ScheduleStatus",
                "IsPastDue",
                "Metadata",
                "sys",
                "MethodName",
                "UtcNow",
                "RandGuid",
            ];
            assert!(in_order(&text, &names), "{text}");
            assert_eq!(call["Data"]["timer"]["Schedule"], json!({ "AdjustForDST": true }));
            assert_eq!(call["Metadata"]["sys"]["MethodName"], "Yearly");
        },
    ),
    Row::http(
        "a time has at most seven digits of a second",
        "4",
        "seven digits of a second, where the stand-in had nine",
        |host| {
            host.start_function("Yearly", "");
            let (_, call) = called(host, "Yearly");
            let now = call["Metadata"]["sys"]["UtcNow"]
                .as_str()
                .expect("a time")
                .to_owned();
            let digits = now
                .split_once('.')
                .map_or(0, |(_, digits)| digits.trim_end_matches('Z').len());
            assert!(now.ends_with('Z') && digits <= 7, "{now}");
        },
    ),
    Row::stand_in(
        "a message that is made up has hardly any metadata",
        "4, POST /admin/functions/ProjectEvent",
        "DeliveryCount \"0\", SequenceNumber \"-1\", and the input in Metadata as message",
        |start| {
            let host = start.start(&with_queue());
            host.start_function("Project", "hello");
            let (_, call) = called(&host, "Project");
            let metadata = &call["Metadata"];
            assert_eq!(
                (&metadata["DeliveryCount"], &metadata["SequenceNumber"]),
                (&json!("0"), &json!("-1"))
            );
            assert_eq!(
                (&metadata["message"], &call["Data"]["message"]),
                (&json!("\"hello\""), &json!("\"hello\""))
            );
        },
    ),
];
