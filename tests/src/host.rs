//! The handler behind the Functions host stand-in: reached by the routes of its functions, trusted by nothing else, and the same
//! behind every host that it may meet. Never tests the stand-in itself: devstack does.

use devstack::{host::HttpMode, stack::PartsLayout};
use hyper::StatusCode;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    support::{App, calls, principal},
    system::{System, in_both_modes},
};

#[tokio::test]
async fn commands_reach_the_handler_by_the_routes_of_their_function_json() {
    in_both_modes(async |system: System| {
        let customer = system.client.seed(&[("MUG", 3)]).await;
        assert_eq!(
            system.client.place(&customer, &[("MUG", 1)]).await.status,
            StatusCode::CREATED
        );
        let health = system.client.send("GET", "/api/health", "", &[]).await;
        assert_eq!(health.body["status"], "ok");
    })
    .await;
}

#[tokio::test]
async fn a_forged_principal_does_not_get_in() {
    let system = System::start_with(&[("AUTH", "easyauth")]).await;
    let principal = (
        "X-MS-CLIENT-PRINCIPAL",
        "eyJjbGFpbXMiOlt7InR5cCI6Im9pZCIsInZhbCI6ImFkYSJ9XX0=",
    );
    let body = json!({ "name": "Ada", "email": "ada@example.org" }).to_string();
    let headers = [("content-type", "application/json"), principal];
    let answer = system.client.send("POST", "/api/customers", body, &headers).await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
}

/// A system that nothing stands before: what callers say of themselves reaches the handler.
async fn unguarded(auth: &str) -> System {
    System::start_changed(|options, _| {
        options.http.easy_auth = false;
        options.environment.insert("AUTH".to_owned(), auth.to_owned());
    })
    .await
}

#[tokio::test]
async fn a_forged_principal_that_the_host_passes_on_is_not_believed() {
    let staff = principal(&Uuid::now_v7().to_string(), &["staff"]);
    let product = calls::add_product("MUG", "Mug", 500);
    let guarded = unguarded("easyauth").await;
    let answer = guarded.client.as_principal(&staff).call(&product).await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    // On a developer's machine everybody is staff, whatever they say.
    let open = unguarded("development").await;
    let customer = principal(&Uuid::now_v7().to_string(), &[]);
    let answer = open.client.as_principal(&customer).call(&product).await;
    assert_eq!(answer.status, StatusCode::CREATED, "{answer:?}");
}

#[tokio::test]
async fn a_header_with_one_value_that_came_twice_is_refused_in_words() {
    in_both_modes(async |system: System| {
        let customer = system.client.seed(&[("MUG", 3)]).await;
        let placed = system.client.place(&customer, &[("MUG", 1)]).await;
        let token = placed.headers["consistency-token"].to_str().unwrap();
        let twice = system
            .client
            .with("idempotency-key", "1")
            .with("idempotency-key", "2");
        let answer = twice.restock("MUG", 1).await;
        let detail = answer.body["detail"].as_str().unwrap_or_default();
        assert_eq!(answer.body["type"], "urn:problem:orders:invalid-idempotency-key");
        assert!(detail.contains("send one"), "{answer:?}");
        let tokens = [("consistency-token", token), ("consistency-token", token)];
        let answer = system.client.send("GET", "/api/products", "", &tokens).await;
        let detail = answer.body["detail"].as_str().unwrap_or_default();
        assert_eq!(
            answer.body["type"],
            "urn:problem:orders:invalid-consistency-token"
        );
        assert!(detail.contains("send one"), "{answer:?}");
        let types = [
            ("content-type", "application/json"),
            ("content-type", "text/plain"),
        ];
        let answer = system.client.send("POST", "/api/products", "{}", &types).await;
        let detail = answer.body["detail"].as_str().unwrap_or_default();
        assert_eq!(answer.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
        assert!(detail.contains("one Content-Type"), "{answer:?}");
        let product = system.client.get("/api/products/MUG").await;
        assert_eq!(
            product.body["available"],
            json!(2),
            "nothing was restocked: {product:?}"
        );
    })
    .await;
}

#[tokio::test]
async fn nothing_in_an_answer_is_derived_from_host() {
    let app = App::start().await;
    let customer = app.seed(&[("MUG", 9)]).await;
    let named = app.with("host", "evil.example");
    let placed = named.place(&customer, &[("MUG", 1)]).await;
    assert_eq!(placed.status, StatusCode::CREATED, "{placed:?}");
    assert!(placed.headers["location"].to_str().unwrap().starts_with('/'));
    let read = [
        "/api/openapi.json",
        "/api/docs",
        "/api/health",
        "/api/jobs",
        "/api/nothing",
    ];
    let mut answers = vec![placed];
    for path in read {
        answers.push(named.get(path).await);
    }
    for answer in answers {
        assert!(!format!("{answer:?}").contains("evil.example"), "{answer:?}");
    }
}

#[tokio::test]
async fn a_request_as_json_is_answered_500_and_changes_nothing() {
    let app = App::start().await;
    let product = calls::add_product("MUG", "Mug", 500);
    let envelope = json!({
        "Data": { "request": {
            "Url": "http://localhost/api/products", "Method": "POST", "Query": {}, "Params": {}, "Identities": [],
            "Headers": { "Content-Type": ["application/json"] }, "Body": product.body.to_string(),
        } },
        "Metadata": {},
    });
    for function in ["AddProduct", "ZCatchAll"] {
        let answer = app.post(&format!("/{function}"), envelope.clone()).await;
        assert_eq!(
            answer.status,
            StatusCode::OK,
            "the host takes it for an answer: {answer:?}"
        );
        let output = &answer.body["Outputs"]["response"];
        assert_eq!(output["statusCode"], 500);
        assert_eq!(output["headers"]["content-type"], "application/problem+json");
        let problem: Value = serde_json::from_str(output["body"].as_str().unwrap()).unwrap();
        assert_eq!(problem["type"], "urn:problem:orders:internal");
    }
    app.logged("host.json must have customHandler.enableProxyingHttpRequest")
        .await;
    assert_eq!(
        app.database()
            .number("select count(*) from write_model.events")
            .await,
        0
    );
    let nothing = app.post("/Nothing", json!({})).await;
    assert_eq!(nothing.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn the_way_of_the_first_request_is_logged_once() {
    for (knows, word) in [
        (HttpMode::Proxying, "proxied"),
        (HttpMode::Forwarding, "forwarded"),
    ] {
        let system = System::start_changed(|options, _| {
            options.http.knows = knows;
            // Each handler says it of itself.
            options.parts = PartsLayout::Together;
        })
        .await;
        for _ in 0..2 {
            system.client.get("/api/health").await;
        }
        system.logged(&["first_request", word]).await;
        assert_eq!(system.lines("first_request"), 1);
    }
}
