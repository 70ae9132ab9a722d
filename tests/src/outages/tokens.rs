//! Tokens that run out, and a bus that takes no new ones, in the middle of traffic.
//! Never waits for a token's real life of an hour: the emulator's switch ends it.

use std::sync::atomic::Ordering::Relaxed;

use devstack::servicebus::ServiceBusSwitches;
use futures_util::future::join;

use super::{Traffic, short_locks, until};
use crate::system::System;

/// Every token runs out again and again; new ones are refused in between, and at last for a while.
async fn disturb(bus: &ServiceBusSwitches, traffic: &Traffic) {
    for refused in [0, 1, 0, 3, 0] {
        traffic.more(10).await;
        bus.refuse_tokens(refused);
        bus.expire_tokens();
    }
    traffic.more(10).await;
    bus.refuse_tokens(u64::MAX);
    bus.expire_tokens();
    // Tried by the host and by the relay, each after longer and longer pauses.
    let refused = bus.tokens_refused() + 4;
    until("tokens are refused", async || bus.tokens_refused() >= refused).await;
    traffic.more(10).await;
    bus.off();
    traffic.end();
}

#[tokio::test]
async fn both_sides_renew_expiring_tokens_in_the_middle_of_traffic() {
    let system = System::start_changed(|_, bus| short_locks(bus)).await;
    let customer = system.client.seed(&[("MUG", 10_000)]).await;
    system.projected().await;
    let (bus, handlers) = (system.stack.servicebus_switches(), system.stack.handler_pids());
    let traffic = Traffic::default();
    let shopping = traffic.flow(&system.client, &customer, 2);
    join(shopping, disturb(&bus, &traffic)).await;
    let account = system.assert_whole().await;

    assert_eq!(system.stack.handler_pids(), handlers, "it was never restarted");
    assert_eq!(traffic.refused.load(Relaxed), 0, "commands do not need the bus");
    let log = std::fs::read_to_string(&system.log).unwrap();
    let listens = log.matches("listens to").count();
    assert!(listens > 1, "the host has come back: {log}");
    println!(
        "tokens ran out 6 times: the host listened {listens} times; {}; {account}",
        traffic.seen()
    );
}
