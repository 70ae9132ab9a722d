//! Playing App Service authentication: what the handler is told about who is signed in.
//! Never checks what users may do: the probe does not care.

use axum::body::Body;
use base64::{Engine, engine::general_purpose::STANDARD};
use devstack::host::{
    Role, User,
    sign_in::{AUDIENCE, TENANT},
};
use serde_json::{Value, json};

use crate::{
    app::{App, Running},
    http::echo,
};

/// The names that a forger would try, and one that takes the platform's own away.
async fn forged(running: &Running) -> Value {
    let request = running
        .request("GET", "/api/echo")
        .header("X-MS-CLIENT-PRINCIPAL", "forged")
        .header("x-ms-client-principal-id", "forged")
        .header("X-Ms-Client-Principal-Name", "forged")
        .header("x-ms-client-principal-of-tomorrow", "forged")
        .header("connection", "x-ms-client-principal");
    let seen = echo(running, request.body(Body::empty()).expect("a request")).await;
    assert!(!seen["headers"].to_string().contains("forged"), "{seen}");
    seen["headers"].clone()
}

fn principal(headers: &Value) -> Value {
    let header = headers["x-ms-client-principal"].as_str().expect("a principal");
    let text = STANDARD.decode(header).expect("base64");
    serde_json::from_slice(&text).expect("JSON")
}

#[tokio::test]
async fn forged_headers_are_replaced_by_those_of_the_signed_in_user() {
    let running = App::new().http("Echo", "echo").start().await;
    let user = User::new([Role::Operator, Role::Staff]);
    running.app.sign_in.set(Some(user.clone()));
    let headers = forged(&running).await;
    assert_eq!(headers["x-ms-client-principal-id"], json!(user.id));
    assert_eq!(headers["x-ms-client-principal-idp"], "aad");
    let name = &headers["x-ms-client-principal-name"];
    let email = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/emailaddress";
    let issuer = format!("https://login.microsoftonline.com/{TENANT}/v2.0");
    let expected = json!({
        "auth_typ": "aad",
        "name_typ": email,
        "role_typ": "http://schemas.microsoft.com/ws/2008/06/identity/claims/role",
        "claims": [
            { "typ": "aud", "val": AUDIENCE },
            { "typ": "iss", "val": issuer },
            { "typ": email, "val": name },
            { "typ": "name", "val": name },
            { "typ": "http://schemas.microsoft.com/identity/claims/objectidentifier", "val": user.id },
            { "typ": "preferred_username", "val": name },
            { "typ": "roles", "val": "staff" },
            { "typ": "roles", "val": "operator" },
            { "typ": "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/nameidentifier", "val": user.id },
            { "typ": "http://schemas.microsoft.com/identity/claims/tenantid", "val": TENANT },
            { "typ": "ver", "val": "2.0" },
        ],
    });
    let mut principal = principal(&headers);
    let claims = principal["claims"].as_array_mut().expect("claims");
    let is_time = |claim: &&mut Value| ["iat", "nbf", "exp"].map(Value::from).contains(&claim["typ"]);
    let times = claims.extract_if(.., |claim| is_time(&claim));
    let seconds = |claim: Value| claim["val"].as_str().and_then(|text| text.parse::<u64>().ok());
    assert_eq!(times.map_while(seconds).count(), 3);
    assert_eq!(principal, expected);
    running.stop().await;
}

#[tokio::test]
async fn at_the_start_the_handler_is_told_that_no_one_is_signed_in() {
    let running = App::new().http("Echo", "echo").start().await;
    let headers = forged(&running).await;
    assert!(!headers.to_string().contains("principal"), "{headers}");
    running.stop().await;
}

#[tokio::test]
async fn who_is_signed_in_can_change_while_the_host_runs() {
    let running = App::new().http("Echo", "echo").start().await;
    let (customer, staff) = (User::new([]), User::new([Role::Staff]));
    for user in [&customer, &staff] {
        running.app.sign_in.set(Some(user.clone()));
        let headers = forged(&running).await;
        assert_eq!(headers["x-ms-client-principal-id"], json!(user.id));
        let roles = principal(&headers)
            .to_string()
            .matches("\"roles\",\"val\"")
            .count();
        assert_eq!(roles, user.roles.len());
    }
    running.app.sign_in.set(None);
    let headers = forged(&running).await;
    assert!(!headers.to_string().contains("principal"), "{headers}");
    running.stop().await;
}
