//! The end of the host under the shipped handler, as the platform and Ctrl-C bring it about: what is under way is finished or
//! comes again. Never looks at what is left before the host has ended.

use std::{net::TcpStream, time::Duration};

use devstack::{
    stack::PartsLayout,
    wire::{Moment, Proxy},
};
use hyper::StatusCode;
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::Value;
use tokio::{
    join,
    time::{interval, timeout},
};

use crate::{
    support::{App, DEADLINE, Database},
    system::System,
};

/// Waits until this holds.
async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let waiting = async {
        let mut again = interval(Duration::from_millis(10));
        while !holds() {
            again.tick().await;
        }
    };
    timeout(DEADLINE, waiting).await.expect(what);
}

/// The processes of all handlers.
fn handlers(system: &System) -> Vec<Pid> {
    let pids = system.stack.handler_pids().into_iter();
    pids.map(|pid| Pid::from_raw(i32::try_from(pid).unwrap()))
        .collect()
}

fn assert_none_is_left(handlers: &[Pid]) {
    for handler in handlers {
        kill(*handler, None).expect_err("no handler is left behind");
    }
}

/// Lets locks on messages run out soon.
fn short_locks(bus: &mut Value) {
    let topic = &mut bus["UserConfig"]["Namespaces"][0]["Topics"][0];
    topic["Subscriptions"][0]["Properties"]["LockDuration"] = "PT5S".into();
}

#[tokio::test]
async fn a_signal_to_host_and_handler_together_loses_and_refuses_nothing() {
    for signal in [Signal::SIGINT, Signal::SIGTERM] {
        let wire = Proxy::start(Database::server_address()).await.unwrap();
        let port = wire.address().port().to_string();
        let mut system = System::start_changed(|options, _| {
            // The host that drains is the one whose triggers go on.
            options.parts = PartsLayout::Together;
            options.environment.insert("PGPORT".to_owned(), port);
        })
        .await;
        let customer = system.client.seed(&[("MUG", 9)]).await;
        system.projected().await;
        // Another process of the deployment, whose events this host's triggers get.
        let other = App::start_alone(system.settings()).await;
        let (bus, address) = (
            system.stack.servicebus_switches(),
            system.client.address().to_owned(),
        );
        let client = system.client.clone();
        let handlers = handlers(&system);
        wire.stop_at(1, Moment::Before);
        let placing = {
            let customer = customer.clone();
            tokio::spawn(async move { client.place(&customer, &[("MUG", 1)]).await })
        };
        timeout(DEADLINE, wire.stopped()).await.unwrap();
        for handler in &handlers {
            kill(*handler, signal).unwrap();
        }
        let meanwhile = async {
            until("the port is closed", || TcpStream::connect(&address).is_err()).await;
            let before = bus.counts().settlements;
            let placed = other.place(&customer, &[("MUG", 1)]).await;
            assert_eq!(placed.status, StatusCode::CREATED);
            until("a trigger goes on", || bus.counts().settlements > before).await;
            assert!(!placing.is_finished());
            wire.resume();
            let placed = timeout(DEADLINE, placing).await.unwrap().unwrap();
            assert_eq!(placed.status, StatusCode::CREATED, "{placed:?}");
        };
        join!(system.stack.stop_host(), meanwhile);
        assert_none_is_left(&handlers);
        system.stack.start_host().await.unwrap();
        system.assert_whole().await;
    }
}

#[tokio::test]
async fn a_projection_longer_than_the_stop_comes_again_and_does_no_harm() {
    let mut system = System::start_changed(|options, bus| {
        short_locks(bus);
        options.times.listeners = Duration::from_millis(200);
    })
    .await;
    let customer = system.client.seed(&[("MUG", 9)]).await;
    system.projected().await;
    let (bus, cosmos) = (system.stack.servicebus_switches(), system.stack.cosmos_switches());
    let before = bus.counts().deliveries;
    cosmos.delay(Duration::from_secs(60));
    let placed = system.client.place(&customer, &[("MUG", 1)]).await;
    assert_eq!(placed.status, StatusCode::CREATED);
    until("it is delivered", || bus.counts().deliveries > before).await;
    let handlers = handlers(&system);
    system.stack.stop_host().await;
    assert_none_is_left(&handlers);
    cosmos.off();
    system.stack.start_host().await.unwrap();
    system.shown(&placed.body["id"], 1).await;
    system.assert_whole().await;
}
