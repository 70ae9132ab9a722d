//! The handler killed at every single thing that it sends: each statement to the database, each frame to the bus, each request
//! to the documents, before its server has it and after. The points are not listed anywhere: the wires count what passes,
//! and each run goes one further until nothing is left to stop at.
//!
//! `cargo test` visits every seventh point; `KILL_POINTS=all cargo test -p tests kill_points -- --nocapture` visits all.
//! Never kills a process that this test's stack did not start.

use std::collections::BTreeMap;

use devstack::{
    stack::Faults,
    wire::{Moment, Proxy},
};
use hyper::StatusCode;
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use tokio::time::timeout;
use uuid::Uuid;

use crate::{
    support::{Answer, Call, Client, DEADLINE, calls},
    system::System,
};

/// Not all of them every time: a point takes about a second.
const STRIDE: usize = 7;
/// What one visit asks for and must get: an order that is placed and paid.
const EVENTS: i64 = 2;

/// One of the handler's wires.
type Wire = fn(&Faults) -> &Proxy;

/// Sends a command under a key of its own until it is answered with this.
async fn insist(client: &Client, call: &Call, wanted: StatusCode) -> Answer {
    let client = client.with("idempotency-key", &Uuid::now_v7().to_string());
    loop {
        match client.try_call(call).await {
            Some(answer) if answer.status == wanted => return answer,
            Some(answer) => assert!(answer.status.is_server_error(), "{answer:?}"),
            None => {}
        }
    }
}

/// An order is placed and paid, and read as its documents show it; whatever happens to the handler.
async fn visit(client: &Client, customer: &str) {
    let order = calls::place(customer, &[("MUG", 1)]);
    let placed = insist(client, &order, StatusCode::CREATED).await;
    let paid = insist(client, &calls::pay(&placed), StatusCode::OK).await;
    let token = paid.headers["consistency-token"].to_str().unwrap();
    let headers = [("consistency-token", token), ("prefer", "wait=10")];
    // The write model does not count: what is asked is whether the event has arrived.
    let history = format!("/api/orders/{}/history", placed.id());
    loop {
        let read = client.try_send("GET", &history, "", &headers).await;
        if read.is_some_and(|read| read.status == StatusCode::OK) {
            return;
        }
    }
}

/// Kills every handler when their wire has stopped there, and opens the wire for the next ones.
async fn strike(system: &System, wire: &Proxy) {
    wire.stopped().await;
    for pid in system.stack.handler_pids() {
        kill(Pid::from_raw(i32::try_from(pid).unwrap()), Signal::SIGKILL).unwrap();
    }
    wire.resume();
}

/// Visits the points of one wire at one moment; how many there were.
async fn walk(system: &mut System, customer: &str, wire: Wire, moment: Moment, stride: usize) -> usize {
    let before = system.number("select count(*) from write_model.events").await;
    for (visits, point) in (1..).step_by(stride).enumerate() {
        wire(system.faults()).stop_at(point as u64, moment);
        let client = system.client.clone();
        let whole = async {
            let visiting = visit(&client, customer);
            tokio::pin!(visiting);
            tokio::select! {
                () = &mut visiting => return false,
                () = strike(system, wire(system.faults())) => {}
            }
            visiting.await;
            true
        };
        let killed = timeout(2 * DEADLINE, whole).await;
        let killed = killed.unwrap_or_else(|_| panic!("point {point} {moment:?} is not got over"));
        let events = system.number("select count(*) from write_model.events").await;
        let expected = before + EVENTS * i64::try_from(visits + 1).unwrap();
        assert_eq!(events, expected, "point {point} {moment:?}");
        wire(system.faults()).resume();
        // A host that has seen three processes die gives up; a new one starts counting again.
        system.stack.stop_host().await;
        system.stack.start_host().await.unwrap();
        if !killed {
            return visits;
        }
    }
    0
}

#[tokio::test]
async fn killed_at_anything_it_sends_the_handler_loses_nothing_and_does_nothing_twice() {
    let stride = match std::env::var("KILL_POINTS") {
        Ok(_) => 1,
        Err(_) => STRIDE,
    };
    let mut system = System::start().await;
    let customer = system.client.seed(&[("MUG", 9_000)]).await;
    system.relayed().await;
    let wires: [(&str, Wire); 3] = [
        ("PostgreSQL", |faults| &faults.postgres),
        ("Service Bus", |faults| &faults.servicebus),
        ("Cosmos DB", |faults| &faults.cosmos),
    ];
    let mut points = BTreeMap::new();
    for (name, wire) in wires {
        for moment in [Moment::Before, Moment::After] {
            let found = walk(&mut system, &customer, wire, moment, stride).await;
            assert!(found > 0, "{name}: the handler was never stopped");
            points.insert(format!("{name} {moment:?}"), found);
        }
    }
    println!("kill points, every {stride}.: {points:?}");
    system.assert_whole().await;
    let moved =
        "select (9000 - available) - (select count(*) from write_model.orders) from write_model.stock";
    assert_eq!(system.number(moved).await, 0, "a piece for each order");
}
