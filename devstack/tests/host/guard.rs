//! The host's own paths, asked for by a web page that a user has open.
//! Never asks for more than the answer's status: nothing may have happened either.

use axum::body::Body;
use hyper::StatusCode;

use crate::app::App;

/// What a page of another origin sends, or one whose name leads here.
const FOREIGN: [(&str, &str); 11] = [
    ("host", "evil.example"),
    ("host", "evil.example:7071"),
    ("host", "localhost.evil.example"),
    ("host", "127.0.0.1.evil.example"),
    ("host", "localhost@evil.example"),
    ("host", "10.0.0.4"),
    ("host", ""),
    ("origin", "https://evil.example"),
    ("origin", "http://localhost.evil.example"),
    ("origin", "null"),
    ("origin", ""),
];

#[tokio::test]
async fn the_hosts_own_paths_are_for_this_machine_alone() {
    let running = App::new().http("Echo", "echo").start().await;
    let address = running.host.url().replace("http://", "");
    let paths = [
        ("POST", "/admin/functions/Echo"),
        ("POST", "/Admin/functions/Echo"),
        ("GET", "/admin/functions"),
        ("GET", "/admin/host/status"),
        ("POST", "/admin/host/ping"),
        ("GET", "/admin/nothing"),
        ("GET", "/runtime/webhooks/x"),
    ];
    for (method, path) in paths {
        for (name, value) in FOREIGN {
            let request = running.request(method, path).header(name, value);
            let answer = running
                .send(request.body(Body::empty()).expect("a request"))
                .await;
            assert_eq!(
                answer.status(),
                StatusCode::FORBIDDEN,
                "{method} {path} {name}: {value}"
            );
        }
        for (name, value) in [
            ("host", address.as_str()),
            ("host", "localhost:1"),
            ("host", "[::1]:7071"),
            ("origin", "http://localhost:3000"),
        ] {
            let request = running.request(method, path).header(name, value);
            let answer = running
                .send(request.body(Body::empty()).expect("a request"))
                .await;
            assert_ne!(
                answer.status(),
                StatusCode::FORBIDDEN,
                "{method} {path} {name}: {value}"
            );
        }
    }
    // An app's own routes are its own business.
    let request = running
        .request("GET", "/api/echo")
        .header("host", "shop.example")
        .header("origin", "https://shop.example");
    let answer = running
        .send(request.body(Body::empty()).expect("a request"))
        .await;
    // The probe is a teapot: it was reached.
    assert_eq!(answer.status(), StatusCode::IM_A_TEAPOT);
    running.stop().await;
}
