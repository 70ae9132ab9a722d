//! The bus away for longer than it remembers what it has had, and busy.
//! Never waits for a real window to end: the emulator's switch ends it, and `servicebus/broker/window.rs` tests its length.

use std::time::{Duration, Instant};

use tokio::time::interval;

use super::{Traffic, short_locks, until};
use crate::{support::DEADLINE, system::System};

/// Rows that wait in the outbox.
const WAITING: &str = "select count(*) from write_model.outbox";

#[tokio::test]
async fn a_message_repeated_beyond_the_duplicate_window_counts_once() {
    let system = System::start_changed(|_, bus| short_locks(bus)).await;
    let client = &system.client;
    let customer = client.seed(&[("MUG", 1_000)]).await;
    system.relayed().await;
    let (bus, handlers) = (system.stack.servicebus_switches(), system.stack.handler_pids());
    let traffic = Traffic::default();

    // A batch waits; the bus takes it, and its answer never comes.
    bus.refuse_connections(true);
    bus.drop_connections();
    traffic.orders(client, &customer, 20).await;
    assert_eq!(system.number(WAITING).await, 40);
    let before = bus.counts();
    bus.cut_after_storing(u64::MAX);
    bus.refuse_connections(false);
    until("the batch is stored", async || {
        bus.counts().accepted >= before.accepted + 40
    })
    .await;
    // And then the bus is away for longer than it remembers.
    bus.refuse_connections(true);
    bus.drop_connections();
    bus.forget_ids();
    let away = Instant::now();
    traffic.orders(client, &customer, 20).await;
    assert_eq!(
        system.number(WAITING).await,
        80,
        "nobody was told that the first were stored"
    );
    let accepted = bus.counts().accepted;
    bus.off();
    let back = Instant::now();
    let account = system.assert_whole().await;

    assert_eq!(system.stack.handler_pids(), handlers, "it was never restarted");
    assert_eq!(
        traffic.refused.into_inner(),
        0,
        "commands are taken while the bus is away"
    );
    assert_eq!(account.again, 40, "what was stored came again");
    // The mark that ends what is heard is a message, too.
    assert_eq!(bus.counts().accepted - accepted, 80 + 1);
    println!(
        "bus away: 80 commands done meanwhile, none refused; 40 messages heard twice; drained {:.1?} after it was back \
         (away {:.1?}); {account}",
        back.elapsed(),
        back - away
    );
}

#[tokio::test]
async fn a_busy_bus_is_retried_less_and_less_and_gets_everything() {
    let system = System::start().await;
    let client = &system.client;
    let customer = client.seed(&[("MUG", 1_000)]).await;
    system.relayed().await;
    let bus = system.stack.servicebus_switches();
    let traffic = Traffic::default();
    bus.busy(u64::MAX);
    let begun = Instant::now();
    let mut customers = interval(Duration::from_millis(100));
    while bus.rejected_as_busy() < 4 {
        customers.tick().await;
        traffic.order(client, &customer).await;
        assert!(begun.elapsed() < DEADLINE, "it is not tried");
    }
    let tries = bus.rejected_as_busy();
    bus.off();
    let lasted = begun.elapsed();
    // The relay's tries come after 0, 1, 3, 7, 15 s, the timer's every five seconds.
    let relay = 1 + u64::from((lasted.as_secs() + 1).ilog2());
    let timer = 1 + lasted.as_secs() / 5;
    assert!(tries <= relay + timer, "{tries} tries in {lasted:?}");
    let waiting = system.number(WAITING).await;
    let account = system.assert_whole().await;
    assert_eq!(account.again, 0);
    println!(
        "bus busy for {lasted:.1?}: {tries} tries; {waiting} events waited; {}; {account}",
        traffic.seen()
    );
}
