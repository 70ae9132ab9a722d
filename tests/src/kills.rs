//! Kills the handler under load, again and again, and counts: nothing that was answered is lost anywhere.
//! Never kills a process that this test's stack did not start.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::{Duration, Instant},
};

use futures_util::future::{join, join_all};
use hyper::StatusCode;
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::Value;
use tokio::time::{interval, sleep, timeout};
use uuid::Uuid;

use crate::{
    support::{Client, calls},
    system::System,
};

const CLIENTS: usize = 32;
const ORDERS: usize = 1_000;
const PIECES: i64 = 2;
const STOCK: i64 = 5_000;
const LIMIT: Duration = Duration::from_secs(240);

/// Places `wanted` orders, each under a key of its own and again until it is answered 201; returns their ids.
async fn shop(client: &Client, customer: &str, wanted: usize, tally: &Tally) -> Vec<String> {
    let order = calls::place(customer, &[("MUG", PIECES)]);
    let mut accepted = Vec::new();
    for _ in 0..wanted {
        let client = client.with("idempotency-key", &Uuid::now_v7().to_string());
        let placed = loop {
            match client.try_call(&order).await {
                Some(answer) if answer.status == StatusCode::CREATED => break answer,
                _ => tally.failed.fetch_add(1, Ordering::Relaxed),
            };
            // A shop does not hammer a door that is closed.
            sleep(Duration::from_millis(50)).await;
        };
        if placed.headers.contains_key("idempotent-replayed") {
            tally.replayed.fetch_add(1, Ordering::Relaxed);
        }
        accepted.push(placed.id().to_owned());
        tally.accepted.fetch_add(1, Ordering::Relaxed);
    }
    accepted
}

#[derive(Default)]
struct Tally {
    accepted: AtomicUsize,
    failed: AtomicUsize,
    /// Orders that had been placed when they were asked for again: their first 201 was lost.
    replayed: AtomicUsize,
}

/// Kills the handler when a quarter, a half and three quarters are accepted; the third time the host gives up.
async fn strike(system: &mut System, tally: &Tally) {
    let mut again = interval(Duration::from_millis(1));
    for quarter in 1..=3 {
        while tally.accepted.load(Ordering::Relaxed) < ORDERS * quarter / 4
            || system.stack.handler_pid().is_none()
        {
            again.tick().await;
        }
        let pid = system.stack.handler_pid().unwrap();
        kill(Pid::from_raw(i32::try_from(pid).unwrap()), Signal::SIGKILL).unwrap();
        while system.stack.handler_pid() == Some(pid) {
            again.tick().await;
        }
    }
    let why = system.stack.stopped().await;
    assert!(why.contains("Exceeded http worker restart retry count"), "{why}");
    system.stack.stop_host().await;
    system.stack.start_host().await.unwrap();
}

#[tokio::test]
async fn whatever_was_answered_201_survives_three_kills_on_both_sides_and_stock_is_conserved() {
    let begun = Instant::now();
    let mut system = System::start().await;
    let client = system.client.clone();
    let customer = client.seed(&[("MUG", STOCK)]).await;
    let tally = Tally::default();
    let clients = (0..CLIENTS).map(|n| {
        let share = ORDERS / CLIENTS + usize::from(n < ORDERS % CLIENTS);
        shop(&client, &customer, share, &tally)
    });
    let work = join(join_all(clients), strike(&mut system, &tally));
    let (accepted, ()) = timeout(LIMIT, work).await.unwrap();
    let accepted = accepted.concat();
    let shopped = begun.elapsed();

    let rows = system
        .rows("select id::text, version from write_model.orders")
        .await;
    let stored: std::collections::BTreeMap<String, i64> =
        rows.iter().map(|row| (row.get(0), row.get(1))).collect();
    assert!(
        accepted.iter().all(|id| stored.contains_key(id)),
        "a 201 is not in PostgreSQL"
    );
    assert_eq!(
        (accepted.len(), stored.len()),
        (ORDERS, ORDERS),
        "an order was lost, or happened twice"
    );
    let orders = i64::try_from(stored.len()).unwrap();
    assert_eq!(
        system
            .number("select count(*) from write_model.idempotency_keys")
            .await,
        orders
    );
    let events = "select count(*) from write_model.events where type = 'orders.OrderPlaced.v1'";
    assert_eq!(system.number(events).await, orders);
    let left = system.number("select available from write_model.stock").await;
    assert_eq!(left + PIECES * orders, STOCK);
    for (id, version) in &stored {
        let document = system.shown(&Value::from(id.clone()), *version).await;
        assert_eq!(document.body["lines"][0]["quantity"], PIECES);
    }
    println!(
        "kill run: {} answered 201, {} of them again, {} requests failed; {orders} orders in PostgreSQL and as documents with \
         equal versions, stock {left} + {PIECES} x {orders} = {STOCK}; shopped in {shopped:.1?}, compared after {:.1?}",
        accepted.len(),
        tally.replayed.load(Ordering::Relaxed),
        tally.failed.load(Ordering::Relaxed),
        begun.elapsed()
    );
}
