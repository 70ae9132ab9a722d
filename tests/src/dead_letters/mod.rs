//! `handler dead-letters` as an operator uses it: the shipped binary against a bus with dead letters on it.
//! Never looks into the bus: what is there is listed by the binary, or heard by a subscriber.

mod breaking;
mod looking;
mod resubmitting;
mod unreadable;

use std::{
    collections::BTreeSet,
    net::{Ipv4Addr, SocketAddr},
    process::Output,
};

use devstack::{
    servicebus::{Entities, ServiceBusEmulator},
    wire::Proxy,
};
use serde_json::{Value, json};
use tokio::{process::Command, time::timeout};

use crate::{
    support::{DEADLINE, Database, binary, wait_for},
    topic::Topic,
};

const ID: &str = "0198c9c1-0000-7000-8000-000000000001";
const DONE: i32 = 0;
const FAILED: i32 = 1;
const USAGE: i32 = 2;
const NOTHING: i32 = 3;

/// A bus, a third party on it, and a database that jobs are kept in.
pub(crate) struct Bench {
    pub(crate) bus: ServiceBusEmulator,
    pub(crate) topic: Topic,
    database: Database,
}

/// What the binary said.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Said {
    pub(crate) fn of(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// The lines of `--json`.
    pub(crate) fn json(&self) -> Vec<Value> {
        let line = |line| serde_json::from_str(line).unwrap();
        self.out.lines().map(line).collect()
    }
}

fn command(connection: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(binary());
    command
        .arg("dead-letters")
        .args(arguments)
        .env_clear()
        .env("ServiceBusConnection", connection)
        .env("ServiceBusTopic", "order-events")
        .kill_on_drop(true);
    command
}

async fn run(connection: &str, arguments: &[&str]) -> Said {
    let output = timeout(DEADLINE, command(connection, arguments).output()).await;
    Said::of(output.unwrap().unwrap())
}

/// The dead letters of `read-model`, as `list --json` says them.
pub(crate) async fn letters(connection: &str) -> Vec<Value> {
    run(connection, &["list", "--json"]).await.json()
}

/// A topic with these subscriptions, each with rules for what is for everybody and for what is for itself only; and one,
/// `listener`, that hears everything; and one, `live`, that hears no replays.
pub(crate) fn entities(lock: &str) -> Entities {
    let rule = |name: &str, replay: &str| {
        let filter = json!({ "Properties": { "replay": replay } });
        json!({ "Name": name, "Properties": { "FilterType": "Correlation", "CorrelationFilter": filter } })
    };
    let subscription = |name: &str, rules: Vec<Value>| json!({ "Name": name, "Properties": { "LockDuration": lock }, "Rules": rules });
    let own = |name: &str| subscription(name, vec![rule("live", "none"), rule("own", name)]);
    let subscriptions = [
        own("read-model"),
        own("mail"),
        subscription("listener", Vec::new()),
        subscription("live", vec![rule("live", "none")]),
    ];
    let topic = json!({
        "Name": "order-events",
        "Properties": { "RequiresDuplicateDetection": true },
        "Subscriptions": subscriptions,
    });
    let namespace = json!({ "Name": "sbemulatorns", "Topics": [topic] });
    let config = json!({ "UserConfig": { "Namespaces": [namespace], "Logging": { "Type": "Console" } } });
    Entities::from_json(&config.to_string()).unwrap()
}

impl Bench {
    async fn start() -> Self {
        Self::start_with(entities("PT1M")).await
    }

    pub(crate) async fn start_with(entities: Entities) -> Self {
        let bus = ServiceBusEmulator::start(entities, SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))
            .await
            .unwrap();
        let topic = Topic::connect(&bus.connection_string()).await;
        let database = Database::create().await;
        Self { bus, topic, database }
    }

    async fn run(&self, arguments: &[&str]) -> Said {
        self.run_over(&self.bus.connection_string(), arguments).await
    }

    async fn run_over(&self, connection: &str, arguments: &[&str]) -> Said {
        let output = timeout(DEADLINE, self.command(connection, arguments).output()).await;
        Said::of(output.unwrap().unwrap())
    }

    /// A command that has a database as well.
    fn command(&self, connection: &str, arguments: &[&str]) -> Command {
        let mut command = command(connection, arguments);
        command.envs(self.database.settings(Database::server_address()));
        command
    }

    /// A wire to the bus that can be broken, and how to connect over it.
    async fn wired(&self) -> (Proxy, String) {
        let wire = Proxy::start(self.bus.address()).await.unwrap();
        let [port, wired] = [self.bus.address(), wire.address()].map(|address| address.port().to_string());
        let connection = self.bus.connection_string().replace(&port, &wired);
        (wire, connection)
    }

    /// Waits until the bus has taken so many messages.
    pub(crate) async fn accepted(&self, messages: u64) {
        wait_for(2 * DEADLINE, async || {
            match self.bus.switches().counts().accepted {
                accepted if accepted < messages => Err(accepted),
                _ => Ok(()),
            }
        })
        .await;
    }

    /// Goes on with a job that was stopped, and returns its result.
    async fn finish(&self, job: &str) -> Value {
        let mut command = Command::new(binary());
        command
            .args(["jobs", "run", job, "--json"])
            .env_clear()
            .envs(self.database.settings(Database::server_address()))
            .env("ServiceBusConnection", self.bus.connection_string())
            .env("ServiceBusTopic", "order-events")
            .kill_on_drop(true);
        let output = timeout(2 * DEADLINE, command.output()).await;
        Said::of(output.unwrap().unwrap()).json().remove(0)
    }

    /// Dead-letters an event of each of these orders, in every one of the subscriptions.
    async fn bury(&mut self, orders: &[String], subscriptions: &[&str], reason: &str) {
        let messages = orders
            .iter()
            .map(|order| (order.clone(), event(order).to_string().into_bytes()));
        self.topic.send_all(messages).await;
        for subscription in subscriptions {
            self.topic.bury(subscription, orders.len(), reason).await;
        }
    }

    /// The MessageIds of the dead letters of a subscription, in their order.
    async fn dead(&self, subscription: &str) -> Vec<String> {
        let said = self
            .run(&["list", "--json", "--subscription", subscription])
            .await;
        said.json()
            .iter()
            .map(|letter| text(&letter["messageId"]))
            .collect()
    }
}

/// The letters that a job says it has dealt with; none where nothing was selected.
fn done(said: &Said) -> Vec<Value> {
    let results = said.json();
    let done = results
        .first()
        .and_then(|result| result["doneLetters"].as_array());
    done.cloned().unwrap_or_default()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

fn orders(count: usize) -> Vec<String> {
    (1..=count)
        .map(|number| format!("0198c9c1-0000-7000-8000-{number:012}"))
        .collect()
}

/// What the relay makes of an order that was placed; the event's id is the order's.
fn event(order: &str) -> Value {
    const AT: &str = "2026-11-24T10:00:00Z";
    let state = json!({
        "id": order, "version": 1, "status": "placed", "customer": { "id": ID, "name": "Ada" },
        "lines": [{ "sku": "MUG", "name": "Mug", "quantity": 1, "unitPrice": { "amount": 5, "currency": "EUR" } }],
        "total": { "amount": 5, "currency": "EUR" }, "placedAt": AT,
    });
    json!({
        "specversion": "1.0", "id": order, "source": "/orders/write-model", "type": "orders.OrderPlaced.v1",
        "subject": order, "time": AT, "datacontenttype": "application/json", "aggregateversion": 1,
        "data": { "event": { "at": AT }, "stock": null, "state": state },
    })
}

/// The orders of messages, by their ids, whatever number these carry.
fn of(ids: impl IntoIterator<Item = String>) -> BTreeSet<String> {
    let order = |id: String| {
        id.split_once("/r")
            .map_or(id.clone(), |(order, _)| order.to_owned())
    };
    ids.into_iter().map(order).collect()
}
