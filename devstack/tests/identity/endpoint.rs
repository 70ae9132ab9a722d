//! Who gets a token from the endpoint, and which.
//! Never waits for a token to run out.

use std::time::{SystemTime, UNIX_EPOCH};

use devstack::identity::{COSMOS_AUDIENCE, SERVICE_BUS_AUDIENCE};

use crate::asking::Asker;

#[tokio::test]
async fn an_app_gets_a_token_with_its_end_as_text() {
    let app = Asker::start("id-orders").await;
    let body = app.token(SERVICE_BUS_AUDIENCE).await;
    assert_eq!(body["token_type"], "Bearer");
    assert_eq!(body["resource"], SERVICE_BUS_AUDIENCE);
    assert_eq!(body["client_id"], app.settings["AZURE_CLIENT_ID"]);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let expires: u64 = body["expires_on"].as_str().unwrap().parse().unwrap();
    assert!((now + 300..now + 320).contains(&expires), "{expires}");
    assert_eq!(body["access_token"].as_str().unwrap().split('.').count(), 3);
}

#[tokio::test]
async fn what_is_asked_wrongly_is_refused_in_the_form_of_app_service() {
    let app = Asker::start("id-orders").await;
    let good = app.query(COSMOS_AUDIENCE);
    let secret = app.settings["IDENTITY_HEADER"].as_str();
    let another = good.replace(&app.settings["AZURE_CLIENT_ID"], &uuid::Uuid::nil().to_string());
    for (query, secret, status, word) in [
        (good.clone(), None, 401, "identity header"),
        (good.clone(), Some("guess"), 401, "identity header"),
        (
            good.replace("2019-08-01", "2017-09-01"),
            Some(secret),
            400,
            "api-version",
        ),
        (
            app.query("https://example.org"),
            Some(secret),
            400,
            "https://example.org",
        ),
        (
            app.query("https://cosmos.azure.com/.default"),
            Some(secret),
            400,
            "AADSTS500011",
        ),
        (another, Some(secret), 400, "No User Assigned"),
        (
            "api-version=2019-08-01&resource=https://cosmos.azure.com".to_owned(),
            Some(secret),
            400,
            "No User Assigned",
        ),
    ] {
        let (answered, body) = app.ask(&query, secret).await.unwrap();
        assert_eq!(
            (answered, &body["statusCode"]),
            (status, &status.into()),
            "{query}: {body}"
        );
        assert!(
            body["message"].as_str().unwrap().contains(word),
            "{query}: {body}"
        );
    }
    assert_eq!(app.endpoint.switches().all_requests(), 0);
}

#[tokio::test]
async fn a_token_is_given_again_until_it_is_to_be_renewed_and_is_counted() {
    let app = Asker::start("id-orders").await;
    let switches = app.endpoint.switches();
    let first = app.token(SERVICE_BUS_AUDIENCE).await;
    assert_eq!(app.token(SERVICE_BUS_AUDIENCE).await, first);
    let count = |audience| {
        (
            switches.requests("id-orders", audience),
            switches.tokens("id-orders", audience),
        )
    };
    assert_eq!(count(SERVICE_BUS_AUDIENCE), (2, 1));
    app.token(COSMOS_AUDIENCE).await;
    assert_eq!(count(COSMOS_AUDIENCE), (1, 1));
    switches.live(250, 320);
    assert_ne!(
        app.token(SERVICE_BUS_AUDIENCE).await["access_token"],
        first["access_token"]
    );
    assert_eq!(count(SERVICE_BUS_AUDIENCE), (3, 2));
}

#[tokio::test]
async fn a_dead_endpoint_and_a_deleted_identity_give_no_token() {
    let app = Asker::start("id-orders").await;
    app.endpoint.wire().cut();
    let secret = Some(app.settings["IDENTITY_HEADER"].as_str());
    assert_eq!(app.ask(&app.query(COSMOS_AUDIENCE), secret).await, None);
    app.endpoint.wire().restore();
    app.token(COSMOS_AUDIENCE).await;
    app.directory.delete(&app.identity);
    let (status, body) = app.ask(&app.query(COSMOS_AUDIENCE), secret).await.unwrap();
    assert_eq!(status, 400, "{body}");
}
