//! Whether everything is as it must be after something went wrong: every event is in the log once, was heard on the topic in
//! order, and is in the documents; nothing is left on the way. Never repairs anything, and never looks before it is still.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    time::Duration,
};

use tokio::time::{interval, timeout};

use crate::{
    rebuild::{VERIFY, settings, told},
    support::DEADLINE,
    system::System,
    topic::{Heard, Topic},
};

/// What the topic has had.
#[derive(Debug)]
pub(crate) struct Account {
    /// Events of the log, each heard at least once.
    pub(crate) events: usize,
    /// Messages heard beyond the first of each event.
    pub(crate) again: usize,
}

impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} events, all heard, {} of them again",
            self.events, self.again
        )
    }
}

impl System {
    /// Holds log, topic, documents and what is left over against each other, when everything has arrived.
    pub(crate) async fn assert_whole(&self) -> Account {
        self.projected().await;
        let account = self.assert_heard().await;
        let parked = "select count(*) from write_model.outbox";
        assert_eq!(self.number(parked).await, 0, "nothing is left");
        told(&settings(self), &["dead-letters", "list", "--json"], NONE).await;
        account
    }

    /// Every event of the log is on the topic, each aggregate's in the order of its versions; what came again is the same.
    async fn assert_heard(&self) -> Account {
        let mut heard = Topic::open(&self.stack).await.hear_all().await;
        // What was sent again by hand is for one subscription, and under an id of its own.
        heard.retain(Heard::is_for_all);
        let mut bodies: BTreeMap<&str, &[u8]> = BTreeMap::new();
        let mut newest: BTreeMap<String, i64> = BTreeMap::new();
        for message in &heard {
            let event = message.json();
            assert_eq!(event["id"], *message.id);
            if let Some(earlier) = bodies.insert(&message.id, &message.body) {
                assert_eq!(earlier, message.body, "again, and not the same");
                continue;
            }
            let version: i64 = event["aggregateversion"].as_i64().unwrap();
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

    /// Waits until the projector has had every message, and holds the documents against the log.
    pub(crate) async fn projected(&self) {
        self.delivered().await;
        told(&settings(self), &VERIFY, 0).await;
    }

    /// Waits until the projector has had every message.
    pub(crate) async fn delivered(&self) {
        self.relayed().await;
        let bus = self.stack.servicebus_switches();
        let waiting = async {
            let mut again = interval(Duration::from_millis(20));
            while bus.held(PROJECTED) != Some(0) {
                again.tick().await;
            }
        };
        if timeout(2 * DEADLINE, waiting).await.is_err() {
            panic!(
                "{:?} messages are not projected; {}",
                bus.held(PROJECTED),
                self.tail()
            );
        }
    }
}

/// Whose messages become documents.
const PROJECTED: &str = "order-events/Subscriptions/read-model";
/// What `handler dead-letters list` exits with when there are none.
const NONE: i32 = 3;
