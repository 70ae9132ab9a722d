//! Whom the handler believes to be signed in, and where it refuses to start because anybody could say so.
//! Never signs anybody in by a token: the platform's header is all that the handler sees.

use std::{collections::BTreeMap, process::Stdio};

use base64::{Engine, engine::general_purpose::STANDARD};
use devstack::host::sign_in::TENANT;
use hyper::StatusCode;
use serde_json::{Value, json};
use tokio::process::Command;
use uuid::Uuid;

use crate::{
    roles::{OPEN, start},
    support::{Call, binary, calls, claims},
};

/// Staff by their own word: by what means, and what they are answered everywhere.
fn strangers() -> [(&'static str, StatusCode, Value); 5] {
    let staff = || claims(&Uuid::now_v7().to_string(), &["staff"]);
    let mut google = staff();
    google["auth_typ"] = json!("google");
    let mut foreign = staff();
    foreign["claims"][1]["val"] = json!(Uuid::now_v7());
    let mut homeless = staff();
    homeless["claims"].as_array_mut().unwrap().remove(1);
    let mut issued_elsewhere = staff();
    let issuer = format!("https://login.microsoftonline.com/{}/v2.0", Uuid::now_v7());
    let held = issued_elsewhere["claims"].as_array_mut().unwrap();
    held.push(json!({ "typ": "iss", "val": issuer }));
    let mut auditor = claims(&Uuid::now_v7().to_string(), &["auditor"]);
    auditor["role_typ"] = json!("name");
    let name = json!({ "typ": "name", "val": "staff" });
    auditor["claims"].as_array_mut().unwrap().push(name);
    [
        ("google", StatusCode::UNAUTHORIZED, google),
        ("a foreign tenant", StatusCode::UNAUTHORIZED, foreign),
        ("no tenant", StatusCode::UNAUTHORIZED, homeless),
        ("a foreign issuer", StatusCode::UNAUTHORIZED, issued_elsewhere),
        (
            "unknown roles, and the name staff",
            StatusCode::FORBIDDEN,
            auditor,
        ),
    ]
}

#[tokio::test]
async fn who_comes_from_elsewhere_or_has_unknown_roles_may_make_no_call_at_all() {
    let app = start().await;
    let document = app.send("GET", "/api/openapi.json", "", &[]).await.body;
    let mut seen = 0;
    for (path, methods) in document["paths"].as_object().unwrap() {
        let path = path.replace("{id}", &Uuid::nil().to_string());
        let path = path.replace("{sku}", "NONE").replace("{sequence}", "1");
        for (method, operation) in methods.as_object().unwrap() {
            let name = operation["operationId"].as_str().unwrap();
            if OPEN.contains(&name) {
                continue;
            }
            for (who, status, principal) in strangers() {
                let header = STANDARD.encode(principal.to_string());
                let call = Call::new(method, &path, json!({}));
                let answer = app.as_principal(&header).call(&call).await;
                assert_eq!(answer.status, status, "{name} by {who}");
                seen += 1;
            }
        }
    }
    assert!(seen >= 20 * strangers().len(), "{seen}");
    // A name is no role, whatever the header calls it.
    let mut named = claims(&Uuid::now_v7().to_string(), &[]);
    named["role_typ"] = json!("name");
    let name = json!({ "typ": "name", "val": "staff" });
    named["claims"].as_array_mut().unwrap().push(name);
    let header = STANDARD.encode(named.to_string());
    let product = calls::add_product("MUG", "Mug", 5);
    let answer = app.as_principal(&header).call(&product).await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
}

/// What a handler says that does not start with these settings.
async fn refusal(settings: &[(&str, &str)]) -> String {
    let settings: BTreeMap<_, _> = settings.iter().copied().collect();
    let serving = Command::new(binary())
        .env_clear()
        .envs(&settings)
        .env("FUNCTIONS_CUSTOMHANDLER_PORT", "0")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .output();
    let limit = std::time::Duration::from_secs(20);
    let ended = tokio::time::timeout(limit, serving).await;
    let output = ended
        .unwrap_or_else(|_| panic!("it has started with {settings:?}"))
        .unwrap();
    assert_eq!(output.status.code(), Some(1), "{settings:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[tokio::test]
async fn where_anybody_could_say_who_they_are_the_handler_does_not_start() {
    let site = ("WEBSITE_SITE_NAME", "orders");
    let flex = ("WEBSITE_SKU", "FlexConsumption");
    let tenants = ("AUTH_TENANTS", TENANT);
    let (on, off) = (
        ("WEBSITE_AUTH_ENABLED", "True"),
        ("WEBSITE_AUTH_ENABLED", "False"),
    );
    let enforced = ("AUTH_ENFORCED_BY_PLATFORM", "true");
    let (development, local) = (
        ("AUTH", "development"),
        ("AZURE_FUNCTIONS_ENVIRONMENT", "Development"),
    );
    let cases: [(&[(&str, &str)], &str); 9] = [
        (&[site, tenants, off], "setting WEBSITE_AUTH_ENABLED"),
        (&[site, tenants, off, enforced], "setting WEBSITE_AUTH_ENABLED"),
        (&[flex, tenants], "setting AUTH_ENFORCED_BY_PLATFORM"),
        (&[flex, enforced], "setting AUTH_TENANTS"),
        (&[site, on], "setting AUTH_TENANTS"),
        (&[development], "AZURE_FUNCTIONS_ENVIRONMENT"),
        (
            &[development, ("AZURE_FUNCTIONS_ENVIRONMENT", "Production")],
            "AZURE_FUNCTIONS_ENVIRONMENT",
        ),
        (
            &[development, local, ("CONTAINER_APP_NAME", "orders")],
            "CONTAINER_APP_NAME",
        ),
        (
            &[development, local, ("KUBERNETES_SERVICE_HOST", "10.0.0.1")],
            "KUBERNETES_SERVICE_HOST",
        ),
    ];
    for (settings, named) in cases {
        let said = refusal(settings).await;
        assert!(
            said.contains("cannot_start") && said.contains(named),
            "{settings:?}: {said}"
        );
    }
}
