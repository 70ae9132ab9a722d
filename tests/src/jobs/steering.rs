//! Operations stopped, killed, gone on with, and worked on by somebody else.
//! Never loses an event: a subscriber hears each of them, and each under one id.

use std::{collections::BTreeSet, process::Stdio};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::{Value, json};
use tokio::time::timeout;

use super::{DONE, FAILED, Log, events_of, text};
use crate::{
    support::{App, DEADLINE, wait_for},
    topic::Topic,
};

/// Waits until the bus has taken so many messages.
async fn accepted(log: &Log, messages: u64) {
    log.bench.accepted(messages).await;
}

/// Calls the timer again and again until the job is completed; `look` sees it after each call.
async fn completed(log: &Log, app: &App, id: &str, look: impl Fn(&Value)) -> Value {
    wait_for(4 * DEADLINE, async || {
        let call = [("content-type", "application/json")];
        app.try_send("POST", "/RunJobs", "{}", &call).await;
        let job = log.show(id).await;
        look(&job);
        if job["state"] == "completed" {
            Ok(job)
        } else {
            Err(job)
        }
    })
    .await
}

#[tokio::test]
async fn a_killed_replay_continues_and_sends_each_event_under_one_id() {
    let mut log = Log::start(30).await;
    let all = log.ids(|_| true);
    let id = log
        .planned(&["--subscription", "mail", "--all", "--rate", "30"])
        .await;
    for part in 1..=2 {
        let mut tool = log
            .tool(&["jobs", "run", &id])
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        accepted(&log, part * 20).await;
        tool.kill().await.unwrap();
        log.run(&["jobs", "pause", &id]).await;
    }
    let said = log.run(&["jobs", "run", &id, "--json"]).await;
    assert_eq!(said.code, DONE, "{said:?}");
    // The topic drops what it has had, so each of them is heard once.
    let heard = log.bench.topic.hear("mail", all.len()).await;
    assert_eq!(events_of(&heard), all);
    let numbers: BTreeSet<&str> = heard
        .iter()
        .map(|heard| heard.id.split_once("/r").unwrap().1)
        .collect();
    assert_eq!(numbers.len(), 1, "{numbers:?}");
}

#[tokio::test]
async fn a_running_replay_is_paused_gone_on_with_and_cancelled_from_elsewhere() {
    let log = Log::start(20).await;
    let id = log
        .planned(&["--subscription", "mail", "--all", "--rate", "5"])
        .await;
    let tool = log
        .tool(&["jobs", "run", &id])
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    accepted(&log, 5).await;
    log.run(&["jobs", "pause", &id]).await;
    let ended = timeout(DEADLINE, tool.wait_with_output()).await.unwrap().unwrap();
    assert_eq!(ended.status.code(), Some(FAILED), "{ended:?}");
    let paused = log.show(&id).await;
    assert_eq!(paused["state"], "paused");
    let done = paused["progress"]["done"].as_i64().unwrap();
    assert!((5..log.events.len() as i64).contains(&done), "{paused}");

    // Ctrl-C stops it as well, and says how to go on.
    let tool = log
        .tool(&["jobs", "run", &id])
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    accepted(&log, done.cast_unsigned() + 5).await;
    kill(Pid::from_raw(tool.id().unwrap().cast_signed()), Signal::SIGINT).unwrap();
    let ended = timeout(DEADLINE, tool.wait_with_output()).await.unwrap().unwrap();
    let said = String::from_utf8_lossy(&ended.stderr).into_owned();
    assert!(said.contains(&format!("`handler jobs run {id}`")), "{said}");
    assert_eq!(log.show(&id).await["state"], "paused");

    let cancelled = log.run(&["jobs", "cancel", &id]).await;
    assert_eq!(cancelled.code, DONE, "{cancelled:?}");
    let refused = log.run(&["jobs", "run", &id]).await;
    assert!(
        refused.code == FAILED && refused.err.contains("is cancelled"),
        "{refused:?}"
    );
    let listed = log.run(&["jobs", "list", "--json"]).await;
    assert_eq!(listed.json()[0]["state"], "cancelled");
    assert!(log.run(&["jobs", "list", "--open"]).await.out.is_empty());
}

#[tokio::test]
async fn a_stopped_terminal_finds_its_job_done_and_sends_nothing_twice() {
    let mut log = Log::start(12).await;
    let all = log.ids(|_| true);
    let id = log
        .planned(&["--subscription", "mail", "--all", "--rate", "30"])
        .await;
    let tool = log
        .tool(&["jobs", "run", &id])
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    accepted(&log, 30).await;
    let stopped = Pid::from_raw(tool.id().unwrap().cast_signed());
    kill(stopped, Signal::SIGSTOP).unwrap();
    let app = App::start_alone(log.settings.clone()).await;
    completed(&log, &app, &id, |_| {}).await;
    kill(stopped, Signal::SIGCONT).unwrap();
    let ended = timeout(DEADLINE, tool.wait_with_output()).await.unwrap().unwrap();
    assert_eq!(ended.status.code(), Some(DONE), "{ended:?}");
    assert_eq!(log.show(&id).await["result"]["done"], json!(all.len()));
    log.bench.topic.send("last", "{}").await;
    let heard = log.bench.topic.hear_up_to("mail", "last").await;
    let replays: Vec<_> = heard
        .into_iter()
        .filter(|heard| heard.id.contains("/r"))
        .collect();
    assert_eq!(events_of(&replays), all);
}

#[tokio::test]
async fn the_timer_continues_a_terminals_job_and_an_outage_only_delays_it() {
    let mut log = Log::start(12).await;
    let all = log.ids(|_| true);
    let id = log
        .planned(&["--subscription", "mail", "--all", "--rate", "30"])
        .await;
    let mut tool = log
        .tool(&["jobs", "run", &id])
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    accepted(&log, 30).await;
    log.bench.bus.switches().refuse_connections(true);
    log.bench.bus.switches().drop_connections();
    tool.kill().await.unwrap();

    // The same deployment's app, whose timer the host calls again and again. Its own events go out as well.
    let app = App::start_alone(log.settings.clone()).await;
    let job = completed(&log, &app, &id, |job| {
        if job["note"].is_string() {
            assert_eq!(job["state"], "running", "{job}");
            log.bench.bus.switches().refuse_connections(false);
        }
    })
    .await;
    assert_eq!(job["result"]["done"], json!(all.len()), "{job}");
    // The subscriber's own connection was dropped as well.
    log.bench.topic = Topic::connect(&log.bench.bus.connection_string()).await;
    let heard = log.bench.topic.hear("mail", 2 * all.len()).await;
    let replays: Vec<_> = heard
        .into_iter()
        .filter(|heard| heard.id.contains("/r"))
        .collect();
    assert_eq!(events_of(&replays), all);
    assert_eq!(text(&job["requestedBy"]), "terminal:unknown");
}
