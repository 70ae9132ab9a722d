//! Older hosts: the request is made anew, with its losses, or handed over as JSON. And newer ones that are told both.
//! Never with a host that was not told so by host.json.

use serde_json::json;

use crate::{
    app::App,
    http::{Call, lines},
    row::Row,
};

const ECHO: &str = "/api/echo/x";
const PROXYING: [&str; 2] = ["customHandler", "enableProxyingHttpRequest"];
const FORWARDING: [&str; 2] = ["customHandler", "enableForwardingHttpRequest"];

fn app(is_proxying: bool, is_forwarding: bool) -> App {
    App::new()
        .host(&PROXYING, json!(is_proxying))
        .host(&FORWARDING, json!(is_forwarding))
        .http("Echo", "echo/{*rest}", &[])
}

pub(crate) const ROWS: &[Row] = &[
    Row::process(
        "with both properties a request is proxied",
        "6",
        "proxied",
        |start| {
            let host = start.start(&app(true, true));
            let seen = Call::new("POST", ECHO).chunked("{}").seen(&host);
            assert_eq!(lines(&seen, "x-ms-invocation-id").len(), 1);
        },
    ),
    Row::stand_in(
        "a host that cannot proxy ignores the property in silence",
        "1",
        "the handler got the envelope; with the other property too, older hosts forward",
        |start| {
            let host = start.start_with(&app(true, true), "--knows forwarding");
            assert!(lines(&Call::get(ECHO).seen(&host), "x-ms-invocation-id").is_empty());
        },
    ),
    Row::process(
        "forwarding fails a body in chunks",
        "3, forwarding",
        "500",
        |start| {
            let host = start.start(&app(false, true));
            let answer = Call::new("POST", ECHO).chunked("{}").send(&host);
            assert_eq!((answer.status, answer.body.len()), (500, 0));
        },
    ),
    Row::process(
        "forwarding drops the type of an empty body",
        "3, forwarding",
        "a POST with an empty body arrived without Content-Type",
        |start| {
            let host = start.start(&app(false, true));
            let call = || Call::new("POST", ECHO).header("Content-Type", "application/json");
            assert!(lines(&call().body("").seen(&host), "content-type").is_empty());
            let seen = call().body("{}").seen(&host);
            assert_eq!(lines(&seen, "content-type"), ["application/json"]);
        },
    ),
    Row::process(
        "forwarding joins the values of a name in the query",
        "3, forwarding",
        "repeated query names merged",
        |start| {
            let host = start.start(&app(false, true));
            let seen = Call::get("/api/echo/x?a=1&b=3&a=2").seen(&host);
            let path = seen["path"].as_str().unwrap_or_default().replace("%2C", ",");
            assert_eq!(path, "/api/echo/x?a=1,2&b=3");
        },
    ),
    Row::process(
        "forwarding gives a 304 a length",
        "3, forwarding",
        "Content-Length: 0",
        |start| {
            let host = start.start(&app(false, true));
            let answer = Call::get(ECHO).header("X-Answer", "304").send(&host);
            assert_eq!((answer.status, answer.header("content-length")), (304, Some("0")));
            let host = start.start(&app(true, false));
            let answer = Call::get(ECHO).header("X-Answer", "304").send(&host);
            assert_eq!((answer.status, answer.header("content-length")), (304, None));
        },
    ),
    Row::process(
        "without either property the handler gets the request as JSON",
        "1",
        "POST /<function> with Data.request: Url, Method, Query, Headers, Params, Identities",
        |start| {
            let host = start.start(&app(false, false));
            let answer = Call::new("PUT", "/api/echo/x?a=1").body("{\"b\":2}").send(&host);
            let seen = &answer.json()["Data"]["request"];
            assert!(
                seen["Url"]
                    .as_str()
                    .is_some_and(|url| url.ends_with("/api/echo/x?a=1")),
                "{seen}"
            );
            assert_eq!(
                (&seen["Method"], &seen["Query"]),
                (&json!("PUT"), &json!({ "a": "1" }))
            );
            assert_eq!(
                (&seen["Params"], &seen["Body"]),
                (&json!({ "rest": "x" }), &json!("{\"b\":2}"))
            );
            assert!(
                seen["Headers"].is_object() && seen["Identities"].is_array(),
                "{seen}"
            );
        },
    ),
];
