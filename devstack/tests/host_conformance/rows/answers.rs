//! What the host makes of a handler's answers, and of calls without one.
//! Never waits for a schedule: functions are started by hand.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::{
    app::App,
    host::Host,
    http::Call,
    probe::{another, pid},
    row::Row,
};

const NEVER: &str = "0 0 0 1 1 *";
const LIMIT: [&str; 1] = ["functionTimeout"];

/// An app with a function for each of these words of the probe, by that name.
fn answering(words: &[&str]) -> App {
    words.iter().fold(App::whole(), |app, word| {
        app.timer(word, NEVER)
            .setting(&format!("PROBE_{}", word.to_uppercase()), word)
    })
}

/// Starts each of them, and waits until the host has said this of it.
fn assert_all(host: &Host, words: &[&str], outcome: &str) {
    for word in words {
        host.start_function(word, "");
        host.logged(&[&format!("Executed 'Functions.{word}' ({outcome}")]);
    }
}

pub(crate) const ROWS: &[Row] = &[
    Row::process(
        "any 2xx with a JSON object is a success",
        "5",
        "success",
        |start| {
            let words = ["ok", "created", "accepted"];
            assert_all(&start.start(&answering(&words)), &words, "Succeeded");
        },
    ),
    Row::process(
        "an answer that is no JSON object of success fails the call",
        "5",
        "other content type, problem+json, array, string, bad JSON, 4xx, 5xx, broken connection: failure",
        |start| {
            let words = [
                "text", "problem", "array", "string", "broken", "refuse", "fail", "cut",
            ];
            assert_all(&start.start(&answering(&words)), &words, "Failed");
        },
    ),
    Row::process("a redirect is followed", "5", "followed", |start| {
        assert_all(
            &start.start(&answering(&["redirect"])),
            &["redirect"],
            "Succeeded",
        );
    }),
    Row::process(
        "an answer with nothing hangs until the handler is replaced",
        "5",
        "null, empty body, 204: hangs until functionTimeout, then SIGKILL and restart",
        |start| {
            for word in ["null", "empty", "no-content"] {
                let host = start.start(&answering(&[word]).host(&LIMIT, json!("00:00:01")));
                let before = pid(&host);
                let asked = Instant::now();
                host.start_function(word, "");
                another(&host, before);
                assert!(asked.elapsed() >= Duration::from_secs(1), "{word}");
                host.logged(&["Timeout value", &format!("Functions.{word}")]);
            }
        },
    ),
    Row::process(
        "a request over functionTimeout is 500 and the handler is replaced",
        "5",
        "500 without a body, handler killed and restarted",
        |start| {
            let host = start.start(&App::whole().host(&LIMIT, json!("00:00:01")));
            let before = pid(&host);
            let answer = Call::get("/api/hang").send(&host);
            assert_eq!((answer.status, answer.body.len()), (500, 0));
            another(&host, before);
            host.logged(&["Timeout value", "Functions.Probe"]);
        },
    ),
    Row::process(
        "a handler that fails a request as JSON fails its caller",
        "1",
        "the handler answered 500, and so did the host",
        |start| {
            let app = App::whole()
                .host(&["customHandler", "enableProxyingHttpRequest"], json!(false))
                .setting("PROBE_PROBE", "fail");
            let answer = Call::get("/api/x").send(start.start(&app));
            assert_eq!((answer.status, answer.body.len()), (500, 0));
        },
    ),
];
