//! HTTP through a host that proxies: what the handler sees, what the caller gets, and what never gets so far.
//! Never asks the probe for more than what reached it.

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::{
    app::App,
    http::{Answer, Call, lines, raw},
    row::Row,
};

const ECHO: &str = "/api/echo/x";

fn path(seen: &Value) -> &str {
    seen["path"].as_str().unwrap_or_default()
}

pub(crate) const ROWS: &[Row] = &[
    Row::http(
        "the handler is the host of the request that it sees",
        "3, Host",
        "127.0.0.1 and the handler's port",
        |host| {
            let seen = Call::get(ECHO).header("Host", "shop.example").seen(host);
            let [named] = lines(&seen, "host")[..] else {
                panic!("{seen}")
            };
            assert!(named.starts_with("127.0.0.1:"), "{named}");
            assert_ne!(named, host.address);
        },
    ),
    Row::http(
        "what a caller says of forwarding is overwritten",
        "3, X-Forwarded-For/-Host/-Proto",
        "overwritten or added; Forwarded and Upgrade-Insecure-Requests dropped",
        |host| {
            let call = Call::get(ECHO).header("Host", "shop.example");
            for call in [
                call.clone(),
                call.header("X-Forwarded-For", "9.9.9.9")
                    .header("X-Forwarded-Host", "evil.example")
                    .header("X-Forwarded-Proto", "https")
                    .header("Forwarded", "for=9.9.9.9")
                    .header("Upgrade-Insecure-Requests", "1"),
            ] {
                let seen = call.seen(host);
                assert_eq!(lines(&seen, "x-forwarded-for"), ["127.0.0.1"]);
                assert_eq!(lines(&seen, "x-forwarded-host"), ["shop.example"]);
                assert_eq!(lines(&seen, "x-forwarded-proto"), ["http"]);
                assert!(lines(&seen, "forwarded").is_empty());
                assert!(lines(&seen, "upgrade-insecure-requests").is_empty());
            }
        },
    ),
    Row::http(
        "a forged principal is passed on where nothing stands before the host",
        "3, X-MS-CLIENT-PRINCIPAL",
        "passed on, as no App Service authentication was there",
        |host| {
            let seen = Call::get(ECHO).header("X-MS-CLIENT-PRINCIPAL", "e30=").seen(host);
            assert_eq!(lines(&seen, "x-ms-client-principal"), ["e30="]);
        },
    ),
    Row::http(
        "a header that is sent twice arrives as one line",
        "3, a header sent twice",
        "joined: `1, 2`; two Content-Type became one that the handler refused",
        |host| {
            let seen = Call::new("POST", ECHO)
                .header("Idempotency-Key", "1")
                .header("idempotency-key", "2")
                .header("Content-Type", "application/json")
                .header("Content-Type", "text/plain")
                .body("{}")
                .seen(host);
            assert_eq!(lines(&seen, "idempotency-key"), ["1, 2"]);
            assert_eq!(lines(&seen, "content-type"), ["application/json, text/plain"]);
        },
    ),
    Row::http(
        "without telemetry no trace is made up",
        "3, traceparent, none sent",
        "none",
        |host| assert!(lines(&Call::get(ECHO).seen(host), "traceparent").is_empty()),
    ),
    Row::http(
        "a header value that is not ASCII fails the call",
        "3, non-ASCII header value",
        "500 after 1.9 s",
        |host| {
            let call = Call::get(ECHO).header_bytes("X-Name", "é".as_bytes());
            let asked = Instant::now();
            let answer = call.send(host);
            assert_eq!((answer.status, answer.body.len()), (500, 0));
            assert!(asked.elapsed() >= Duration::from_millis(1_850), "tried ten times");
        },
    ),
    Row::http(
        "a path is decoded and encoded again",
        "3, path",
        "%41 became A, %2F became %252F, é %C3%A9, a quotation mark %22, < and > %3C and %3E",
        |host| {
            for (sent, expected) in [
                ("%41%7e", "A~"),
                ("a%2Fb", "a%252Fb"),
                ("%c3%a9", "%C3%A9"),
                ("a%20b", "a%20b"),
                ("\"", "%22"),
                ("<a>", "%3Ca%3E"),
            ] {
                let seen = Call::get(&format!("/api/echo/{sent}")).seen(host);
                assert_eq!(path(&seen), format!("/api/echo/{expected}"), "{sent}");
            }
        },
    ),
    Row::http(
        "dot segments are resolved before a function is looked for",
        "3, path",
        "/api/x/../orders was 200",
        |host| assert_eq!(path(&Call::get("/api/nothing/../echo/x").seen(host)), ECHO),
    ),
    Row::http(
        "a query arrives as it was sent",
        "3, equal",
        "as it was sent, repeated names too",
        |host| {
            let target = "/api/echo/x?a=1&a=2&b=%41%2f&c";
            assert_eq!(path(&Call::get(target).seen(host)), target);
        },
    ),
    Row::http("the host has a home page", "3, GET /", "200", |host| {
        let answer = Call::get("/").send(host);
        assert_eq!(answer.status, 200);
        assert!(
            answer
                .header("content-type")
                .is_some_and(|it| it.starts_with("text/html"))
        );
    }),
    Row::http("CONNECT is no method for a host", "3, CONNECT", "500", |host| {
        assert_eq!(Call::new("CONNECT", "shop.example:80").send(host).status, 500);
    }),
    Row::http(
        "headers of 40 KB are too many",
        "3, headers of 40 KB",
        "431",
        |host| {
            let call = Call::get(ECHO).header("X-Long", &"a".repeat(40_000));
            assert_eq!(call.send(host).status, 431);
        },
    ),
    Row::http(
        "an address of 10 KB is too long",
        "3, URL of 10 KB",
        "414",
        |host| {
            let call = Call::get(&format!("/api/echo/{}", "a".repeat(10_000)));
            assert_eq!(call.send(host).status, 414);
        },
    ),
    Row::http(
        "a body over 104857600 bytes fails the call",
        "3, body over 104 857 600",
        "500",
        |host| {
            let call = Call::new("POST", ECHO).header("Content-Length", "104857601");
            assert_eq!(call.send(host).status, 500);
        },
    ),
    Row::http(
        "a request without Host is refused",
        "3, no Host",
        "HTTP/1.1: 400; HTTP/1.0: 500",
        |host| {
            for (version, status) in [("1.1", 400), ("1.0", 500)] {
                let request = format!("GET {ECHO} HTTP/{version}\r\nConnection: close\r\n\r\n");
                let answer = raw(host, request.as_bytes()).as_deref().and_then(Answer::read);
                assert_eq!(answer.expect("an answer").status, status, "{version}");
            }
        },
    ),
    Row::http(
        "HTTP/2 by prior knowledge is refused",
        "3, h2c prior knowledge",
        "refused",
        |host| {
            let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
            let answer = raw(host, preface).expect("somebody listens");
            // Whoever speaks it sends SETTINGS first: a frame of type 4.
            assert_ne!(answer.get(3), Some(&4), "{answer:?}");
        },
    ),
    Row::http(
        "answers name their server",
        "3, response",
        "Server: Kestrel",
        |host| {
            for target in [ECHO, "/", "/api/nothing"] {
                let answer = Call::get(target).send(host);
                assert_eq!(answer.header("server"), Some("Kestrel"), "{target}");
            }
        },
    ),
    Row::http(
        "an answer arrives as the handler gave it",
        "3, equal",
        "ETag, 304, 412, Location, problem+json, 405 with Allow as with the handler alone",
        |host| {
            for status in ["201", "304", "405", "412", "503"] {
                let answer = Call::get(ECHO).header("X-Answer", status).send(host);
                assert_eq!(answer.status.to_string(), status);
                for (name, value) in [
                    ("allow", "GET, HEAD"),
                    ("content-type", "application/problem+json"),
                    ("etag", "\"7\""),
                    ("location", "/api/echo/7"),
                    ("x-own", "1"),
                ] {
                    assert_eq!(answer.header(name), Some(value), "{status}");
                }
            }
        },
    ),
    Row::http(
        "any method and HEAD reach a function that names none",
        "3, equal",
        "HEAD, OPTIONS and unknown methods as with the handler alone",
        |host| {
            for method in ["PUT", "DELETE", "OPTIONS", "BREW"] {
                let seen = Call::new(method, ECHO).seen(host);
                assert_eq!(seen["method"], method);
            }
            let head = Call::new("HEAD", ECHO).send(host);
            assert_eq!((head.status, head.header("x-method")), (418, Some("HEAD")));
            assert!(head.body.is_empty());
        },
    ),
    Row::http(
        "a body arrives whole, in chunks or with a length",
        "3, equal",
        "bodies of 150 KB and chunked uploads as with the handler alone",
        |host| {
            let body = "x".repeat(150_000);
            for call in [
                Call::new("POST", ECHO).body(&body),
                Call::new("POST", ECHO).chunked(&body),
            ] {
                assert_eq!(call.seen(host)["body"], body);
            }
        },
    ),
    Row::stand_in(
        "the host's own paths ask for a key",
        "3, /admin and /runtime without a key",
        "401, where Core Tools let them pass",
        |start| {
            let host = start.start(&App::new().http("Echo", "echo/{*rest}", &[]));
            let paths = ["/admin/host/status", "/admin/functions", "/runtime/webhooks/x"];
            for path in paths {
                assert_eq!(Call::get(path).send(&host).status, 401, "{path}");
                let wrong = Call::get(path).header("x-functions-key", "wrong");
                assert_eq!(wrong.send(&host).status, 401, "{path}");
            }
            let with_key = Call::get(paths[0]).header("x-functions-key", crate::host::KEY);
            assert_eq!(with_key.send(&host).status, 200);
        },
    ),
];
