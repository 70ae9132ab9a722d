//! Cosmos DB away for hours of simulated time: the projector as it is shipped, on a clock that jumps while it waits.
//! Never waits for real hours, and never shortens what the projector waits: the bus is played by a list of messages.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use futures_util::future::{join, join_all};
use handler::{
    config::Config,
    read::{CosmosConnection, PointerCache, Projector, incoming::decode},
};
use serde_json::Value;
use tokio::time::{Instant, sleep_until};
use uuid::Uuid;

use crate::{projections::account, projector::message_of};

/// `maxConcurrentCalls` of host.json, and `maxDeliveryCount` of the subscription.
const SLOTS: usize = 16;
const DELIVERIES: u32 = 50;

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
                Err(_) if deliveries == DELIVERIES => ended.1 += 1,
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

/// So many messages in 16 slots while the store is away for so long; how often one was delivered, and the dead letters.
async fn outage(messages: usize, hours: u64) -> (u32, usize) {
    let (cosmos, settings) = account().await;
    let account = Config::from_environment(&settings).unwrap().cosmos.unwrap();
    let connection = Arc::new(CosmosConnection::new(account));
    let generations = Arc::new(PointerCache::new(&connection));
    let message = |n| (n, (message_of(Uuid::from_u128(n as u128), 1), 0));
    let subscription = Subscription {
        projector: Projector::new(&connection, &generations),
        waiting: Mutex::new((0..messages).map(message).collect()),
        ended: Mutex::default(),
    };
    let switches = cosmos.switches();
    switches.delay(Duration::from_secs(24 * 3_600));
    tokio::time::pause();
    let back = Instant::now() + Duration::from_secs(hours * 3_600);
    let returning = async {
        sleep_until(back).await;
        switches.off();
        // What follows needs no clock that jumps.
        tokio::time::resume();
    };
    let slots = join_all((0..SLOTS).map(|_| subscription.slot(back + Duration::from_secs(3_600))));
    join(returning, slots).await;
    let (ended, dead) = subscription.ended.into_inner().unwrap();
    assert_eq!(ended.len() + dead, messages, "none is left");
    (ended.into_iter().max().unwrap_or_default(), dead)
}

#[tokio::test]
async fn an_hour_without_cosmos_db_uses_up_a_third_of_a_messages_deliveries() {
    let (most, dead) = outage(48, 1).await;
    assert!(most <= 17, "{most} deliveries");
    assert_eq!(dead, 0);
    println!(
        "Cosmos DB away for a simulated hour: 48 messages, {most} deliveries of one at most, {dead} dead letters"
    );
}

#[tokio::test]
async fn four_hours_without_cosmos_db_dead_letter_only_the_messages_in_the_slots() {
    let (most, dead) = outage(48, 4).await;
    assert_eq!(dead, SLOTS);
    println!(
        "Cosmos DB away for four simulated hours: 48 messages, {dead} dead letters, the others {most} deliveries at most"
    );
}
