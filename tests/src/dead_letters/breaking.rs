//! Kills, outages and locks that run out while the command is at work.
//! Never counts on a moment: wherever it strikes, nothing may be lost.

use std::{collections::BTreeSet, process::Stdio};

use handler::bus::{Completion, MessageLock, MessageQueue, NamespaceAddress};
use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt, BufReader, Lines},
    process::{Child, ChildStdout},
    time::timeout,
};

use super::{Bench, FAILED, NOTHING, Said, command, entities, of, orders, text};
use crate::support::DEADLINE;

/// A command under way. It gets no further than what fits into the pipe until its lines are read.
struct Running {
    process: Child,
    out: Lines<BufReader<ChildStdout>>,
}

impl Running {
    fn start(connection: &str, arguments: &[&str]) -> Self {
        let mut command = command(connection, arguments);
        let mut process = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let out = BufReader::new(process.stdout.take().unwrap()).lines();
        Self { process, out }
    }

    /// Reads so many lines, or as many as there are.
    async fn read(&mut self, lines: usize) -> Vec<Value> {
        let mut read = Vec::new();
        while read.len() < lines
            && let Some(line) = timeout(DEADLINE, self.out.next_line()).await.unwrap().unwrap()
        {
            read.push(serde_json::from_str(&line).unwrap());
        }
        read
    }
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
    let arguments = ["resubmit", "--all", "--json"];
    for lines in [1, 120, 260] {
        let mut running = Running::start(&connection, &arguments);
        assert_eq!(running.read(lines).await.len(), lines);
        // What the bus accepts from here on, nobody hears of.
        wire.hold_answers();
        running.process.kill().await.unwrap();
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
    let mut running = Running::start(&connection, &["resubmit", "--all", "--json"]);
    assert_eq!(running.read(1).await.len(), 1);
    // From here on the bus does what it is asked, and nobody hears of it.
    wire.hold_answers();
    let said = running.read(all.len()).await;
    assert!(said.len() < all.len() - 1);
    let ended = timeout(DEADLINE, running.process.wait_with_output()).await;
    let ended = Said::of(ended.unwrap().unwrap());
    assert_eq!(ended.code, FAILED);
    assert!(ended.err.contains("handler: the bus did not answer"), "{ended:?}");
    let dead = of(bench.dead("read-model").await);
    let heard = heard(&mut bench).await;
    for outcome in &said {
        assert!(!dead.contains(&text(&outcome["messageId"])), "{outcome}");
    }
    let both: BTreeSet<String> = dead.union(&heard).cloned().collect();
    assert_eq!(both, of(all));
}

#[tokio::test]
async fn a_message_whose_lock_ran_out_is_told_from_one_that_is_out() {
    let mut bench = Bench::start_with(entities("PT1S")).await;
    let all = orders(2);
    bench.bury(&all, &["read-model"], "Broken").await;
    let address = NamespaceAddress::parse(&bench.bus.connection_string()).unwrap();
    let queue = MessageQueue::dead_letters(&address, "order-events", "read-model").await;
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
        .run(&["delete", "--order", &all[1_999], "--because", "a test"])
        .await;
    assert_eq!(said.out, "deleted 1 of 1\n", "{said:?}");
    assert_eq!(bench.dead("read-model").await, all[..1_999]);
}
