//! The storage account away: the host ends itself and comes again without its timers, until the account is back.
//! Never waits for the times of the real host: they are shortened alike, but for the life of a lease in Azurite.

use std::time::{Duration, Instant};

use devstack::host::HostTimes;
use futures_util::future::join;
use hyper::StatusCode;
use serde_json::json;
use tokio::time::{interval, timeout};
use uuid::Uuid;

use super::until;
use crate::{
    support::{Client, DEADLINE, calls},
    system::System,
};

fn short(times: &mut HostTimes) {
    times.lease = Duration::from_secs(15);
    times.renewal = Duration::from_millis(200);
    times.storage = Duration::from_millis(500);
    times.storage_at_start = Duration::from_millis(500);
    times.recovery = Duration::from_millis(500);
}

/// Places so many orders, one after the other and each until it is answered 201; how many tries had another answer or none.
async fn shop(client: &Client, customer: &str, orders: usize) -> usize {
    let order = calls::place(customer, &[("MUG", 1)]);
    let mut failed = 0;
    let mut again = interval(Duration::from_millis(50));
    for _ in 0..orders {
        let client = client.with("idempotency-key", &Uuid::now_v7().to_string());
        while !matches!(client.try_call(&order).await, Some(answer) if answer.status == StatusCode::CREATED) {
            failed += 1;
            again.tick().await;
        }
        again.tick().await;
    }
    failed
}

#[tokio::test]
async fn without_storage_commands_and_documents_go_on_and_timers_wait() {
    let mut system = System::start_changed(|options, _| {
        short(&mut options.times);
        let every_second = |name: &str| (name.to_owned(), "* * * * * *".to_owned());
        let schedules = ["RelaySchedule", "JobsSchedule"].map(every_second);
        options.environment.extend(schedules);
    })
    .await;
    let client = system.client.clone();
    let customer = client.seed(&[("MUG", 1_000)]).await;
    system.projected().await;
    system.stack.take_storage_away();
    let away = Instant::now();
    let platform = async {
        let why = timeout(DEADLINE, system.stack.stopped()).await.unwrap();
        assert!(why.contains("lock renewal failed"), "{why}");
        let lasted = away.elapsed();
        system.stack.stop_host().await;
        system.stack.start_host().await.unwrap();
        lasted
    };
    let (failed, lasted) = join(shop(&client, &customer, 40), platform).await;
    system
        .logged(&["Singleton lock not acquired", "the storage account is away"])
        .await;

    // The relay sends right after the commit, and the bus needs no storage.
    let placed = client.place(&customer, &[("MUG", 1)]).await;
    system.shown(&placed.body["id"], 1).await;
    // Jobs are a timer's work.
    let job = client.post("/api/jobs/verifications", json!({})).await;
    assert_eq!(job.status, StatusCode::ACCEPTED, "{job:?}");
    let job = format!("/api/jobs/{}", job.id());
    let waiting = client.get(&job).await;
    assert_ne!(waiting.body["state"], "completed", "{waiting:?}");

    system.stack.give_storage_back();
    let back = Instant::now();
    until("the job is done", async || {
        client.get(&job).await.body["state"] == "completed"
    })
    .await;
    println!(
        "storage away: the host ended itself after {lasted:.1?}; 41 orders placed meanwhile, {failed} tries found no host; the \
         timer ran {:.1?} after storage was back; {}",
        back.elapsed(),
        system.assert_whole().await
    );
}
