//! What the triggers post, member by member in its order.
//! Never waits for a minute: a function is started by hand, or due each second.

use serde_json::{Value, json};

use crate::{
    app::App,
    bus::{Bus, FUNCTION},
    host::Host,
    http::Call,
    probe::calls,
    row::Row,
};

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
    Row::process(
        "a timer under a minute has no status of its schedule",
        "4, timer",
        "ScheduleStatus null and IsPastDue false with a schedule of 5 s; useMonitor did not change it",
        |start| {
            let timer = |is_monitored: bool| {
                json!([{
                    "type": "timerTrigger", "direction": "in", "name": "timer", "schedule": "* * * * * *",
                    "useMonitor": is_monitored,
                }])
            };
            let app = App::whole()
                .function("Plain", timer(false))
                .function("Monitored", timer(true));
            let host = start.start(&app);
            for name in ["Plain", "Monitored"] {
                for call in calls(&host, name, 2) {
                    let timer = &call["Data"]["timer"];
                    assert_eq!(
                        (&timer["ScheduleStatus"], &timer["IsPastDue"]),
                        (&json!(null), &json!(false))
                    );
                }
            }
        },
    ),
    Row::process(
        "a message that is made up has hardly any metadata",
        "4, POST /admin/functions/ProjectEvent",
        "DeliveryCount \"0\", SequenceNumber \"-1\", and the input in Metadata as message",
        |start| {
            let bus = Bus::start("PT1M", 3);
            let host = start.start(&bus.app());
            host.start_function(FUNCTION, "hello");
            let (_, call) = called(&host, FUNCTION);
            let metadata = &call["Metadata"];
            assert_eq!(
                (&metadata["DeliveryCount"], &metadata["SequenceNumber"]),
                (&json!("0"), &json!("-1"))
            );
            assert_eq!(
                (&metadata["message"], &call["Data"]["message"]),
                (&json!("\"hello\""), &json!("aGVsbG8="))
            );
        },
    ),
];
