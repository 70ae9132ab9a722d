//! Watches the hops of one event at the same time and prints how long each took since its command.
//! It never waits longer than the limit, and then tells the hop and what was seen there last.

use std::future::Future;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use serde_json::Value;
use tokio_postgres::{Client, NoTls};

use super::topic::TopicReceiver;
use crate::api::Api;
use crate::cosmos::DocumentReader;
use crate::escape;
use crate::stack::Stack;

const LIMIT: Duration = Duration::from_secs(10);
/// The order document; the partition tells whose.
const DOCUMENT: &str = "dbs/orders/colls/orders/docs/order";
const PAUSE: Duration = Duration::from_millis(2);

/// Eyes on the table, the topic, the document and the API.
pub(super) struct HopWatch<'a> {
    events: Client,
    topic: TopicReceiver,
    documents: DocumentReader,
    api: Api<'a>,
    since: Instant,
}

/// One look at a hop: what is there, and whether that is what was waited for.
struct HopState {
    arrived: bool,
    seen: String,
}

/// The end of a hop.
struct Hop {
    name: &'static str,
    took: Duration,
    last: HopState,
}

impl<'a> HopWatch<'a> {
    /// Begins to watch; the subscription is one of the watch alone.
    pub(super) async fn start(stack: &'a Stack, subscription: &str) -> Result<Self> {
        let (events, connection) = tokio_postgres::connect(stack.postgres_url(), NoTls).await?;
        tokio::spawn(connection);
        Ok(Self {
            events,
            topic: TopicReceiver::open(&stack.servicebus_connection_string(), subscription).await?,
            documents: DocumentReader::new(&stack.cosmos_endpoint(), stack.cosmos_key()),
            api: Api::new(stack),
            since: Instant::now(),
        })
    }

    /// Sends a command; the hops after it are timed from here.
    pub(super) async fn command(
        &mut self,
        name: &str,
        sending: impl Future<Output = Result<Value>>,
    ) -> Result<Value> {
        println!("{name}");
        self.since = Instant::now();
        let answer = tokio::time::timeout(LIMIT, sending).await;
        let body =
            answer.with_context(|| format!("late hop: command answered; nothing after {LIMIT:?}"))??;
        let seen = format!("version {}", body["version"]);
        println!("{}", line("command answered", self.since.elapsed(), &seen));
        Ok(body)
    }

    /// Waits until the order's event of this version has arrived everywhere.
    pub(super) async fn hops(&mut self, order: &str, version: i64) -> Result<()> {
        let (events, topic) = (&self.events, &mut self.topic);
        let (documents, api, since) = (&self.documents, &self.api, self.since);
        let hops = tokio::join!(
            follow("event stored", since, async || stored(events, order, version)
                .await),
            follow("message on the topic", since, async || sent(
                topic, order, version
            )
            .await),
            follow("projected", since, async || {
                let document = documents.read(DOCUMENT, &format!("1|{order}")).await?;
                Ok(versioned(document.as_ref(), version))
            }),
            follow("visible by GET", since, async || {
                let answer = api.get(&format!("/orders/{order}")).await?;
                if answer.status == 200 {
                    return Ok(versioned(Some(&answer.body), version));
                }
                Ok(HopState {
                    arrived: false,
                    seen: format!("{} {}", answer.status, answer.body),
                })
            }),
        );
        for hop in [hops.0, hops.1, hops.2, hops.3] {
            if !hop.last.arrived {
                bail!(
                    "late hop: {}; after {LIMIT:?} there was: {}",
                    hop.name,
                    hop.last.seen
                );
            }
            println!("{}", line(hop.name, hop.took, &hop.last.seen));
        }
        Ok(())
    }
}

/// Looks again and again until the event has arrived or the limit has passed.
async fn follow(name: &'static str, since: Instant, mut look: impl AsyncFnMut() -> Result<HopState>) -> Hop {
    let mut last = HopState {
        arrived: false,
        seen: "nothing".to_owned(),
    };
    let looking = async {
        while !last.arrived {
            last = look().await.unwrap_or_else(|error| HopState {
                arrived: false,
                seen: format!("{error:#}"),
            });
            if !last.arrived {
                tokio::time::sleep(PAUSE).await;
            }
        }
    };
    // What was seen last is the answer either way.
    let _ = tokio::time::timeout(LIMIT.saturating_sub(since.elapsed()), looking).await;
    Hop {
        name,
        took: since.elapsed(),
        last,
    }
}

async fn stored(events: &Client, order: &str, version: i64) -> Result<HopState> {
    let query =
        "SELECT version, type FROM write_model.events WHERE stream::text = $1 ORDER BY version DESC LIMIT 1";
    let row = events.query_opt(query, &[&order]).await?;
    Ok(row.map_or_else(nothing, |row| {
        let (found, kind): (i64, String) = (row.get(0), row.get(1));
        HopState {
            arrived: found >= version,
            seen: format!("{kind}, version {found}"),
        }
    }))
}

async fn sent(topic: &mut TopicReceiver, order: &str, version: i64) -> Result<HopState> {
    let event = topic.next().await?;
    let arrived = event["subject"] == order && event["aggregateversion"] == version;
    Ok(HopState {
        arrived,
        seen: format!("{} of {}", event["type"], event["subject"]),
    })
}

fn versioned(document: Option<&Value>, version: i64) -> HopState {
    document.map_or_else(nothing, |document| {
        let arrived = document["version"].as_i64().is_some_and(|found| found >= version);
        HopState {
            arrived,
            seen: format!("status {}, version {}", document["status"], document["version"]),
        }
    })
}

fn nothing() -> HopState {
    HopState {
        arrived: false,
        seen: "nothing".to_owned(),
    }
}

/// A hop as it is printed: the seen text may come from any sender to the topic, so it is escaped.
fn line(hop: &str, took: Duration, seen: &str) -> String {
    let seen = escape::line(seen);
    format!("  {hop:<22} {:>8.1} ms  {seen}", took.as_secs_f64() * 1000.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_hop_has_seen_does_nothing_to_a_terminal() {
        let printed = line(
            "message on the topic",
            Duration::ZERO,
            "\u{1b}[2J\nOrderPaid\u{202e}",
        );
        assert!(printed.ends_with("\\u001b[2J\\nOrderPaid\\u202e"), "{printed}");
    }
}
