//! The end of a host that is asked to stop: what is finished, what goes on meanwhile, and what is cut short.
//! Never asks the host for anything once its port is closed: the probe is asked itself.

use std::{
    net::TcpStream,
    time::{Duration, Instant},
};

use axum::body::Body;
use http_body_util::BodyExt;
use hyper::{Request, StatusCode};
use hyper_util::client::legacy::{Client, connect::HttpConnector};
use serde_json::Value;

use crate::{
    app::{App, Running, eventually, within},
    broker::Broker,
    bus::listening,
};

/// What the probe answers at this path.
async fn ask(client: &Client<HttpConnector, Body>, url: String) -> Vec<u8> {
    let request = Request::get(url).body(Body::empty()).expect("a request");
    let answer = within(client.request(request)).await.expect("an answer");
    let body = answer.into_body();
    within(body.collect()).await.expect("a body").to_bytes().to_vec()
}

#[tokio::test]
async fn a_stop_closes_the_port_and_drains_http_while_triggers_go_on() {
    let running = App::new()
        .http("Held", "held")
        .http("Environment", "environment/{name}")
        .timer("Tick", "* * * * * *")
        .start()
        .await;
    let (probe, address) = (running.probe().await, running.host.url().replace("http://", ""));
    let pid = running.host.handler_pid().expect("a process");
    let held = running.request("GET", "/api/held").body(Body::empty());
    let held = tokio::spawn(running.client.request(held.expect("a request")));
    running.calls("held", 1).await;
    let Running {
        host,
        app: _app,
        client,
    } = running;
    let stopping = tokio::spawn(host.stop());
    eventually(|| TcpStream::connect(&address).err()).await;
    let ticks = ask(&client, format!("{probe}/api/calls/Tick/0")).await;
    let ticks: Vec<Value> = serde_json::from_slice(&ticks).expect("a list");
    // Two more, so that one has begun after the port was closed.
    ask(&client, format!("{probe}/api/calls/Tick/{}", ticks.len() + 2)).await;
    assert!(!stopping.is_finished(), "a request is under way");
    ask(&client, format!("{probe}/api/release")).await;
    let answer = within(held).await.expect("no panic").expect("an answer");
    assert_eq!(answer.status(), StatusCode::OK);
    drop(answer);
    within(stopping).await.expect("no panic");
    assert!(!crate::process::is_running(pid));
}

#[tokio::test]
async fn a_drain_ends_after_its_time_and_the_triggers_after_theirs() {
    let running = App::new()
        .http("Hang", "hang")
        .timer("Tick", "* * * * * *")
        .setting("PROBE_TICK", "hold")
        .times(|times| {
            times.drain = Duration::from_millis(400);
            times.listeners = Duration::from_millis(300);
        })
        .start()
        .await;
    let pid = running.host.handler_pid().expect("a process");
    let hanging = running.request("GET", "/api/hang").body(Body::empty());
    let hanging = tokio::spawn(running.client.request(hanging.expect("a request")));
    running.calls("Tick", 1).await;
    let asked = Instant::now();
    let Running { host, app, client: _ } = running;
    within(host.stop()).await;
    let took = asked.elapsed().as_millis();
    assert!((700..5_000).contains(&took), "{took} ms");
    assert!(!crate::process::is_running(pid));
    app.logged(&["WRN", "HTTP requests are still under way"]).await;
    app.logged(&["WRN", "Calls of triggers are still under way"])
        .await;
    let answer = within(hanging).await.expect("no panic");
    assert!(answer.is_err() || answer.is_ok_and(|answer| answer.status().is_server_error()));
}

#[tokio::test]
async fn a_message_longer_than_the_stop_comes_again_when_its_lock_ends() {
    let broker = Broker::start("PT5S", 3).await;
    let app = || listening(&broker, "binary");
    let running = app()
        .setting("PROBE_PROJECT", "hold")
        .times(|times| times.listeners = Duration::from_millis(100))
        .start()
        .await;
    broker.client().await.send("m-1", "{}").await;
    running.calls("Project", 1).await;
    running.stop().await;
    let running = app().start().await;
    let calls = running.calls("Project", 1).await;
    assert_eq!(calls[0]["Metadata"]["DeliveryCount"], "2");
    running.stop().await;
}
