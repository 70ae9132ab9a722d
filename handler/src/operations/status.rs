//! How the deployment is, for its operator: what waits where, which generation is read, and which operations are under way.
//! Never fails as a whole: a part that cannot be asked says why.

use schemars::JsonSchema;
use serde::Serialize;

use super::{
    Failed, Operations, Subscription,
    operation::{Operation, State},
};
use crate::{
    bus::{BusError, MessageQueue},
    error_chain::chain,
    health::{Health, HealthReport},
    log::OutboxBacklog,
    read::generation::GenerationPointer,
};

/// Messages are counted up to this.
const MOST_COUNTED: usize = 1_000;
/// Messages that are looked at with one request.
const PAGE: i32 = 250;
/// Operations that are told.
const MOST_OPERATIONS: i64 = 50;

/// How things are.
#[derive(Debug, Default, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "DeploymentStatus")]
pub struct Status {
    /// How the stores are.
    pub stores: HealthReport,
    /// Events that the bus has not got.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outbox: Option<Outbox>,
    /// Messages that wait at a subscription; absent where this process has no bus.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subscription: Option<Messages>,
    /// The generations of the documents; absent where this process has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub generations: Option<GenerationPointer>,
    /// Operations that are not over.
    pub operations: Vec<Operation>,
    /// What could not be found out, and why.
    pub unknown: Vec<String>,
}

/// Events that the bus has not got.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Outbox {
    /// How many are to be sent; counted up to 10 000.
    pub waiting: i64,
    /// How many the bus has refused; counted up to 10 000.
    pub parked: i64,
    /// How old the oldest is that waits, in seconds; absent when none does, and where nobody relays (`OUTBOX` is `forget`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub oldest_seconds: Option<f64>,
}

/// Messages at a subscription.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "SubscriptionStatus")]
pub struct Messages {
    /// The subscription.
    pub name: String,
    /// How many are to be delivered, those under way included; counted up to 1 000.
    pub waiting: usize,
    /// How many it has given up; counted up to 1 000.
    pub dead_letters: usize,
}

impl Operations {
    /// How things are; `subscription` names the one whose messages are counted.
    pub async fn status(&self, health: &Health, subscription: &str) -> Status {
        let mut status = Status {
            stores: health.now().await,
            ..Status::default()
        };
        let mut unknown = Vec::new();
        let mut note = |what: &str, why: Failed| unknown.push(format!("{what}: {}", chain(&why)));
        match self.log.backlog().await {
            Ok(backlog) => status.outbox = backlog.map(|backlog| self.outbox(&backlog)),
            Err(fault) => note("outbox", fault.into()),
        }
        if self.topic.is_some() {
            match self.messages(subscription).await {
                Ok(messages) => status.subscription = Some(messages),
                Err(failed) => note("subscription", failed),
            }
        }
        if let Some(model) = &self.model {
            match model.pointer().await {
                Ok(pointer) => status.generations = Some(pointer),
                Err(failed) => note("generations", failed),
            }
        }
        let open = [State::Planning, State::Planned, State::Running, State::Paused];
        match self.list(None, Some(&open), MOST_OPERATIONS).await {
            Ok(operations) => status.operations = operations,
            Err(failed) => note("operations", failed),
        }
        status.unknown = unknown;
        status
    }

    /// What waits; where it is forgotten after a day, its age is no sign of a fault.
    #[must_use]
    pub fn outbox(&self, backlog: &OutboxBacklog) -> Outbox {
        Outbox {
            waiting: backlog.waiting,
            parked: backlog.parked,
            oldest_seconds: backlog.oldest.filter(|_| !self.forgets_outbox),
        }
    }

    async fn messages(&self, name: &str) -> Result<Messages, Failed> {
        let subscription = self.subscription(name)?;
        let Subscription { address, topic, name } = &subscription;
        let of = |error: BusError| Failed::from(subscription.known(error));
        let mut waiting = MessageQueue::subscription(address, topic, name)
            .await
            .map_err(of)?;
        let mut dead = MessageQueue::dead_letters(address, topic, name)
            .await
            .map_err(of)?;
        Ok(Messages {
            name: name.clone(),
            waiting: count(&mut waiting).await.map_err(of)?,
            dead_letters: count(&mut dead).await.map_err(of)?,
        })
    }
}

async fn count(queue: &mut MessageQueue) -> Result<usize, BusError> {
    let (mut from, mut counted) = (0, 0);
    while counted < MOST_COUNTED {
        let page = queue.peek(from, PAGE).await?;
        let Some(last) = page.last() else { break };
        from = last.sequence().saturating_add(1);
        counted += page.len();
    }
    Ok(counted.min(MOST_COUNTED))
}
