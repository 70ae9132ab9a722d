//! Kills, outages and locks that run out while the command is at work.
//! Never counts on a moment: wherever it strikes, nothing may be lost.

use std::{collections::BTreeSet, process::Stdio, time::Duration};

use handler::bus::{Completion, MessageLock, MessageQueue, NamespaceAddress, SubscriptionName};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    time::{interval, timeout},
};

use super::{Bench, FAILED, NOTHING, entities, of, orders};
use crate::support::DEADLINE;

/// Waits until the bus has taken so many messages more.
async fn accepted(bench: &Bench, before: u64, more: u64) {
    let looking = async {
        let mut again = interval(Duration::from_millis(1));
        while bench.bus.switches().counts().accepted < before + more {
            again.tick().await;
        }
    };
    timeout(DEADLINE, looking).await.unwrap();
}

/// The orders that came to `read-model`, however often: one more message ends them.
async fn heard(bench: &mut Bench) -> BTreeSet<String> {
    bench.topic.send("m-last", "{}").await;
    let heard = bench.topic.hear_up_to("read-model", "m-last").await;
    let mut orders = of(heard.into_iter().map(|heard| heard.id));
    orders.remove("m-last");
    orders
}

#[tokio::test]
async fn a_kill_at_any_point_of_a_resubmission_loses_nothing() {
    let mut bench = Bench::start_with(entities("PT1S")).await;
    let all = orders(1_000);
    bench.bury(&all, &["read-model"], "Broken").await;
    let (wire, connection) = bench.wired().await;
    let arguments = ["resubmit", "--all", "--yes"];
    for messages in [1, 120, 260] {
        let before = bench.bus.switches().counts().accepted;
        let mut running = bench.command(&connection, &arguments).spawn().unwrap();
        accepted(&bench, before, messages).await;
        // What the bus accepts from here on, nobody hears of.
        wire.hold_answers();
        running.kill().await.unwrap();
        wire.resume();
    }
    // What the killed ones had locked comes back within a second.
    let finishing = async { while bench.run(&arguments).await.code != NOTHING {} };
    timeout(DEADLINE, finishing).await.unwrap();
    assert_eq!(heard(&mut bench).await, of(all));
}

#[tokio::test]
async fn a_bus_that_goes_away_in_the_middle_leaves_each_letter_dead_or_resubmitted() {
    let mut bench = Bench::start_with(entities("PT1S")).await;
    let all = orders(1_000);
    bench.bury(&all, &["read-model"], "Broken").await;
    let (wire, connection) = bench.wired().await;
    let before = bench.bus.switches().counts().accepted;
    let mut running = bench
        .command(&connection, &["resubmit", "--all", "--yes"])
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    accepted(&bench, before, 1).await;
    // From here on the bus does what it is asked, and nobody hears of it.
    wire.hold_answers();
    let mut lines = BufReader::new(running.stderr.take().unwrap()).lines();
    let waiting = async {
        loop {
            let line = lines.next_line().await.unwrap().expect("it goes on waiting");
            if line.contains("the bus did not answer") {
                return;
            }
        }
    };
    timeout(2 * DEADLINE, waiting).await.unwrap();
    // Ctrl-C pauses the job, which can be gone on with.
    kill(Pid::from_raw(running.id().unwrap().cast_signed()), Signal::SIGINT).unwrap();
    let ended = timeout(DEADLINE, running.wait()).await.unwrap().unwrap();
    assert_eq!(ended.code(), Some(FAILED));
    let dead = of(bench.dead("read-model").await);
    let heard = heard(&mut bench).await;
    let both: BTreeSet<String> = dead.union(&heard).cloned().collect();
    assert_eq!(both, of(all));
}

#[tokio::test]
async fn a_message_whose_lock_ran_out_is_told_from_one_that_is_out() {
    let mut bench = Bench::start_with(entities("PT1S")).await;
    let all = orders(2);
    bench.bury(&all, &["read-model"], "Broken").await;
    let address = NamespaceAddress::parse(&bench.bus.connection_string()).unwrap();
    let queue = MessageQueue::dead_letters(&address, "order-events", &SubscriptionName::default()).await;
    let mut queue = queue.unwrap();
    let locked = queue.receive(2, DEADLINE).await.unwrap();
    let locks: Vec<MessageLock> = locked.locked.into_iter().map(|locked| locked.lock).collect();
    // Somebody else gets them when the time is up, and takes out the first.
    bench.topic.dead_letter().await;
    let outcomes = queue.complete(&locks).await.unwrap();
    assert_eq!(outcomes, [Completion::Done, Completion::LockLost]);
    assert_eq!(bench.dead("read-model").await, all[1..]);
}

#[tokio::test]
async fn locks_of_what_is_passed_over_are_kept_for_as_long_as_it_takes() {
    let mut bench = Bench::start_with(entities("PT1S")).await;
    let all = orders(2_000);
    bench.bury(&all, &["read-model"], "Broken").await;
    let said = bench
        .run(&["delete", "--order", &all[1_999], "--because", "a test", "--yes"])
        .await;
    assert_eq!(said.out, "deleted 1 of 1\n", "{said:?}");
    assert_eq!(bench.dead("read-model").await, all[..1_999]);
}
