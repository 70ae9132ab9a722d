//! Each service away, cut off, busy or forgetful, under traffic: nothing is lost, nothing good is dead-lettered for ever,
//! and it is over by itself. Never restarts the handler to get it going again, but where that is the test.

mod bus;
mod cosmos;
mod cuts;
mod hours;
mod lost_answers;
mod other_pools;
mod postgres;
mod recovery;
mod storage;
mod tokens;

use std::{
    sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed},
    time::{Duration, Instant},
};

use futures_util::future::join_all;
use hyper::StatusCode;
use serde_json::Value;
use tokio::time::{interval, sleep, timeout};
use uuid::Uuid;

use crate::support::{Answer, Call, Client, DEADLINE, calls};

/// Commands that are sent again and again, each under a key of its own, and what came of them.
#[derive(Debug, Default)]
struct Traffic {
    /// Commands that were answered with success.
    done: AtomicUsize,
    /// Answers 503, each with `Retry-After`.
    refused: AtomicUsize,
    /// Commands that had been done when they were asked for again: their first answer was lost, or a 503.
    replayed: AtomicUsize,
    slowest_ms: AtomicU64,
    over: AtomicBool,
}

impl Traffic {
    /// Sends a command until it is answered with success. The only other answer there may be is to come back later.
    async fn insist(&self, client: &Client, call: &Call) -> Answer {
        let client = client.with("idempotency-key", &Uuid::now_v7().to_string());
        loop {
            let asked = Instant::now();
            let answer = client.call(call).await;
            let took = u64::try_from(asked.elapsed().as_millis()).unwrap();
            self.slowest_ms.fetch_max(took, Relaxed);
            if answer.status.is_success() {
                self.done.fetch_add(1, Relaxed);
                let again = answer.headers.contains_key("idempotent-replayed");
                self.replayed.fetch_add(usize::from(again), Relaxed);
                return answer;
            }
            assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE, "{answer:?}");
            assert!(answer.headers.contains_key("retry-after"), "{answer:?}");
            assert_eq!(answer.headers["content-type"], "application/problem+json");
            self.refused.fetch_add(1, Relaxed);
            // A shop does not hammer a door that is closed.
            sleep(Duration::from_millis(50)).await;
        }
    }

    /// An order that is placed and paid: two events.
    async fn order(&self, client: &Client, customer: &str) {
        let placed = self.insist(client, &calls::place(customer, &[("MUG", 1)])).await;
        self.insist(client, &calls::pay(&placed)).await;
    }

    /// So many orders, at the same time.
    async fn orders(&self, client: &Client, customer: &str, orders: usize) {
        let all = join_all((0..orders).map(|_| self.order(client, customer)));
        timeout(2 * DEADLINE, all).await.unwrap();
    }

    /// So many clients who order until [`Self::end`].
    async fn flow(&self, client: &Client, customer: &str, clients: usize) {
        let shop = async || {
            let mut customers = interval(Duration::from_millis(50));
            while !self.over.load(Relaxed) {
                customers.tick().await;
                self.order(client, customer).await;
            }
        };
        let all = join_all((0..clients).map(|_| shop()));
        timeout(4 * DEADLINE, all).await.unwrap();
    }

    fn end(&self) {
        self.over.store(true, Relaxed);
    }

    /// Waits until so many more commands are done.
    async fn more(&self, commands: usize) {
        let wanted = self.done.load(Relaxed) + commands;
        until("commands are done", async || self.done.load(Relaxed) >= wanted).await;
    }

    /// What the clients saw, for the counts that a test prints.
    fn seen(&self) -> String {
        format!(
            "{} commands done, {} of them found done when asked again, {} answers 503, slowest answer {} ms",
            self.done.load(Relaxed),
            self.replayed.load(Relaxed),
            self.refused.load(Relaxed),
            self.slowest_ms.load(Relaxed),
        )
    }
}

/// Lets locks on messages run out soon: what was under way when its connection went comes again only then.
fn short_locks(bus: &mut Value) {
    let topic = &mut bus["UserConfig"]["Namespaces"][0]["Topics"][0];
    topic["Subscriptions"][0]["Properties"]["LockDuration"] = "PT5S".into();
}

/// Waits until this holds.
async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let waiting = async {
        let mut again = interval(Duration::from_millis(5));
        while !holds().await {
            again.tick().await;
        }
    };
    timeout(2 * DEADLINE, waiting).await.expect(what);
}
