//! What operators ask for - replays, and the rows that remember them - with the shipped binary, a log and a bus.
//! Never believes the binary: what it says it has sent is heard by subscribers.

mod direct;
mod http;
mod kills;
mod replaying;
mod rows;
mod steering;
mod verifying;

use std::collections::BTreeMap;

use serde_json::Value;
use tokio::{process::Command, time::timeout};

use crate::{
    dead_letters::{Bench, Said, entities},
    projections::history,
    support::{App, DEADLINE, Database, binary},
};

const DONE: i32 = 0;
const FAILED: i32 = 1;
const USAGE: i32 = 2;

/// A shop with a history that no bus has been told of, and a bus that waits for it.
pub(super) struct Log {
    pub(super) app: App,
    pub(super) bench: Bench,
    /// Every event of the log in its order, as its message brings it.
    pub(super) events: Vec<Value>,
    pub(super) settings: BTreeMap<String, String>,
}

impl Log {
    pub(super) async fn start(orders: usize) -> Self {
        let app = App::start().await;
        let messages = history(&app, orders).await;
        let bench = Bench::start_with(entities("PT1M")).await;
        let mut settings = app.database().settings(Database::server_address());
        settings.insert("ServiceBusConnection".to_owned(), bench.bus.connection_string());
        settings.insert("ServiceBusTopic".to_owned(), "order-events".to_owned());
        let events = messages
            .into_iter()
            .map(|mut message| message["Data"]["message"].take());
        Self {
            app,
            bench,
            events: events.collect(),
            settings,
        }
    }

    pub(super) fn tool(&self, arguments: &[&str]) -> Command {
        tool(&self.settings, arguments)
    }

    pub(super) async fn run(&self, arguments: &[&str]) -> Said {
        run(&self.settings, arguments).await
    }

    /// Plans this, and returns the operation's id.
    pub(super) async fn planned(&self, arguments: &[&str]) -> String {
        let said = self.run(&[&["replay", "--json"], arguments].concat()).await;
        assert_eq!(said.code, DONE, "{said:?}");
        text(&said.json()[0]["id"])
    }

    /// The operation as it is.
    pub(super) async fn show(&self, id: &str) -> Value {
        let said = self.run(&["jobs", "show", id]).await;
        serde_json::from_str(&said.out).unwrap_or_else(|_| panic!("{said:?}"))
    }

    /// Ids of the events that fulfil this, in the order of the log.
    pub(super) fn ids(&self, is_meant: impl Fn(&Value) -> bool) -> Vec<String> {
        let meant = self.events.iter().filter(|event| is_meant(event));
        meant.map(|event| text(&event["id"])).collect()
    }
}

pub(super) fn tool(settings: &BTreeMap<String, String>, arguments: &[&str]) -> Command {
    let mut command = Command::new(binary());
    command
        .args(arguments)
        .env_clear()
        .envs(settings)
        .kill_on_drop(true);
    command
}

pub(super) async fn run(settings: &BTreeMap<String, String>, arguments: &[&str]) -> Said {
    let output = timeout(2 * DEADLINE, tool(settings, arguments).output()).await;
    Said::of(output.unwrap().unwrap())
}

pub(super) fn text(value: &Value) -> String {
    value
        .as_str()
        .unwrap_or_else(|| panic!("{value} is no text"))
        .to_owned()
}

/// The events that messages are of.
pub(super) fn events_of(heard: &[crate::topic::Heard]) -> Vec<String> {
    let event = |heard: &crate::topic::Heard| heard.id.split_once("/r").unwrap().0.to_owned();
    heard.iter().map(event).collect()
}
