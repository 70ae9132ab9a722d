//! Whether everything is as it must be after something went wrong: every event is in the log once, was heard on the topic in
//! order, and is in the documents; nothing is left on the way. Never repairs anything, and never looks before it is still.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use serde_json::Value;
use tokio::time::{interval, timeout};

use crate::{
    rebuild::{run, settings, told},
    support::DEADLINE,
    system::System,
    topic::Topic,
};

/// What the topic has had.
#[derive(Debug)]
pub(crate) struct Account {
    /// Events of the log, each heard at least once.
    pub(crate) events: usize,
    /// Messages heard beyond the first of each event.
    pub(crate) again: usize,
}

impl System {
    /// Holds log, topic, documents and what is left over against each other, when everything has arrived.
    pub(crate) async fn assert_whole(&self) -> Account {
        self.relayed().await;
        let account = self.assert_heard().await;
        self.projected().await;
        let parked = "select count(*) from write_model.outbox";
        assert_eq!(self.number(parked).await, 0, "nothing is left");
        told(&settings(self), &["dead-letters", "list", "--json"], NONE).await;
        account
    }

    /// Every event of the log is on the topic, each aggregate's in the order of its versions; what came again is the same.
    async fn assert_heard(&self) -> Account {
        let heard = Topic::open(&self.stack).await.hear_all().await;
        let mut bodies: BTreeMap<&str, &[u8]> = BTreeMap::new();
        let mut newest: BTreeMap<String, i64> = BTreeMap::new();
        for message in &heard {
            let event = message.json();
            assert_eq!(event["id"], *message.id);
            if let Some(earlier) = bodies.insert(&message.id, &message.body) {
                assert_eq!(earlier, message.body, "again, and not the same");
                continue;
            }
            let version: i64 = event["sequence"].as_str().unwrap().parse().unwrap();
            let subject = event["subject"].as_str().unwrap().to_owned();
            let before = newest.insert(subject, version).unwrap_or_default();
            assert_eq!(version, before + 1, "not in order: {event}");
        }
        let log = self.rows("select event_id::text from write_model.events").await;
        let log: BTreeSet<&str> = log.iter().map(|row| row.get(0)).collect();
        let ids: BTreeSet<&str> = bodies.into_keys().collect();
        assert_eq!(ids, log, "the topic has had what the log has");
        Account {
            events: log.len(),
            again: heard.len() - log.len(),
        }
    }

    /// Waits until the documents are what the log says.
    pub(crate) async fn projected(&self) {
        let settings = settings(self);
        let mut last = Value::Null;
        let comparing = async {
            let mut again = interval(Duration::from_millis(100));
            loop {
                again.tick().await;
                let output = run(&settings, &["verify", "--json"]).await;
                if output.status.success() {
                    return;
                }
                last = String::from_utf8_lossy(&output.stdout).into_owned().into();
            }
        };
        if timeout(2 * DEADLINE, comparing).await.is_err() {
            panic!("the documents are not what the log says: {last}; {}", self.tail());
        }
    }
}

/// What `handler dead-letters list` exits with when there are none.
const NONE: i32 = 3;
