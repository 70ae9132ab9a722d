//! A request under an Idempotency-Key happens once, however often it is sent.
//! Never compares answers by their status alone: a replay is the first answer again.

use futures_util::future::join_all;
use hyper::StatusCode;

use crate::{
    support::{Answer, App, Client, calls},
    system::System,
};

async fn place(client: &Client, customer: &str, quantity: i64, key: &str) -> Answer {
    client
        .with("idempotency-key", key)
        .place(customer, &[("MUG", quantity)])
        .await
}

fn is_replay(answer: &Answer) -> bool {
    answer
        .headers
        .get("idempotent-replayed")
        .is_some_and(|value| value == "true")
}

#[tokio::test]
async fn the_same_request_again_gets_the_first_answer_again_and_does_nothing() {
    let app = App::start().await;
    let customer = app.seed(&[("MUG", 5)]).await;
    let first = place(&app, &customer, 2, "\"k-1\"").await;
    assert_eq!(
        (first.status, is_replay(&first)),
        (StatusCode::CREATED, false),
        "{first:?}"
    );
    // Quotes or none, and whatever has become of the order since: the first answer.
    app.pay(&first).await;
    let again = place(&app, &customer, 2, "k-1").await;
    assert_eq!(
        (again.status, is_replay(&again), &again.body),
        (StatusCode::CREATED, true, &first.body),
        "{again:?}"
    );
    assert_eq!(
        (&again.headers["location"], &again.headers["etag"]),
        (&first.headers["location"], &first.headers["etag"])
    );
    assert_eq!(
        app.database()
            .number("select available from write_model.stock")
            .await,
        3
    );
}

#[tokio::test]
async fn another_request_under_a_used_key_is_refused() {
    let app = App::start().await;
    let customer = app.seed(&[("MUG", 5)]).await;
    place(&app, &customer, 2, "k-1").await;
    let other = place(&app, &customer, 1, "k-1").await;
    assert_eq!(other.status, StatusCode::UNPROCESSABLE_ENTITY, "{other:?}");
    assert_eq!(other.body["type"], "urn:problem:orders:idempotency-key-reused");
    for bad in ["", "\"", "a b", &"x".repeat(256)] {
        let refused = place(&app, &customer, 1, bad).await;
        assert_eq!(
            refused.body["type"], "urn:problem:orders:invalid-idempotency-key",
            "{bad}"
        );
    }
    assert_eq!(
        app.database()
            .number("select count(*) from write_model.orders")
            .await,
        1
    );
}

#[tokio::test]
async fn a_refused_request_leaves_its_key_free() {
    let app = App::start().await;
    let customer = app.seed(&[("MUG", 1)]).await;
    assert_eq!(
        place(&app, &customer, 2, "k-1").await.status,
        StatusCode::CONFLICT
    );
    app.restock("MUG", 1).await;
    let placed = place(&app, &customer, 2, "k-1").await;
    assert_eq!(
        (placed.status, is_replay(&placed)),
        (StatusCode::CREATED, false),
        "{placed:?}"
    );
}

#[tokio::test]
async fn of_twins_sent_at_once_one_happens_and_all_get_its_answer() {
    let app = App::start().await;
    let customer = app.seed(&[("MUG", 50)]).await;
    let answers = join_all((0..12).map(|_| place(&app, &customer, 2, "k-1"))).await;
    assert!(
        answers.iter().all(|answer| answer.status == StatusCode::CREATED),
        "{answers:?}"
    );
    assert!(
        answers.iter().all(|answer| answer.body == answers[0].body),
        "{answers:?}"
    );
    assert_eq!(answers.iter().filter(|answer| !is_replay(answer)).count(), 1);
    assert_eq!(
        app.database()
            .number("select available from write_model.stock")
            .await,
        48
    );
    assert_eq!(
        app.database()
            .number("select count(*) from write_model.idempotency_keys")
            .await,
        1
    );
}

#[tokio::test]
async fn every_kind_of_command_is_replayed_as_it_was_answered() {
    let app = App::start().await;
    let customer = app.seed(&[("MUG", 5)]).await;
    let requests = [
        calls::register("Grace", "g@example.org"),
        calls::rename_customer(&customer, "Countess"),
        calls::add_product("PEN", "Pen", 1),
        calls::restock("MUG", 3),
    ];
    for (number, request) in requests.iter().enumerate() {
        let client = app.with("idempotency-key", &format!("k-{number}"));
        let (first, again) = (client.call(request).await, client.call(request).await);
        assert!(
            first.status.is_success() && is_replay(&again),
            "{first:?} {again:?}"
        );
        assert_eq!((first.status, &first.body), (again.status, &again.body));
    }
}

#[tokio::test]
async fn keys_are_forgotten_after_a_day() {
    let system = System::start_with(&[("RelaySchedule", "* * * * * *")]).await;
    let customer = system.client.seed(&[("MUG", 5)]).await;
    place(&system.client, &customer, 1, "old").await;
    system
        .rows("update write_model.idempotency_keys set at = now() - interval '25 hours'")
        .await;
    place(&system.client, &customer, 1, "young").await;
    system.logged(&["idempotency_keys_expired"]).await;
    assert!(is_replay(&place(&system.client, &customer, 1, "young").await));
    assert!(!is_replay(&place(&system.client, &customer, 1, "old").await));
}
