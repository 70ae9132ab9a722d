//! Reading one's own writes: what a read shows with the token of a command and without, while the projection stands still.
//! Never waits for a projection that has been stopped: each answer must come although it does not.

use std::time::{Duration, Instant};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use hyper::StatusCode;
use serde_json::{Value, json};

use crate::{
    queries::read_after,
    support::{Answer, Client},
    system::System,
};

struct Stopped {
    system: System,
    customer: String,
    /// Path of an order that the read model shows in version 1.
    order: String,
    /// The payment that it does not show.
    paid: Answer,
}

fn text<'a>(answer: &'a Answer, header: &str) -> &'a str {
    answer.headers[header].to_str().unwrap()
}

fn token(command: &Answer) -> &str {
    text(command, "consistency-token")
}

async fn with(client: &Client, path: &str, token: &str, prefer: Option<&str>) -> Answer {
    let mut headers = vec![("consistency-token", token)];
    headers.extend(prefer.map(|prefer| ("prefer", prefer)));
    client.send("GET", path, "", &headers).await
}

/// A system with an order that is read as placed and has been paid since: its events do not get through to the bus.
async fn stopped() -> Stopped {
    // The write model answers where commands are served too.
    let system = System::start_whole().await;
    let customer = system.client.seed(&[("MUG", 5)]).await;
    let placed = system.client.place(&customer, &[("MUG", 1)]).await;
    let order = format!("/api/orders/{}", placed.id());
    read_after(&system.client, &order, &placed).await;
    read_after(
        &system.client,
        &format!("/api/customers/{customer}/orders"),
        &placed,
    )
    .await;
    system.relayed().await;
    system.faults().servicebus.pause();
    let paid = system.client.pay(&placed).await;
    assert_eq!(paid.status, StatusCode::OK, "{paid:?}");
    Stopped {
        system,
        customer,
        order,
        paid,
    }
}

#[tokio::test]
async fn a_token_shows_the_new_state_and_without_it_the_old_comes_at_once() {
    let Stopped {
        system, order, paid, ..
    } = stopped().await;
    let client = &system.client;
    let old = client.send("GET", &order, "", &[("prefer", "wait=10")]).await;
    assert_eq!(
        (&old.body["version"], old.headers.get("read-source")),
        (&json!(1), None),
        "{old:?}"
    );
    assert!(
        !old.headers.contains_key("preference-applied"),
        "nothing was waited for"
    );
    let started = Instant::now();
    let new = with(client, &order, token(&paid), Some("respond-async, wait=1")).await;
    assert!(
        started.elapsed() >= Duration::from_secs(1),
        "the read model had its chance"
    );
    assert_eq!(
        (&new.body["version"], &new.body["status"]),
        (&json!(2), &json!("paid")),
        "{new:?}"
    );
    assert_eq!(
        (text(&new, "read-source"), text(&new, "preference-applied")),
        ("write-model", "wait=1")
    );
    assert_eq!(new.headers["etag"], "\"2\"");
    system.faults().servicebus.resume();
    let caught_up = read_after(client, &order, &paid).await;
    assert_eq!(
        (&caught_up.body, text(&caught_up, "read-source")),
        (&new.body, "read-model")
    );
}

#[tokio::test]
async fn what_only_the_read_model_can_say_is_refused_while_it_is_behind() {
    let Stopped {
        system,
        customer,
        order,
        paid,
    } = stopped().await;
    let client = &system.client;
    let today = time::OffsetDateTime::now_utc().date();
    let lists = [
        format!("{order}/history"),
        "/api/orders".to_owned(),
        format!("/api/customers/{customer}/orders"),
        format!("/api/sales?from={}&to={today}", today.previous_day().unwrap()),
    ];
    for path in &lists {
        let old = client.send("GET", path, "", &[]).await;
        assert_eq!(old.status, StatusCode::OK, "{path}: {old:?}");
        let behind = with(client, path, token(&paid), Some("wait=0")).await;
        assert_eq!(
            behind.status,
            StatusCode::SERVICE_UNAVAILABLE,
            "{path}: {behind:?}"
        );
        assert_eq!(behind.body["type"], "urn:problem:orders:read-model-behind");
        assert!(behind.headers.contains_key("retry-after"));
    }
    system.faults().servicebus.resume();
    for path in &lists {
        read_after(client, path, &paid).await;
    }
}

#[tokio::test]
async fn a_token_reads_its_own_aggregate_and_holds_up_nothing_else() {
    let Stopped {
        system,
        customer,
        order,
        ..
    } = stopped().await;
    let client = &system.client;
    let path = format!("/api/customers/{customer}");
    let renamed = client.rename_customer(&customer, "Countess").await;
    let read = with(client, &path, token(&renamed), Some("wait=0")).await;
    assert_eq!(
        (&read.body["name"], &read.headers["read-source"]),
        (&json!("Countess"), &"write-model".parse().unwrap())
    );
    let restocked = client.restock("MUG", 5).await;
    let read = with(client, "/api/products/MUG", token(&restocked), Some("wait=0")).await;
    assert_eq!(
        (&read.body["available"], &read.headers["etag"]),
        (&json!(9), &"\"3-3\"".parse().unwrap())
    );
    // About something else: nothing to wait for.
    for path in [&*order, "/api/products", "/api/orders"] {
        let other = with(client, path, token(&renamed), Some("wait=10")).await;
        assert_eq!(
            (other.status, other.headers.get("read-source")),
            (StatusCode::OK, None),
            "{path}"
        );
    }
    system.faults().servicebus.resume();
}

#[tokio::test]
async fn a_foreign_token_is_refused_and_an_impossible_one_shows_the_truth() {
    let Stopped {
        system, order, paid, ..
    } = stopped().await;
    let client = &system.client;
    for bad in ["", "rubbish", "e30", "bnVsbA"] {
        let refused = with(client, &order, bad, None).await;
        assert_eq!(
            refused.body["type"], "urn:problem:orders:invalid-consistency-token",
            "{bad:?}: {refused:?}"
        );
    }
    let twice = [
        ("consistency-token", token(&paid)),
        ("consistency-token", token(&paid)),
    ];
    assert_eq!(
        client.send("GET", &order, "", &twice).await.status,
        StatusCode::BAD_REQUEST
    );
    let mut future: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(token(&paid)).unwrap()).unwrap();
    future["v"] = json!(1_000);
    let future = URL_SAFE_NO_PAD.encode(future.to_string());
    let truth = with(client, &order, &future, Some("wait=0")).await;
    assert_eq!(
        (&truth.body["version"], &truth.headers["read-source"]),
        (&json!(2), &"write-model".parse().unwrap())
    );
    system.faults().servicebus.resume();
}
