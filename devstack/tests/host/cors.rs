//! Pages of other origins: what `Host.CORS` of local.settings.json lets them do.
//! Never a browser: the headers are what one goes by.

use axum::body::Body;
use hyper::{Response, StatusCode, body::Incoming};
use serde_json::json;

use crate::app::{App, Running};

const PAGE: &str = "http://localhost:5173";

fn app(host: serde_json::Value) -> App {
    let settings = json!({ "IsEncrypted": false, "Values": {}, "Host": host });
    App::new()
        .http("Echo", "echo/{id}")
        .write("local.settings.json", settings)
}

async fn send(running: &Running, method: &str, headers: &[(&str, &str)]) -> Response<Incoming> {
    let mut request = running.request(method, "/api/echo/1");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    running
        .send(request.body(Body::empty()).expect("a request"))
        .await
}

fn value(response: &Response<Incoming>, name: &str) -> Option<String> {
    let value = response.headers().get(name)?;
    Some(value.to_str().expect("text").to_owned())
}

#[tokio::test]
async fn a_page_of_a_named_origin_may_call_and_another_may_not() {
    let running = app(json!({ "CORS": format!("{PAGE},https://shop.example.org"), "CORSCredentials": true }))
        .start()
        .await;
    let wish = [
        ("access-control-request-method", "PUT"),
        ("access-control-request-headers", "idempotency-key,x-mine"),
    ];
    let preflight = send(&running, "OPTIONS", &[("origin", PAGE), wish[0], wish[1]]).await;
    assert_eq!(preflight.status(), StatusCode::NO_CONTENT);
    assert_eq!(
        value(&preflight, "access-control-allow-origin").as_deref(),
        Some(PAGE)
    );
    assert_eq!(
        value(&preflight, "access-control-allow-credentials").as_deref(),
        Some("true")
    );
    assert_eq!(
        value(&preflight, "access-control-allow-methods").as_deref(),
        Some("PUT")
    );
    assert_eq!(
        value(&preflight, "access-control-allow-headers").as_deref(),
        Some(wish[1].1)
    );
    assert_eq!(value(&preflight, "vary").as_deref(), Some("Origin"));

    let foreign = send(
        &running,
        "OPTIONS",
        &[("origin", "https://evil.example"), wish[0], wish[1]],
    )
    .await;
    assert_eq!(
        foreign.status(),
        StatusCode::NO_CONTENT,
        "it never reaches the function"
    );
    assert_eq!(value(&foreign, "access-control-allow-origin"), None);
    assert_eq!(value(&foreign, "access-control-allow-methods"), None);

    let call = send(&running, "GET", &[("origin", PAGE)]).await;
    assert_eq!(call.status(), StatusCode::IM_A_TEAPOT);
    assert_eq!(value(&call, "access-control-allow-origin").as_deref(), Some(PAGE));
    let foreign = send(&running, "GET", &[("origin", "https://evil.example")]).await;
    assert_eq!(
        foreign.status(),
        StatusCode::IM_A_TEAPOT,
        "it is the browser that hides the answer"
    );
    assert_eq!(value(&foreign, "access-control-allow-origin"), None);
    let plain = send(&running, "OPTIONS", &[("origin", PAGE)]).await;
    assert_eq!(
        plain.status(),
        StatusCode::IM_A_TEAPOT,
        "no preflight: it goes to the function"
    );
    running.stop().await;
}

#[tokio::test]
async fn a_star_lets_every_page_call_without_cookies_and_nothing_said_lets_none() {
    let running = app(json!({ "CORS": "*" })).start().await;
    let call = send(&running, "GET", &[("origin", PAGE)]).await;
    assert_eq!(value(&call, "access-control-allow-origin").as_deref(), Some("*"));
    assert_eq!(value(&call, "access-control-allow-credentials"), None);
    running.stop().await;

    let running = app(json!({})).start().await;
    let call = send(&running, "GET", &[("origin", PAGE)]).await;
    assert_eq!(value(&call, "access-control-allow-origin"), None);
    let preflight = [("origin", PAGE), ("access-control-request-method", "PUT")];
    let preflight = send(&running, "OPTIONS", &preflight).await;
    assert_eq!(
        preflight.status(),
        StatusCode::IM_A_TEAPOT,
        "without CORS it is a request like any other"
    );
    running.stop().await;

    let refused = app(json!({ "CORS": "*", "CORSCredentials": true }))
        .refused()
        .await;
    assert!(refused.contains("CORSCredentials"), "{refused}");
}
