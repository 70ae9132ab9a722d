//! Orders that are changed, delivered and called off, and the pieces that move with them.
//! Never looks inside the handler: only at its answers and at the tables.

use futures_util::future::join_all;
use hyper::StatusCode;
use serde_json::{Value, json};

use crate::{
    support::{App, Database, calls},
    system::System,
};

async fn left(database: &Database, sku: &str) -> i64 {
    database
        .number(&format!(
            "select available from write_model.stock where sku = '{sku}'"
        ))
        .await
}

#[tokio::test]
async fn changed_lines_move_the_difference_and_keep_the_prices_of_what_stays() {
    let app = App::start().await;
    let customer = app.seed(&[("MUG", 10), ("PEN", 10), ("CUP", 10)]).await;
    let placed = app.place(&customer, &[("MUG", 2), ("PEN", 1), ("CUP", 4)]).await;
    for sku in ["MUG", "PEN"] {
        app.change_price(sku, 900).await;
    }
    let changed = app.change_lines(&placed, &[("PEN", 3), ("CUP", 4)]).await;
    assert_eq!(changed.status, StatusCode::OK, "{changed:?}");
    assert_eq!(
        (&changed.body["version"], &changed.body["total"]["amount"]),
        (&json!(2), &json!(3500))
    );
    let again = app
        .change_lines(&placed, &[("MUG", 1), ("CUP", 4), ("PEN", 3)])
        .await;
    assert_eq!(again.body["total"]["amount"], json!(900 + 3500));
    let left = [
        left(app.database(), "MUG").await,
        left(app.database(), "PEN").await,
        left(app.database(), "CUP").await,
    ];
    assert_eq!(left, [9, 7, 6]);
    let lines = "select string_agg(sku || quantity || '@' || unit_price, ' ' order by line) = 'MUG1@900 CUP4@500 PEN3@500'
        from write_model.order_lines";
    let held: i64 = app
        .database()
        .number(&format!("select (({lines}))::int::bigint"))
        .await;
    assert_eq!(held, 1);
    // Only what moved is told: the pens and the mugs at first, then the mugs alone.
    let told = "select string_agg(jsonb_array_length(stock)::text, ',' order by version) = '3,2,1'
        from write_model.events where type like 'orders.Order%'";
    assert_eq!(
        app.database()
            .number(&format!("select (({told}))::int::bigint"))
            .await,
        1
    );
}

#[tokio::test]
async fn an_order_cannot_take_more_than_there_is_with_what_it_holds() {
    let app = App::start().await;
    let customer = app.seed(&[("MUG", 5)]).await;
    let placed = app.place(&customer, &[("MUG", 3)]).await;
    let refused = app.change_lines(&placed, &[("MUG", 6)]).await;
    assert_eq!(refused.status, StatusCode::CONFLICT, "{refused:?}");
    assert_eq!(
        (
            &refused.body["errors"][0]["sku"],
            &refused.body["errors"][0]["available"]
        ),
        (&json!("MUG"), &json!(5))
    );
    assert_eq!(
        app.change_lines(&placed, &[("MUG", 5)]).await.status,
        StatusCode::OK
    );
    assert_eq!(left(app.database(), "MUG").await, 0);
    for (lines, status) in [
        (vec![], StatusCode::UNPROCESSABLE_ENTITY),
        (vec![("MUG", 1), ("MUG", 1)], StatusCode::UNPROCESSABLE_ENTITY),
        (vec![("NONE", 1)], StatusCode::UNPROCESSABLE_ENTITY),
    ] {
        assert_eq!(
            app.change_lines(&placed, &lines).await.status,
            status,
            "{lines:?}"
        );
    }
}

#[tokio::test]
async fn a_cancelled_order_gives_its_pieces_back_once_and_is_over() {
    let app = App::start().await;
    let customer = app.seed(&[("MUG", 5), ("PEN", 5)]).await;
    let placed = app.place(&customer, &[("MUG", 3), ("PEN", 1)]).await;
    assert_eq!(app.pay(&placed).await.status, StatusCode::OK);
    let answers = join_all((0..8).map(|_| app.cancel(&placed))).await;
    let taken = answers
        .iter()
        .filter(|answer| answer.status == StatusCode::OK)
        .count();
    let refused = answers
        .iter()
        .filter(|answer| answer.body["type"] == "urn:problem:orders:wrong-status")
        .count();
    assert_eq!((taken, refused), (1, 7), "{answers:?}");
    assert_eq!(
        (
            left(app.database(), "MUG").await,
            left(app.database(), "PEN").await
        ),
        (5, 5)
    );
    for refused in [
        app.ship(&placed).await,
        app.pay(&placed).await,
        app.change_lines(&placed, &[("MUG", 1)]).await,
    ] {
        assert_eq!(refused.status, StatusCode::CONFLICT, "{refused:?}");
    }
    let mut blank = calls::cancel(&placed);
    blank.body = json!({ "reason": " " });
    let blank = app.call(&blank).await;
    assert_eq!(blank.status, StatusCode::UNPROCESSABLE_ENTITY);
}

#[tokio::test]
async fn a_shipped_order_is_delivered_once_and_can_no_longer_be_called_off() {
    let app = App::start().await;
    let customer = app.seed(&[("MUG", 5)]).await;
    let placed = app.place(&customer, &[("MUG", 1)]).await;
    let early = app.deliver(&placed).await;
    assert_eq!(early.status, StatusCode::CONFLICT);
    let detail = early.body["detail"].as_str().unwrap();
    assert!(
        detail.contains("placed") && detail.contains("shipped"),
        "{detail}"
    );
    app.pay(&placed).await;
    app.ship(&placed).await;
    assert_eq!(app.cancel(&placed).await.status, StatusCode::CONFLICT);
    let delivered = app.deliver(&placed).await;
    assert_eq!(
        (delivered.status, &delivered.body["status"]),
        (StatusCode::OK, &json!("delivered"))
    );
    assert_eq!(app.deliver(&placed).await.status, StatusCode::CONFLICT);
    let mut odd = calls::deliver(&placed);
    odd.body = json!({ "when": "now" });
    let odd = app.call(&odd).await;
    assert_eq!(odd.status, StatusCode::UNPROCESSABLE_ENTITY);
}

#[tokio::test]
async fn racing_changes_never_lose_or_invent_a_piece() {
    let app = App::start().await;
    let customer = app.seed(&[("MUG", 30), ("PEN", 30)]).await;
    let mut orders = Vec::new();
    for _ in 0..4 {
        orders.push(app.place(&customer, &[("MUG", 2), ("PEN", 2)]).await);
    }
    let changes = (0..24).map(|n| {
        let (app, order) = (&app, &orders[n % 4]);
        async move {
            match n % 3 {
                0 => app.change_lines(order, &[("PEN", 5), ("MUG", 1)]).await,
                1 => app.change_lines(order, &[("MUG", 4)]).await,
                _ => app.cancel(order).await,
            }
        }
    });
    for answer in join_all(changes).await {
        assert!(answer.status != StatusCode::INTERNAL_SERVER_ERROR, "{answer:?}");
    }
    for sku in ["MUG", "PEN"] {
        let held =
            "select coalesce(sum(quantity), 0)::bigint from write_model.order_lines join write_model.orders
            on id = order_id where status <> 'cancelled' and sku";
        let held = app.database().number(&format!("{held} = '{sku}'")).await;
        assert_eq!(left(app.database(), sku).await + held, 30, "{sku}");
    }
}

#[tokio::test]
async fn every_ending_is_read_as_the_log_says_it() {
    let system = System::start().await;
    let client = &system.client;
    let customer = client.seed(&[("MUG", 20)]).await;
    let (first, second) = (
        client.place(&customer, &[("MUG", 1)]).await,
        client.place(&customer, &[("MUG", 1)]).await,
    );
    client.change_lines(&first, &[("MUG", 2)]).await;
    let changed = system.shown(&first.body["id"], 2).await;
    client.pay(&changed).await;
    client.ship(&changed).await;
    client.deliver(&changed).await;
    client.cancel(&second).await;
    let ended = [
        system.shown(&first.body["id"], 5).await,
        system.shown(&second.body["id"], 2).await,
    ];
    assert_eq!(
        ended.each_ref().map(|order| &order.body["status"]),
        ["delivered", "cancelled"]
    );
    for order in ended {
        let id = order.id();
        let newest = format!(
            "select state from write_model.events where stream = '{id}' order by version desc limit 1"
        );
        assert_eq!(order.body, system.rows(&newest).await[0].get::<_, Value>(0));
    }
}
