//! Customers and products change, and orders keep what they were placed under.
//! Never looks inside the handler: only at its answers and at the tables.

use hyper::StatusCode;
use serde_json::{Value, json};

use crate::{
    support::{Answer, App},
    system::System,
};

async fn put(app: &App, path: &str, body: Value) -> Answer {
    let json = [("content-type", "application/json")];
    app.send("PUT", path, body.to_string(), &json).await
}

#[tokio::test]
async fn a_customer_and_a_product_change_and_an_order_keeps_what_it_was_placed_under() {
    let app = App::start().await;
    let customer = app.seed(&[("MUG", 5)]).await;
    let before = app.place(&customer, &[("MUG", 1)]).await;
    let renamed = put(
        &app,
        &format!("/api/customers/{customer}/name"),
        json!({ "name": "Countess" }),
    )
    .await;
    assert_eq!(
        (renamed.status, &renamed.body["name"]),
        (StatusCode::OK, &json!("Countess")),
        "{renamed:?}"
    );
    assert_eq!(renamed.headers["etag"], "\"2\"");
    let moved = put(
        &app,
        &format!("/api/customers/{customer}/email"),
        json!({ "email": "c@example.org" }),
    )
    .await;
    assert_eq!(
        (&moved.body["version"], &moved.body["email"]),
        (&json!(3), &json!("c@example.org"))
    );
    put(&app, "/api/products/MUG/name", json!({ "name": "Big mug" })).await;
    let price = json!({ "amount": 700, "currency": "EUR" });
    let priced = put(&app, "/api/products/MUG/price", json!({ "price": price })).await;
    assert_eq!(
        (priced.status, &priced.body["price"]),
        (StatusCode::OK, &price),
        "{priced:?}"
    );
    let after = app.place(&customer, &[("MUG", 1)]).await;
    assert_eq!(
        (&before.body["total"]["amount"], &after.body["total"]["amount"]),
        (&json!(500), &json!(700))
    );
    let names = "select count(*) from write_model.orders join write_model.order_lines on order_id = id
        where (customer_name, name) in (('Ada', 'MUG'), ('Countess', 'Big mug'))";
    assert_eq!(app.database().number(names).await, 2);
}

#[tokio::test]
async fn a_command_meant_for_another_version_is_refused_and_changes_nothing() {
    let app = App::start().await;
    let customer = app.seed(&[("MUG", 5)]).await;
    let rename = async |tag: &str, name: &str| {
        let headers = [("content-type", "application/json"), ("if-match", tag)];
        let path = format!("/api/customers/{customer}/name");
        app.send("PUT", &path, json!({ "name": name }).to_string(), &headers)
            .await
    };
    assert_eq!(rename("\"1\"", "A").await.status, StatusCode::OK);
    for stale in ["\"1\"", "\"3\", \"1\"", "W/\"2\"", "2", "rubbish", ""] {
        let refused = rename(stale, "B").await;
        assert_eq!(
            refused.status,
            StatusCode::PRECONDITION_FAILED,
            "{stale}: {refused:?}"
        );
        assert_eq!(refused.body["type"], "urn:problem:orders:stale-version");
    }
    for (fitting, version) in [("\"1\", \"2\"", 3), ("*", 4)] {
        assert_eq!(rename(fitting, "C").await.body["version"], version, "{fitting}");
    }
    // What does not exist has no version, so nothing can be created under one.
    let headers = [("content-type", "application/json"), ("if-match", "*")];
    let order = json!({ "customerId": customer, "lines": [{ "sku": "MUG", "quantity": 1 }] }).to_string();
    let refused = app.send("POST", "/api/orders", order, &headers).await;
    assert_eq!(refused.status, StatusCode::PRECONDITION_FAILED, "{refused:?}");
    assert_eq!(
        app.database()
            .number("select count(*) from write_model.orders")
            .await,
        0
    );
}

#[tokio::test]
async fn of_many_who_change_the_same_version_one_succeeds() {
    let app = App::start().await;
    let customer = app.seed(&[("MUG", 5)]).await;
    let placed = app.place(&customer, &[("MUG", 1)]).await;
    let path = format!("/api/orders/{}/lines", placed.body["id"].as_str().unwrap());
    let headers = [("content-type", "application/json"), ("if-match", "\"1\"")];
    let body = json!({ "lines": [{ "sku": "MUG", "quantity": 2 }] }).to_string();
    let answers =
        futures_util::future::join_all((0..6).map(|_| app.send("PUT", &path, body.clone(), &headers))).await;
    let mut statuses: Vec<u16> = answers.iter().map(|answer| answer.status.as_u16()).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 412, 412, 412, 412, 412]);
}

#[tokio::test]
async fn what_is_not_there_cannot_change_and_bad_values_are_refused() {
    let app = App::start().await;
    app.seed(&[("MUG", 1)]).await;
    let id = "0198c9c1-0000-7000-8000-000000000001";
    for path in [
        &format!("/api/customers/{id}/name"),
        "/api/customers/rubbish/name",
        "/api/products/NONE/name",
    ] {
        let refused = put(&app, path, json!({ "name": "X" })).await;
        assert_eq!(refused.status, StatusCode::NOT_FOUND, "{path}: {refused:?}");
    }
    for body in [
        json!({ "name": "" }),
        json!({ "name": "X", "more": 1 }),
        json!({}),
    ] {
        let refused = put(&app, "/api/products/MUG/name", body).await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{refused:?}");
    }
    let refused = put(
        &app,
        "/api/products/MUG/price",
        json!({ "price": { "amount": -1, "currency": "EUR" } }),
    )
    .await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(
        app.database()
            .number("select version from write_model.products")
            .await,
        2
    );
}

#[tokio::test]
async fn many_who_change_one_product_at_once_each_get_a_version_of_their_own() {
    let app = App::start().await;
    app.seed(&[("MUG", 1)]).await;
    let renames = (0..4).map(|n| {
        put(
            &app,
            "/api/products/MUG/name",
            json!({ "name": format!("Mug {n}") }),
        )
    });
    let answers = futures_util::future::join_all(renames).await;
    let mut versions: Vec<i64> = answers
        .iter()
        .map(|answer| answer.body["version"].as_i64().unwrap())
        .collect();
    versions.sort_unstable();
    assert_eq!(versions, [3, 4, 5, 6]);
}

#[tokio::test]
async fn changes_reach_the_handler_through_the_host_and_their_events_are_no_poison() {
    let system = System::start().await;
    let customer = system.client.seed(&[("MUG", 5)]).await;
    let json = [("content-type", "application/json")];
    let path = format!("/api/customers/{customer}/name");
    let renamed = system
        .client
        .send("PUT", &path, json!({ "name": "Countess" }).to_string(), &json)
        .await;
    assert_eq!(renamed.status, StatusCode::OK, "{renamed:?}");
    let placed = system.client.place(&customer, &[("MUG", 1)]).await;
    let shown = system.shown(&placed.body["id"], 1).await;
    assert_eq!(shown.body["customer"]["name"], "Countess");
    let log = std::fs::read_to_string(&system.log).unwrap();
    for never in ["message_refused", "message_dead_lettered"] {
        assert!(!log.contains(never), "{log}");
    }
}
