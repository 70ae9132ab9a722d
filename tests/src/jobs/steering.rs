//! Operations stopped, killed, gone on with, and worked on by somebody else.
//! Never loses an event: a subscriber hears each of them, and each under one id.

use std::{collections::BTreeSet, process::Stdio, time::Duration};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::json;
use tokio::time::{interval, timeout};

use super::{DONE, FAILED, Log, events_of, text};
use crate::{
    support::{App, DEADLINE},
    topic::Topic,
};

/// Waits until the bus has taken so many messages.
async fn accepted(log: &Log, messages: u64) {
    let looking = async {
        let mut again = interval(Duration::from_millis(2));
        while log.bench.bus.switches().counts().accepted < messages {
            again.tick().await;
        }
    };
    timeout(2 * DEADLINE, looking).await.unwrap();
}

#[tokio::test]
async fn a_killed_replay_continues_and_sends_each_event_under_one_id() {
    let mut log = Log::start(30).await;
    let all = log.ids(|_| true);
    let id = log
        .planned(&["--subscription", "mail", "--all", "--rate", "60"])
        .await;
    for part in 1..=2 {
        let mut tool = log
            .tool(&["jobs", "run", &id])
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        accepted(&log, part * 40).await;
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
    let calling = async {
        let mut again = interval(Duration::from_millis(100));
        while log.show(&id).await["state"] != "completed" {
            again.tick().await;
            let call = [("content-type", "application/json")];
            app.try_send("POST", "/RunJobs", "{}", &call).await;
        }
    };
    timeout(4 * DEADLINE, calling).await.unwrap();
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
    let calling = async {
        let mut again = interval(Duration::from_millis(100));
        loop {
            again.tick().await;
            let call = [("content-type", "application/json")];
            app.try_send("POST", "/RunJobs", "{}", &call).await;
            let operation = log.show(&id).await;
            if operation["note"].is_string() {
                assert_eq!(operation["state"], "running", "{operation}");
                log.bench.bus.switches().refuse_connections(false);
            }
            if operation["state"] == "completed" {
                return operation;
            }
        }
    };
    let operation = timeout(4 * DEADLINE, calling).await.unwrap();
    assert_eq!(operation["result"]["done"], json!(all.len()), "{operation}");
    // The subscriber's own connection was dropped as well.
    log.bench.topic = Topic::connect(&log.bench.bus.connection_string()).await;
    let heard = log.bench.topic.hear("mail", 2 * all.len()).await;
    let replays: Vec<_> = heard
        .into_iter()
        .filter(|heard| heard.id.contains("/r"))
        .collect();
    assert_eq!(events_of(&replays), all);
    assert_eq!(text(&operation["requestedBy"]), "terminal:unknown");
}
