//! The timers' locks in the storage account: who runs a timer, and what a host does without the account.
//! Never waits for the times of the real host: they are shortened alike.

use std::time::{Duration, Instant};

use devstack::host::HostTimes;
use hyper::StatusCode;

use crate::app::{App, within};

/// Hosts of this are one app.
fn ticking() -> App {
    App::new()
        .setting("AzureFunctionsWebHost__hostid", "shop")
        .http("Echo", "echo")
        .timer("Tick", "* * * * * *")
}

/// Short enough for a test, and in the order of the real ones.
fn short(times: &mut HostTimes) {
    times.lease = Duration::from_millis(3_000);
    times.renewal = Duration::from_millis(100);
    times.storage = Duration::from_millis(300);
    times.storage_at_start = Duration::from_millis(200);
    times.recovery = Duration::from_millis(100);
}

#[tokio::test]
async fn of_two_hosts_on_one_account_one_runs_the_timer() {
    let (one, other) = (ticking().times(short), ticking().times(short));
    let storage = one.storage.clone();
    let one = one.start().await;
    one.calls("Tick", 1).await;
    let other = App { storage, ..other }.start().await;
    other
        .logged(&["WRN", "Tick.Listener", "another host has it"])
        .await;
    one.calls("Tick", 3).await;
    assert!(other.calls("Tick", 0).await.is_empty());
    one.stop().await;
    // It gave the lock up as it stopped.
    other.calls("Tick", 1).await;
    other.stop().await;
}

#[tokio::test]
async fn a_stop_gives_the_lock_of_a_call_that_it_cuts_short() {
    let slow = ticking().setting("PROBE_TICK", "hold");
    let slow = slow.times(|times| {
        times.listeners = Duration::from_millis(100);
    });
    let storage = slow.storage.clone();
    let one = slow.start().await;
    one.calls("Tick", 1).await;
    one.stop().await;
    // Its lease would have been for a minute.
    let other = App {
        storage,
        ..ticking().times(short)
    }
    .start()
    .await;
    other.calls("Tick", 1).await;
    other.stop().await;
}

#[tokio::test]
async fn without_storage_the_host_ends_itself_in_good_order() {
    let app = ticking().times(short);
    let storage = app.storage.clone();
    let running = app.start().await;
    running.calls("Tick", 1).await;
    let pid = running.host.handler_pid().expect("a process");
    let taken = Instant::now();
    storage.take_away();
    let reason = within(running.host.stopped()).await;
    assert!(reason.contains("lock renewal failed"), "{reason}");
    assert!(taken.elapsed() >= Duration::from_millis(300));
    assert!(!crate::process::is_running(pid));
    running.logged(&["The host has stopped"]).await;
}

#[tokio::test]
async fn an_outage_shorter_than_the_patience_ends_nothing() {
    let app = ticking().times(|times| {
        short(times);
        times.storage = Duration::from_secs(20);
    });
    let storage = app.storage.clone();
    let running = app.start().await;
    let before = running.calls("Tick", 1).await.len();
    storage.take_away();
    // The timer goes on under the lease that it has.
    running.calls("Tick", before + 2).await;
    storage.give_back();
    running.calls("Tick", before + 4).await;
    running.stop().await;
}

#[tokio::test]
async fn a_host_that_starts_without_storage_serves_and_its_timer_waits() {
    let app = ticking().times(short);
    let storage = app.storage.clone();
    storage.take_away();
    let running = app.start().await;
    assert_eq!(running.call("GET", "/api/echo").await.0, StatusCode::IM_A_TEAPOT);
    running
        .logged(&["WRN", "Tick.Listener", "storage account is away"])
        .await;
    assert!(running.calls("Tick", 0).await.is_empty());
    storage.give_back();
    running.calls("Tick", 1).await;
    running.stop().await;
}

#[tokio::test]
async fn a_storage_setting_that_cannot_be_used_is_refused() {
    let azure =
        "DefaultEndpointsProtocol=https;AccountName=a;AccountKey=a2V5;EndpointSuffix=core.windows.net";
    let refused = ticking().setting("AzureWebJobsStorage", azure).refused().await;
    assert!(
        refused.contains("AzureWebJobsStorage") && refused.contains("BlobEndpoint"),
        "{refused}"
    );
}
