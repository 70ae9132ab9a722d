//! The network cut in the middle of what is being sent, after so many bytes of it.
//! Never cuts where a fault switch of a server would: what is cut here is half of a frame, of a statement, or of an answer.

use std::{
    sync::atomic::Ordering::Relaxed,
    time::{Duration, Instant},
};

use devstack::wire::Proxy;
use tokio::time::timeout;

use super::Traffic;
use crate::{
    drainers::{LOCK, behind_a_wire},
    support::{App, DEADLINE, connect},
    system::System,
};

/// How the connection breaks, by what clients send or by what servers answer, and after how many bytes of it.
type Break = (fn(&Proxy, usize), usize);

/// Has a batch of so many orders sent by a link that is open and idle, and breaks the connection in the middle of it.
async fn cut(system: &System, app: &App, wire: &Proxy, (breaks, bytes): Break, batch: (&str, usize)) {
    let drainer = connect(system.stack.postgres_url()).await;
    let hold = format!("begin; select pg_advisory_xact_lock({LOCK})");
    drainer.batch_execute(&hold).await.unwrap();
    Traffic::default().orders(app, batch.0, batch.1).await;
    breaks(wire, bytes);
    drainer.batch_execute("commit").await.unwrap();
    timeout(DEADLINE, wire.stopped()).await.unwrap();
    system.relayed().await;
}

#[tokio::test]
async fn a_batch_cut_after_any_byte_arrives_whole_and_in_order() {
    let mut system = System::start().await;
    system.stack.stop_host().await;
    let (app, wire) = behind_a_wire(&system).await;
    let customer = app.seed(&[("MUG", 1_000)]).await;
    let named = app.rename_product("MUG", &"M".repeat(200)).await;
    assert!(named.status.is_success(), "{named:?}");
    system.relayed().await;
    let bus = system.stack.servicebus_switches();
    let begun = Instant::now();
    // The first byte, the header, the middle; and of a batch that one frame of AMQP cannot hold, in the second frame.
    for (bytes, orders) in [(1, 4), (30, 4), (6_000, 6), (66_000, 30)] {
        let before = bus.counts();
        let requests: Break = (Proxy::break_after_requests, bytes);
        cut(&system, &app, &wire, requests, (&customer, orders)).await;
        let accepted = bus.counts().accepted - before.accepted;
        assert_eq!(
            accepted,
            2 * orders as u64,
            "nothing of the half that came, {bytes}"
        );
        assert_eq!(bus.counts().duplicates, before.duplicates, "{bytes}");
    }
    for bytes in [1, 20] {
        let before = bus.counts().duplicates;
        let answers: Break = (Proxy::break_after_answers, bytes);
        cut(&system, &app, &wire, answers, (&customer, 4)).await;
        let duplicates = bus.counts().duplicates - before;
        assert_eq!(
            duplicates, 8,
            "it was stored, and is known when it comes again, {bytes}"
        );
    }
    // Six times out of patience would be 30 s: a link that is gone is noticed.
    assert!(begun.elapsed() < Duration::from_secs(15), "{:?}", begun.elapsed());
    system.stack.start_host().await.unwrap();
    let account = system.assert_whole().await;
    assert_eq!(account.again, 0);
    println!("6 batches cut on their way, up to 60 messages in one: {account}");
}

#[tokio::test]
async fn a_command_whose_statement_or_answer_is_cut_after_any_byte_happens_once() {
    let system = System::start().await;
    let customer = system.client.seed(&[("MUG", 1_000)]).await;
    system.relayed().await;
    let wire = &system.faults().postgres;
    let traffic = Traffic::default();
    let mut orders = 0;
    let ways: [Break; 2] = [
        (Proxy::break_after_requests, 907),
        (Proxy::break_after_answers, 61),
    ];
    for (breaks, step) in ways {
        // Until so many bytes pass that the order is done before; what the relay sends on the same wire counts, too.
        for bytes in (1..).step_by(step).take(20) {
            breaks(wire, bytes);
            traffic.order(&system.client, &customer).await;
            orders += 1;
            if !wire.has_stopped() {
                break;
            }
        }
        wire.resume();
    }
    assert_eq!(traffic.done.load(Relaxed), 2 * orders);
    let counted = system
        .number("select count(*) from write_model.orders where version = 2")
        .await;
    assert_eq!(counted, i64::try_from(orders).unwrap());
    let account = system.assert_whole().await;
    println!(
        "PostgreSQL cut {orders} times in the middle: {}; {account}",
        traffic.seen()
    );
}
