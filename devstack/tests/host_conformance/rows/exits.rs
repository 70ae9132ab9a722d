//! The ends of the handler, and what becomes of the host and of those who wait.
//! Never kills anything but the handler of the row's own host.

use std::{
    thread,
    time::{Duration, Instant},
};

use crate::{
    app::App,
    host::eventually,
    http::Call,
    probe::{another, calls, exit, is_running, kill_handler, pid, release},
    row::Row,
};

const GIVEN_UP: &str = "restart retry count";

pub(crate) const ROWS: &[Row] = &[
    Row::process(
        "after exit 0 no handler is started, and requests are 500",
        "5, exit 0",
        "never restarted (until host PR 11576 of January 2026): 500 after 1.9 s",
        |start| {
            let host = start.start(&App::whole());
            let handler = pid(&host);
            exit(&host, 0);
            eventually("it is gone", || (!is_running(handler)).then_some(()));
            for _ in 0..2 {
                let asked = Instant::now();
                assert_eq!(Call::get("/api/pid").send(&host).status, 500);
                assert!(asked.elapsed() >= Duration::from_millis(1_850), "tried ten times");
            }
            assert_eq!(Call::get("/").send(&host).status, 200, "the host goes on");
            assert_eq!(host.lines("probe writes to stderr"), 1);
        },
    ),
    Row::process(
        "after exit 200 another handler is started, as often as it likes",
        "5, exit 200",
        "restarted without limit (over 30 seen)",
        |start| {
            let host = start.start(&App::whole());
            for _ in 0..5 {
                let before = pid(&host);
                exit(&host, 200);
                another(&host, before);
            }
        },
    ),
    Row::process(
        "after another exit code calls wait for another handler, and the third ends the host",
        "5, exit neither 0 nor 200",
        "the third ends the host",
        |start| {
            let host = start.start(&App::whole());
            for _ in 0..2 {
                let before = pid(&host);
                exit(&host, 3);
                another(&host, before);
                host.logged(&["Language Worker Process exited", "3"]);
            }
            exit(&host, 3);
            host.ended();
            host.logged(&[GIVEN_UP]);
            assert_eq!(host.lines("probe writes to stderr"), 3);
            assert!(Call::get("/").try_send(&host).is_none(), "the port is closed");
        },
    ),
    Row::process(
        "a handler that is killed once has a successor soon, the third kill ends the host",
        "5, SIGKILLed once",
        "the new handler answered in under 0.5 s",
        |start| {
            let host = start.start(&App::whole());
            for _ in 0..2 {
                let before = pid(&host);
                kill_handler(before);
                another(&host, before);
            }
            kill_handler(pid(&host));
            host.ended();
            host.logged(&[GIVEN_UP]);
        },
    ),
    Row::process(
        "a request that waits at a killed handler is answered by the next one",
        "5, SIGKILLed once",
        "waiting HTTP is sent again, no failed answer",
        |start| {
            let host = start.start(&App::whole());
            let before = pid(&host);
            let waiting = host.clone();
            let waiting = thread::spawn(move || Call::get("/api/held").send(&waiting));
            calls(&host, "held", 1);
            kill_handler(before);
            let next = another(&host, before);
            calls(&host, "held", 1);
            release(&host);
            let answer = waiting.join().expect("an answer");
            assert_eq!(answer.status, 200);
            assert_eq!(String::from_utf8_lossy(&answer.body), next.to_string());
        },
    ),
    Row::process(
        "a GET that ends the handler comes again until the host ends",
        "2, HTTP requests are sent again",
        "killed three handlers within a second and shut the host down",
        |start| {
            let host = start.start(&App::whole());
            // On a busy machine one request's tries may be over before the third handler is there.
            eventually("the host ends", || {
                let _ = Call::get("/api/exit/1").try_send(&host);
                host.exit_code()
            });
            host.logged(&[GIVEN_UP]);
            assert_eq!(host.lines("probe writes to stderr"), 3);
        },
    ),
];
