//! Orders from placing to shipping, and what they leave in the write model.
//! Never looks inside the handler: only at its answers and at the tables.

use futures_util::future::join_all;
use hyper::StatusCode;
use serde_json::json;

use crate::support::{App, admin_url, connect};

#[tokio::test]
async fn an_order_is_placed_paid_and_shipped_and_every_step_waits_in_the_outbox() {
    let app = App::start().await;
    let customer = app.seed(&[("MUG", 10), ("PEN", 5)]).await;

    let placed = app.place(&customer, &[("MUG", 2), ("PEN", 1)]).await;
    assert_eq!(placed.status, StatusCode::CREATED, "{placed:?}");
    let id = placed.id();
    assert_eq!(placed.headers["location"], format!("/api/orders/{id}"));
    assert_eq!(placed.headers["etag"], "\"1\"");
    assert_eq!(placed.body["total"], json!({ "amount": 1500, "currency": "EUR" }));

    let paid = app.pay(&placed).await;
    assert_eq!(
        (paid.status, &paid.body["status"]),
        (StatusCode::OK, &json!("paid"))
    );
    let shipped = app.ship(&placed).await;
    assert_eq!(
        (shipped.status, &shipped.body["version"]),
        (StatusCode::OK, &json!(3))
    );

    let of_order =
        format!("from write_model.events e join write_model.outbox using (position) where stream = '{id}'");
    assert_eq!(
        app.database()
            .number(&format!("select count(*) {of_order}"))
            .await,
        3
    );
    assert_eq!(
        app.database()
            .number(&format!("select max(version) {of_order}"))
            .await,
        3
    );
    let state = format!(
        "select (state->>'version')::bigint {of_order} and e.version = 2 and state->>'status' = 'paid'"
    );
    assert_eq!(app.database().number(&state).await, 2);
    assert_eq!(
        app.database()
            .number("select available from write_model.stock where sku = 'MUG'")
            .await,
        8
    );
    let carried = format!("select (stock->0->>'available')::bigint {of_order} and e.version = 1");
    assert_eq!(app.database().number(&carried).await, 8);
}

#[tokio::test]
async fn clients_racing_for_the_last_pieces_never_oversell() {
    let app = App::start().await;
    let customer = app.seed(&[("MUG", 20), ("PEN", 100)]).await;

    let orders = (0..40).map(|n| {
        // Half of the clients name the SKUs the other way round: the order of locks must not follow the order of lines.
        let lines = if n % 2 == 0 {
            [("MUG", 1), ("PEN", 1)]
        } else {
            [("PEN", 1), ("MUG", 1)]
        };
        let (app, customer) = (&app, &customer);
        async move { app.place(customer, &lines).await.status }
    });
    let answers = join_all(orders).await;

    let accepted = answers
        .iter()
        .filter(|status| **status == StatusCode::CREATED)
        .count();
    let refused = answers
        .iter()
        .filter(|status| **status == StatusCode::CONFLICT)
        .count();
    let busy = answers
        .iter()
        .filter(|status| **status == StatusCode::SERVICE_UNAVAILABLE)
        .count();
    assert_eq!(accepted + refused + busy, 40, "{answers:?}");
    let accepted = i64::try_from(accepted).unwrap();
    assert!(accepted <= 20);
    assert_eq!(
        app.database()
            .number("select count(*) from write_model.orders")
            .await,
        accepted
    );
    for (sku, start) in [("MUG", 20), ("PEN", 100)] {
        let left = format!("select available from write_model.stock where sku = '{sku}'");
        let sold = format!(
            "select coalesce(sum(quantity), 0)::bigint from write_model.order_lines where sku = '{sku}'"
        );
        assert_eq!(
            app.database().number(&left).await + app.database().number(&sold).await,
            start
        );
        // Each statement that moved it counted once: the restock and the orders.
        let seq = format!("select seq from write_model.stock where sku = '{sku}'");
        assert_eq!(app.database().number(&seq).await, accepted + 1);
    }
}

#[tokio::test]
async fn of_two_payments_at_once_one_is_taken() {
    let app = App::start().await;
    let customer = app.seed(&[("MUG", 1)]).await;
    let placed = app.place(&customer, &[("MUG", 1)]).await;
    let answers = join_all((0..8).map(|_| app.pay(&placed))).await;
    let taken = answers
        .iter()
        .filter(|answer| answer.status == StatusCode::OK)
        .count();
    assert_eq!(taken, 1, "{answers:?}");
    assert_eq!(
        app.database()
            .number("select max(version) from write_model.orders")
            .await,
        2
    );
}

#[tokio::test]
async fn an_order_of_what_is_remembered_is_one_statement() {
    let app = App::start().await;
    let customer = app.seed(&[("MUG", 9)]).await;
    let placed = app.place(&customer, &[("MUG", 1)]).await;
    // Reading looks at the events of earlier requests; without that right every S1 fails, and S2 does not.
    let owner = connect(&admin_url(&app.database().name)).await;
    let blind = "revoke select on write_model.events from orders_command, orders_operator;
        grant select (position) on write_model.events to orders_command";
    owner.batch_execute(blind).await.unwrap();
    let again = app.place(&customer, &[("MUG", 2)]).await;
    assert_eq!(again.status, StatusCode::CREATED, "{again:?}");
    let paid = app.pay(&placed).await;
    assert_eq!(
        paid.status,
        StatusCode::SERVICE_UNAVAILABLE,
        "it has to be read first: {paid:?}"
    );
}

#[tokio::test]
async fn nothing_happens_before_what_has_happened_already_though_clocks_differ() {
    let app = App::start().await;
    let customer = app.seed(&[("MUG", 9)]).await;
    let placed = app.place(&customer, &[("MUG", 1)]).await;
    // As if the instance that took these had a clock an hour ahead.
    let owner = connect(&admin_url(&app.database().name)).await;
    let ahead = "update write_model.events set occurred_at = occurred_at + interval '1 hour'";
    owner.batch_execute(ahead).await.unwrap();
    app.pay(&placed).await;
    for renamed in [
        app.rename_customer(&customer, "Other").await,
        app.rename_product("MUG", "Other").await,
    ] {
        assert_eq!(renamed.status, StatusCode::OK, "{renamed:?}");
    }
    let late = "select count(*) from write_model.events later join write_model.events earlier
        on later.stream = earlier.stream and later.version = earlier.version + 1
        where later.type in ('orders.OrderPaid.v1', 'orders.CustomerRenamed.v1', 'orders.ProductRenamed.v1') and later.occurred_at >= earlier.occurred_at";
    let types = "select string_agg(distinct type, ',') from write_model.events";
    let types: String = owner.query_one(types, &[]).await.unwrap().get(0);
    assert_eq!(app.database().number(late).await, 3, "{types}");
}
