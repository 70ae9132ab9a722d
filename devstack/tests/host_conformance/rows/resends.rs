//! Requests whose connection to the handler breaks: how often it sees them, and what their caller gets.
//! Never waits for a request that does not come: the last answer comes after it.

use std::time::{Duration, Instant};

use crate::{host::Host, http::Call, probe::calls, row::Row};

/// The host's tries take this long together, and hardly longer on a machine with nothing else to do.
const TRIES: Duration = Duration::from_millis(1_850);

/// Sends it where the handler breaks every connection; how often it came, and how long its caller waited. The name is the
/// call's own.
fn cut(host: &Host, method: &str, name: &str, change: impl Fn(Call) -> Call) -> (usize, Duration) {
    let before = calls(host, name, 0).len();
    let asked = Instant::now();
    let answer = change(Call::new(method, &format!("/api/cut/{name}"))).send(host);
    let took = asked.elapsed();
    assert_eq!((answer.status, answer.body.len()), (500, 0), "{method}");
    let seen = calls(host, name, before + 1).split_off(before);
    assert!(seen[0].as_str().is_some_and(|id| !id.is_empty()), "{seen:?}");
    assert!(
        seen.iter().all(|id| *id == seen[0]),
        "one invocation id: {seen:?}"
    );
    (seen.len(), took)
}

pub(crate) const ROWS: &[Row] = &[
    Row::http(
        "a request without a body comes again up to 40 times under one invocation id",
        "2, HTTP requests are sent again",
        "GET, DELETE, POST without Content-Length: up to 40; 500 after about 1.9 s",
        |host| {
            for method in ["GET", "DELETE", "POST"] {
                let (seen, took) = cut(host, method, "absent", |call| call);
                // Ten tries, most of them with more than one send.
                assert!((21..=40).contains(&seen), "{method}: {seen}");
                assert!(took >= TRIES, "{method}: {took:?}");
            }
        },
    ),
    Row::http(
        "a request with a length of zero comes ten times",
        "2, HTTP requests are sent again",
        "POST, PUT with Content-Length: 0: 10",
        |host| {
            for method in ["POST", "PUT"] {
                let (seen, took) = cut(host, method, "empty", |call| call.body(""));
                assert_eq!(seen, 10, "{method}");
                assert!(took >= TRIES, "{method}: {took:?}");
            }
        },
    ),
    Row::http(
        "a request with a body comes once",
        "2, HTTP requests are sent again",
        "POST with a body: 1",
        |host| {
            for method in ["POST", "PUT", "DELETE"] {
                let (seen, _) = cut(host, method, "body", |call| call.body("{}"));
                assert_eq!(seen, 1, "{method}");
            }
        },
    ),
];
