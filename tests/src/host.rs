//! The handler behind the Functions host stand-in: reached by the routes of its functions, trusted by nothing else.
//! Never tests the stand-in itself: devstack does.

use hyper::StatusCode;
use serde_json::json;

use crate::system::System;

#[tokio::test]
async fn commands_reach_the_handler_by_the_routes_of_their_function_json() {
    let system = System::start().await;
    let customer = system.client.seed(&[("MUG", 3)]).await;
    assert_eq!(
        system.client.place(&customer, &[("MUG", 1)]).await.status,
        StatusCode::CREATED
    );
    let health = system.client.send("GET", "/api/health", "", &[]).await;
    assert_eq!(health.body["status"], "ok");
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
