//! Cosmos DB away for an hour, and for longer than the deliveries of a message last.
//!
//! A real delivery fails after four minutes, and fifty of them take more than three hours. Two things are scaled. In the
//! tests of the whole system a message has five deliveries, and a switch of the bus ends each: the lock runs out, which
//! counts as a failure. In the last test time itself is simulated, and the projector waits its own four minutes.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use devstack::cosmos::Switches;
use futures_util::future::join_all;
use handler::{
    config::Config,
    read::{Connection, Generations, Projector, incoming::decode},
};
use hyper::StatusCode;
use serde_json::Value;
use tokio::time::{Instant, sleep_until};
use uuid::Uuid;

use super::{Traffic, until};
use crate::{
    projections::account,
    projector::message_of,
    rebuild::{settings, told},
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
async fn an_outage_of_cosmos_db_that_ends_before_the_deliveries_do_is_made_up_for_by_itself() {
    let (system, customer) = system().await;
    let (traffic, handler) = (Traffic::default(), system.stack.handler_pid());
    system.faults().cosmos.cut();
    fail(&system, &customer, &traffic, DELIVERIES - 2).await;
    let read = system.client.send("GET", "/api/products/MUG", "", &[]).await;
    assert_eq!(read.status, StatusCode::SERVICE_UNAVAILABLE, "{read:?}");
    let back = std::time::Instant::now();
    system.faults().cosmos.restore();
    let account = system.assert_whole().await;
    let counts = system.stack.servicebus_switches().counts();
    assert_eq!(system.stack.handler_pid(), handler, "it was never restarted");
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
    let lacking = told(&settings, &["verify", "--json"], 3).await;
    assert!(lacking["different"].as_u64().unwrap() >= MESSAGES, "{lacking}");
    let back = std::time::Instant::now();
    told(&settings, &["dead-letters", "resubmit", "--all", "--json"], 0).await;
    let account = system.assert_whole().await;
    println!(
        "Cosmos DB away for longer than deliveries last: {MESSAGES} dead letters of {MESSAGES} messages, {} documents wrong; one \
         command, and {:.1?} later all is there; {}; {account}",
        lacking["different"],
        back.elapsed(),
        traffic.seen()
    );
}

/// A subscription with its deliveries, and who receives from it: as Service Bus and the host do it, on the simulated clock.
struct Subscription {
    projector: Projector,
    /// Those that wait, by their sequence number, with the times they were delivered.
    waiting: Mutex<BTreeMap<usize, (Value, u32)>>,
    /// How often each was delivered that is projected, and how many are dead letters.
    ended: Mutex<(Vec<u32>, usize)>,
}

impl Subscription {
    /// One of the host's slots: takes the oldest message until there is none, or it is late.
    async fn slot(&self, until: Instant) {
        while Instant::now() < until {
            let Some((sequence, (message, deliveries))) = self.waiting.lock().unwrap().pop_first() else {
                return;
            };
            let projected = self.projector.project(decode(message.clone()).unwrap()).await;
            let deliveries = deliveries + 1;
            let mut ended = self.ended.lock().unwrap();
            match projected {
                Ok(()) => ended.0.push(deliveries),
                Err(_) if deliveries == 50 => ended.1 += 1,
                Err(_) => {
                    self.waiting
                        .lock()
                        .unwrap()
                        .insert(sequence, (message, deliveries));
                }
            }
        }
    }
}

/// So many messages in so many slots while the store is away for so long; how often one was delivered, and the dead letters.
async fn outage(messages: usize, slots: usize, hours: u64) -> (u32, usize) {
    let (cosmos, settings) = account().await;
    let account = Config::from_environment(&settings).unwrap().cosmos.unwrap();
    let connection = Arc::new(Connection::new(account));
    let generations = Arc::new(Generations::new(&connection));
    let message = |n| (n, (message_of(Uuid::from_u128(n as u128), 1), 0));
    let subscription = Subscription {
        projector: Projector::new(&connection, &generations),
        waiting: Mutex::new((0..messages).map(message).collect()),
        ended: Mutex::default(),
    };
    let switches: Switches = cosmos.switches();
    switches.delay(Duration::from_secs(24 * 3_600));
    tokio::time::pause();
    let back = Instant::now() + Duration::from_secs(hours * 3_600);
    let returning = async {
        sleep_until(back).await;
        switches.off();
        // What follows needs no clock that jumps.
        tokio::time::resume();
    };
    let slots = join_all((0..slots).map(|_| subscription.slot(back + Duration::from_secs(3_600))));
    futures_util::future::join(returning, slots).await;
    let (ended, dead) = subscription.ended.into_inner().unwrap();
    assert_eq!(ended.len() + dead, messages, "none is left");
    (ended.into_iter().max().unwrap_or_default(), dead)
}

#[tokio::test]
async fn an_hour_without_cosmos_db_uses_up_a_third_of_a_messages_deliveries() {
    let (most, dead) = outage(48, 16, 1).await;
    assert!(most <= 17, "{most} deliveries");
    assert_eq!(dead, 0);
    println!(
        "Cosmos DB away for a simulated hour: 48 messages, {most} deliveries of one at most, {dead} dead letters"
    );
}

#[tokio::test]
async fn four_hours_without_cosmos_db_make_dead_letters_of_what_was_in_the_slots_and_of_nothing_else() {
    let (most, dead) = outage(48, 16, 4).await;
    assert_eq!(dead, 16);
    println!(
        "Cosmos DB away for four simulated hours: 48 messages, {dead} dead letters, the others {most} deliveries at most"
    );
}
