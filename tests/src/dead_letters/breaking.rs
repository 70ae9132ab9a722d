//! Kills, outages and locks that run out while the command is at work.
//! Never counts on a moment: wherever it strikes, nothing may be lost.

use std::{collections::BTreeSet, process::Stdio};

use handler::bus::{Completion, MessageLock, MessageQueue, NamespaceAddress, SubscriptionName};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    time::timeout,
};

use super::{Bench, FAILED, NOTHING, entities, of, orders, text};
use crate::support::DEADLINE;

/// The ids of the messages that came to `read-model`; one more message ends them.
async fn heard(bench: &mut Bench, last: &str) -> BTreeSet<String> {
    bench.topic.send(last, "{}").await;
    let heard = bench.topic.hear_up_to("read-model", last).await;
    let ids = heard.into_iter().map(|heard| heard.id);
    ids.filter(|id| id != last).collect()
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
        bench.accepted(before + messages).await;
        // What the bus accepts from here on, nobody hears of.
        wire.hold_answers();
        running.kill().await.unwrap();
        wire.resume();
    }
    // What the killed ones had locked comes back within a second.
    let finishing = async { while bench.run(&arguments).await.code != NOTHING {} };
    timeout(DEADLINE, finishing).await.unwrap();
    assert_eq!(of(heard(&mut bench, "last").await), of(all));
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
    bench.accepted(before + 1).await;
    // From here on the bus does what it is asked, and nobody hears of it.
    wire.hold_answers();
    let mut lines = BufReader::new(running.stderr.take().unwrap()).lines();
    let mut said = async |words: &str| {
        let looking = async {
            loop {
                let line = lines.next_line().await.unwrap().expect("it goes on");
                if line.contains(words) {
                    return line;
                }
            }
        };
        timeout(2 * DEADLINE, looking).await.unwrap()
    };
    said("the bus did not answer").await;
    // Ctrl-C pauses the job, which can be gone on with.
    kill(Pid::from_raw(running.id().unwrap().cast_signed()), Signal::SIGINT).unwrap();
    let line = said("`handler jobs run ").await;
    let job = line.split_once("`handler jobs run ").unwrap().1;
    let job = job.split('`').next().unwrap();
    let ended = timeout(DEADLINE, running.wait()).await.unwrap().unwrap();
    assert_eq!(ended.code(), Some(FAILED));
    wire.resume();
    let dead = of(bench.dead("read-model").await);
    let mut arrived = heard(&mut bench, "last").await;
    let both: BTreeSet<String> = dead.union(&of(arrived.clone())).cloned().collect();
    assert_eq!(both, of(all));
    // Each letter that the job has dealt with came under the very id that it tells.
    let result = bench.finish(job).await;
    arrived.extend(heard(&mut bench, "end").await);
    let done = result["doneLetters"].as_array().unwrap();
    assert_eq!(done.len(), 100, "{result}");
    for letter in done {
        assert!(arrived.contains(&text(&letter["resubmittedAs"])), "{letter}");
    }
    assert_eq!(bench.dead("read-model").await, [""; 0]);
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
