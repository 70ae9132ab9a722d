//! Routes: which function gets a request, by the order of the functions' names as with the real host.
//! Never looks into the host: a function that is disabled keeps its route and answers 404, which tells whose it was.

use axum::body::Body;
use http_body_util::BodyExt;
use hyper::StatusCode;
use serde_json::{Value, json};

use crate::app::{App, within};

#[tokio::test]
async fn a_route_has_its_prefix_and_methods_and_anything_else_is_404() {
    let trigger = json!({ "type": "httpTrigger", "name": "request", "methods": ["post"], "route": "only" });
    let running = App::new()
        .host("extensions__http__routePrefix", "v1/shop")
        .http("Echo", "echo")
        .function(
            "Post",
            json!([trigger, { "type": "http", "direction": "out", "name": "response" }]),
        )
        .start()
        .await;
    assert_eq!(
        running.call("GET", "/v1/shop/ECHO").await.0,
        StatusCode::IM_A_TEAPOT
    );
    assert_eq!(
        running.call("POST", "/v1/shop/only").await.0,
        StatusCode::IM_A_TEAPOT
    );
    assert_eq!(
        running.call("GET", "/v1/shop/only").await.0,
        StatusCode::NOT_FOUND
    );
    assert_eq!(running.call("GET", "/api/echo").await.0, StatusCode::NOT_FOUND);
    assert_eq!(
        running.call("GET", "/v1/shop/echo/more").await.0,
        StatusCode::NOT_FOUND
    );
    running.stop().await;
}

/// Everything that no other function takes, as the app hands it to the handler's own router.
fn with_catch_all(app: App) -> App {
    let methods = ["get", "head", "post", "put", "patch", "delete", "options"];
    let trigger = json!({ "type": "httpTrigger", "name": "request", "methods": methods, "route": "{*path}" });
    let output = json!({ "type": "http", "direction": "out", "name": "response" });
    app.function("ZCatchAll", json!([trigger, output]))
}

fn with_get_order(app: App) -> App {
    let trigger =
        json!({ "type": "httpTrigger", "name": "request", "methods": ["get"], "route": "orders/{id}" });
    let output = json!({ "type": "http", "direction": "out", "name": "response" });
    app.function("GetOrder", json!([trigger, output]))
}

#[tokio::test]
async fn a_catch_all_gets_what_no_other_function_takes_by_route_and_method() {
    let app = with_catch_all(with_get_order(App::new()));
    let running = app
        .setting("AzureWebJobs.GetOrder.Disabled", "true")
        .start()
        .await;
    assert_eq!(
        running.call("GET", "/api/orders/7").await.0,
        StatusCode::NOT_FOUND
    );
    for (method, path) in [
        ("PUT", "/api/orders/7"),
        ("HEAD", "/api/orders/7"),
        ("OPTIONS", "/api/orders/7"),
        ("GET", "/api/orders"),
        ("GET", "/api/orders/7/lines"),
        ("GET", "/api/"),
    ] {
        let (status, _) = running.call(method, path).await;
        assert_eq!(status, StatusCode::IM_A_TEAPOT, "{method} {path}");
    }
    // Neither a method that it does not name nor a path outside the prefix.
    assert_eq!(running.call("TRACE", "/api/x").await.0, StatusCode::NOT_FOUND);
    assert_eq!(running.call("GET", "/other").await.0, StatusCode::NOT_FOUND);
    running.stop().await;
}

#[tokio::test]
async fn a_catch_all_whose_name_sorts_last_goes_last() {
    let app = with_catch_all(with_get_order(App::new()));
    let running = app
        .setting("AzureWebJobs.ZCatchAll.Disabled", "true")
        .start()
        .await;
    assert_eq!(
        running.call("GET", "/api/orders/7").await.0,
        StatusCode::IM_A_TEAPOT
    );
    assert_eq!(
        running.call("PUT", "/api/orders/7").await.0,
        StatusCode::NOT_FOUND
    );
    running.stop().await;
}

#[tokio::test]
async fn what_a_catch_all_gets_arrives_with_its_method_path_query_and_body() {
    let running = with_catch_all(App::new()).start().await;
    let path = "/api/a%2Fb//C/%20/?x=1&x=%C3%A4&y";
    for method in ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"] {
        let body = if method == "HEAD" { "" } else { "hello" };
        let request = running.request(method, path).body(Body::from(body));
        let response = running.send(request.expect("a request")).await;
        assert_eq!(response.status(), StatusCode::IM_A_TEAPOT, "{method}");
        assert_eq!(response.headers()["x-method"], method);
        let bytes = within(response.into_body().collect()).await.expect("a body");
        if method == "HEAD" {
            assert!(bytes.to_bytes().is_empty());
            continue;
        }
        let seen: Value = serde_json::from_slice(&bytes.to_bytes()).expect("JSON");
        let path = path.replace("%2F", "%252F");
        assert_eq!((&seen["path"], &seen["body"]), (&json!(path), &json!("hello")));
    }
    running.stop().await;
}

#[tokio::test]
async fn the_paths_of_the_host_itself_are_never_caught() {
    let app = with_catch_all(App::new()).host("extensions__http__routePrefix", "");
    let running = app.start().await;
    for path in [
        "/admin",
        "/admin/nothing",
        "/ADMIN/host/nothing",
        "/runtime/webhooks",
    ] {
        for method in ["GET", "POST", "OPTIONS"] {
            let (status, _) = running.call(method, path).await;
            assert_eq!(status, StatusCode::NOT_FOUND, "{method} {path}");
        }
    }
    assert_eq!(running.call("GET", "/admin/host/status").await.0, StatusCode::OK);
    assert_eq!(
        running.call("GET", "/else/where").await.0,
        StatusCode::IM_A_TEAPOT
    );
    running.stop().await;
}
