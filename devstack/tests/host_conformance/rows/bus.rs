//! The Service Bus trigger: how many calls at once, what becomes of failed ones, and of those whose handler ends.
//! Never waits for nothing to happen: a timer's calls tell that time has passed.

use serde_json::json;
use uuid::Uuid;

use crate::{
    bus::{Bus, FUNCTION},
    host::{Host, eventually},
    probe::{another, calls, exit, is_running, kill_handler, pid, release},
    row::Row,
};

/// `maxConcurrentCalls` of the app that ran; a host of its own accord takes as many for each core.
const AT_ONCE: usize = 16;

fn dead_letter(bus: &Bus) {
    eventually("a dead letter", || (bus.counts().1 == 1).then_some(()));
}

fn settled(bus: &Bus) {
    eventually("all are settled", || (bus.held() == 0).then_some(()));
}

/// Lets the timer of this host run twice more.
fn two_ticks(host: &Host) {
    let ticks = calls(host, "Tick", 0).len();
    calls(host, "Tick", ticks + 2);
}

pub(crate) const ROWS: &[Row] = &[
    Row::process(
        "a message arrives as base64 with its metadata, and is completed",
        "4, Service Bus",
        "names, types and encoding; Client.Identifier is the namespace's host and a GUID",
        |start| {
            let bus = Bus::start("PT1M", 3);
            let host = start.start(&bus.app());
            bus.send("m-1", r#"{"messageId":"spoofed"}"#);
            let calls = calls(&host, FUNCTION, 1);
            assert_eq!(calls[0]["Data"]["message"], "eyJtZXNzYWdlSWQiOiJzcG9vZmVkIn0=");
            let metadata = &calls[0]["Metadata"];
            for (name, value) in [
                ("MessageId", "\"m-1\""),
                ("DeliveryCount", "1"),
                ("Subject", "\"order.created\""),
                ("SequenceNumber", "1"),
            ] {
                assert_eq!(metadata[name], value, "{metadata}");
            }
            assert_eq!(metadata["ApplicationProperties"], json!({ "attempt": 1 }));
            let enqueued = metadata["EnqueuedTimeUtc"].as_str().map(str::len);
            assert_eq!(enqueued, Some("2026-11-23T21:40:05".len()), "{metadata}");
            let id = metadata["Client"]["Identifier"].as_str().unwrap_or_default();
            let guid = id.len().checked_sub(36).and_then(|at| id.get(at..));
            assert!(guid.is_some_and(|guid| Uuid::parse_str(guid).is_ok()), "{id}");
            settled(&bus);
            assert_eq!(bus.counts(), (1, 0));
        },
    ),
    Row::process(
        "two hosts share the messages, at most 16 at once each",
        "4, and 6, two hosts",
        "at most 16 calls at once; messages were shared about evenly",
        |start| {
            let bus = Bus::start("PT1M", 3);
            let app = bus
                .app()
                .host(
                    &["extensions"],
                    json!({ "serviceBus": { "maxConcurrentCalls": AT_ONCE } }),
                )
                .setting("PROBE_PROJECT", "hold")
                .timer("Tick", "* * * * * *");
            let (one, other) = (start.start(&app), start.start(&app));
            for n in 0..=2 * AT_ONCE {
                bus.send(&format!("m-{n}"), "{}");
            }
            for host in [&one, &other] {
                calls(host, FUNCTION, AT_ONCE);
            }
            for host in [&one, &other] {
                two_ticks(host);
                assert_eq!(calls(host, FUNCTION, 0).len(), AT_ONCE);
            }
            release(&one);
            release(&other);
            settled(&bus);
        },
    ),
    Row::process(
        "a failed call comes again at once, and after all its deliveries the message is dead",
        "5",
        "abandoned, again at once; 50 deliveries within 2 s, then dead-lettered",
        |start| {
            let bus = Bus::start("PT1M", 50);
            let host = start.start(&bus.app().setting("PROBE_PROJECT", "fail"));
            bus.send("m-1", "{}");
            dead_letter(&bus);
            let calls = calls(&host, FUNCTION, 50);
            let counts = calls.iter().map(|call| call["Metadata"]["DeliveryCount"].clone());
            let expected: Vec<String> = (1..=50).map(|count| count.to_string()).collect();
            assert_eq!(counts.collect::<Vec<_>>(), expected);
        },
    ),
    Row::process(
        "a message whose handler is killed loses a delivery, and comes to the next one",
        "5, SIGKILLed once",
        "a message in flight loses one delivery",
        |start| {
            let bus = Bus::start("PT1M", 50);
            let host = start.start(&bus.app().setting("PROBE_PROJECT", "hold"));
            bus.send("m-1", "{}");
            calls(&host, FUNCTION, 1);
            let before = pid(&host);
            kill_handler(before);
            another(&host, before);
            // Until the host has seen that the process is gone, a delivery or two more find nobody.
            let count = calls(&host, FUNCTION, 1)[0]["Metadata"]["DeliveryCount"].clone();
            let count: u32 = count
                .as_str()
                .and_then(|text| text.parse().ok())
                .expect("a number");
            assert!((2..50).contains(&count), "{count}");
            release(&host);
            settled(&bus);
        },
    ),
    Row::process(
        "after exit 0 messages become dead letters",
        "5, exit 0",
        "a message was dead-lettered within 8 s (until host PR 11576 of January 2026)",
        |start| {
            let bus = Bus::start("PT1M", 3);
            let host = start.start(&bus.app());
            let handler = pid(&host);
            exit(&host, 0);
            eventually("it is gone", || (!is_running(handler)).then_some(()));
            bus.send("m-1", "{}");
            dead_letter(&bus);
        },
    ),
];
