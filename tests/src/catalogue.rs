//! Customers and products change, and orders keep what they were placed under.
//! Never looks inside the handler: only at its answers and at the tables.

use futures_util::future::join_all;
use hyper::StatusCode;
use serde_json::json;

use crate::{
    support::{App, calls},
    system::System,
};

#[tokio::test]
async fn an_order_keeps_the_names_and_prices_it_was_placed_under() {
    let app = App::start().await;
    let customer = app.seed(&[("MUG", 5)]).await;
    let before = app.place(&customer, &[("MUG", 1)]).await;
    let renamed = app.rename_customer(&customer, "Countess").await;
    assert_eq!(
        (renamed.status, &renamed.body["name"]),
        (StatusCode::OK, &json!("Countess")),
        "{renamed:?}"
    );
    assert_eq!(renamed.headers["etag"], "\"2\"");
    let moved = app.change_email(&customer, "c@example.org").await;
    assert_eq!(
        (&moved.body["version"], &moved.body["email"]),
        (&json!(3), &json!("c@example.org"))
    );
    app.rename_product("MUG", "Big mug").await;
    let priced = app.change_price("MUG", 700).await;
    assert_eq!(
        (priced.status, &priced.body["price"]),
        (StatusCode::OK, &calls::euros(700)),
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
    let rename =
        async |tag: &str, name: &str| app.with("if-match", tag).rename_customer(&customer, name).await;
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
    let refused = app.with("if-match", "*").place(&customer, &[("MUG", 1)]).await;
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
    let first = app.with("if-match", "\"1\"");
    let answers = join_all((0..6).map(|_| first.change_lines(&placed, &[("MUG", 2)]))).await;
    let mut statuses: Vec<u16> = answers.iter().map(|answer| answer.status.as_u16()).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 412, 412, 412, 412, 412]);
}

#[tokio::test]
async fn what_is_not_there_cannot_change_and_bad_values_are_refused() {
    let app = App::start().await;
    app.seed(&[("MUG", 1)]).await;
    let id = "0198c9c1-0000-7000-8000-000000000001";
    for refused in [
        app.rename_customer(id, "X").await,
        app.rename_customer("rubbish", "X").await,
        app.rename_product("NONE", "X").await,
    ] {
        assert_eq!(refused.status, StatusCode::NOT_FOUND, "{refused:?}");
    }
    for body in [
        json!({ "name": "" }),
        json!({ "name": "X", "more": 1 }),
        json!({}),
    ] {
        let refused = app.put("/api/products/MUG/name", body).await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{refused:?}");
    }
    let refused = app.change_price("MUG", -1).await;
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
    let names = [0, 1, 2, 3].map(|n| format!("Mug {n}"));
    let answers = join_all(names.iter().map(|name| app.rename_product("MUG", name))).await;
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
    let renamed = system.client.rename_customer(&customer, "Countess").await;
    assert_eq!(renamed.status, StatusCode::OK, "{renamed:?}");
    let placed = system.client.place(&customer, &[("MUG", 1)]).await;
    let shown = system.shown(&placed.body["id"], 1).await;
    assert_eq!(shown.body["customer"]["name"], "Countess");
    let log = std::fs::read_to_string(&system.log).unwrap();
    for never in ["message_refused", "message_dead_lettered"] {
        assert!(!log.contains(never), "{log}");
    }
}
