//! Cosmos DB away for a part of a message's deliveries, and for longer than they last.
//!
//! A real delivery fails after four minutes, and fifty of them take more than three hours. Here a message has five, and a
//! switch of the bus ends each: its lock runs out, which counts as a failure. `hours.rs` has the real lengths.
//! Never leaves a call that waits to do the work of a message that has become a dead letter.

use std::time::Instant;

use hyper::StatusCode;

use super::{Traffic, until};
use crate::{
    rebuild::{VERIFY, settings, told},
    system::System,
};

/// How often a message is delivered here before it is a dead letter; fifty times in Azure.
const DELIVERIES: u64 = 5;
/// Each order is placed and paid.
const ORDERS: usize = 6;
const MESSAGES: u64 = 2 * ORDERS as u64;

/// A system with few deliveries, and slots for all of them at once: a call does not end with its lock.
async fn system() -> (System, String) {
    let system = System::start_changed(|options, bus| {
        let topic = &mut bus["UserConfig"]["Namespaces"][0]["Topics"][0];
        topic["Subscriptions"][0]["Properties"]["MaxDeliveryCount"] = DELIVERIES.into();
        let slots = "AzureFunctionsJobHost__extensions__serviceBus__maxConcurrentCalls";
        options
            .environment
            .insert(slots.to_owned(), (2 * DELIVERIES * MESSAGES).to_string());
    })
    .await;
    let customer = system.client.seed(&[("MUG", 1_000)]).await;
    system.projected().await;
    (system, customer)
}

/// Orders come in, and each of their messages is delivered in vain so often.
async fn fail(system: &System, customer: &str, traffic: &Traffic, deliveries: u64) {
    let bus = system.stack.servicebus_switches();
    let before = bus.counts().deliveries;
    traffic.orders(&system.client, customer, ORDERS).await;
    for round in 1..=deliveries {
        let all = before + round * MESSAGES;
        until("all are delivered", async || bus.counts().deliveries >= all).await;
        bus.expire_locks();
    }
}

#[tokio::test]
async fn an_outage_of_cosmos_db_shorter_than_the_deliveries_heals_itself() {
    let (system, customer) = system().await;
    let (traffic, handlers) = (Traffic::default(), system.stack.handler_pids());
    system.faults().cosmos.cut();
    fail(&system, &customer, &traffic, DELIVERIES - 2).await;
    let read = system.client.send("GET", "/api/products/MUG", "", &[]).await;
    assert_eq!(read.status, StatusCode::SERVICE_UNAVAILABLE, "{read:?}");
    let back = Instant::now();
    system.faults().cosmos.restore();
    let account = system.assert_whole().await;
    let counts = system.stack.servicebus_switches().counts();
    assert_eq!(system.stack.handler_pids(), handlers, "it was never restarted");
    assert_eq!((counts.dead_letters, account.again), (0, 0));
    println!(
        "Cosmos DB away for {} of {DELIVERIES} deliveries: {MESSAGES} messages, {} deliveries in all, no dead letters, drained \
         {:.1?} after it was back; {}; {account}",
        DELIVERIES - 2,
        counts.deliveries,
        back.elapsed(),
        traffic.seen()
    );
}

#[tokio::test]
async fn what_an_outage_of_cosmos_db_has_made_dead_letters_one_command_brings_back() {
    let (mut system, customer) = system().await;
    let traffic = Traffic::default();
    system.faults().cosmos.cut();
    fail(&system, &customer, &traffic, DELIVERIES).await;
    assert_eq!(system.stack.servicebus_switches().counts().dead_letters, MESSAGES);
    // The calls would have given up long ago; here they still wait, and end with their process.
    system.stack.stop_host().await;
    system.faults().cosmos.restore();
    system.stack.start_host().await.unwrap();
    let settings = settings(&system);
    let lacking = told(&settings, &VERIFY, 3).await;
    assert!(lacking["different"].as_u64().unwrap() >= MESSAGES, "{lacking}");
    let back = Instant::now();
    told(
        &settings,
        &["dead-letters", "resubmit", "--all", "--yes", "--json"],
        0,
    )
    .await;
    let account = system.assert_whole().await;
    println!(
        "Cosmos DB away for longer than deliveries last: {MESSAGES} dead letters of {MESSAGES} messages, {} documents wrong; one \
         command, and {:.1?} later all is there; {}; {account}",
        lacking["different"],
        back.elapsed(),
        traffic.seen()
    );
}
