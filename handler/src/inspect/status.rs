//! The state of the system for its operator: what waits in which place, which generation is read, and which jobs are open.
//! Never fails as a whole: a part that cannot be asked says why.

use schemars::JsonSchema;
use serde::Serialize;

use crate::{
    bus::{BusError, MessageQueue, SubscriptionName},
    error_chain::chain,
    health::{Health, HealthReport},
    jobs::{JobError, JobRow, JobState, Jobs, Subscription},
    log::OutboxBacklog,
    read::generation::GenerationPointer,
};

/// Messages are counted up to this.
const MOST_COUNTED: usize = 1_000;
/// Messages that are looked at with one request.
const PAGE: i32 = 250;
/// Jobs that are listed.
const MOST_JOBS: i64 = 50;

/// The state of the system.
#[derive(Debug, Default, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SystemStatus {
    /// The state of each store.
    pub stores: HealthReport,
    /// Events that the bus has not got.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outbox: Option<OutboxStatus>,
    /// Messages that wait at a subscription; absent where this process has no bus.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subscription: Option<SubscriptionStatus>,
    /// The generations of the documents; absent where this process has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub generations: Option<GenerationPointer>,
    /// Jobs that are not over.
    pub jobs: Vec<JobRow>,
    /// Each part that could not be asked, and why.
    pub unknown: Vec<String>,
}

/// Events that the bus has not got.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OutboxStatus {
    /// Events to be sent; counted up to 10 000.
    pub waiting: i64,
    /// Events that the bus has refused; counted up to 10 000.
    pub parked: i64,
    /// Age of the oldest that waits, in seconds; absent when none does, and where no process relays (`OUTBOX` is `forget`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub oldest_seconds: Option<f64>,
}

/// Messages at a subscription.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SubscriptionStatus {
    /// The subscription.
    pub name: SubscriptionName,
    /// Messages to be delivered, those under way included; counted up to 1 000.
    pub waiting: usize,
    /// Messages that it has given up; counted up to 1 000.
    pub dead_letters: usize,
}

impl OutboxStatus {
    /// Makes the status of a backlog; where it is forgotten after a day, its age is no sign of a fault.
    #[must_use]
    pub fn new(backlog: &OutboxBacklog, forgets_outbox: bool) -> Self {
        Self {
            waiting: backlog.waiting,
            parked: backlog.parked,
            oldest_seconds: backlog.oldest.filter(|_| !forgets_outbox),
        }
    }
}

/// Looks at every part of the system; `subscription` names the one whose messages are counted.
pub async fn status(jobs: &Jobs, health: &Health, subscription: &SubscriptionName) -> SystemStatus {
    let resources = jobs.resources();
    let mut status = SystemStatus {
        stores: health.now().await,
        ..SystemStatus::default()
    };
    let mut unknown = Vec::new();
    let mut note = |what: &str, why: JobError| unknown.push(format!("{what}: {}", chain(&why)));
    match resources.log().backlog().await {
        Ok(backlog) => {
            let forgets = resources.forgets_outbox();
            status.outbox = backlog.map(|backlog| OutboxStatus::new(&backlog, forgets));
        }
        Err(fault) => note("outbox", fault.into()),
    }
    if resources.has_bus() {
        let counted = async { messages(&resources.subscription(subscription)?).await };
        match counted.await {
            Ok(messages) => status.subscription = Some(messages),
            Err(error) => note("subscription", error),
        }
    }
    if resources.has_documents() {
        let read = async { resources.read_model()?.pointer().await };
        match read.await {
            Ok(pointer) => status.generations = Some(pointer),
            Err(error) => note("generations", error),
        }
    }
    match jobs.list(None, Some(&JobState::OPEN), MOST_JOBS).await {
        Ok(open) => status.jobs = open,
        Err(error) => note("jobs", error),
    }
    status.unknown = unknown;
    status
}

async fn messages(subscription: &Subscription) -> Result<SubscriptionStatus, JobError> {
    let Subscription { address, topic, name } = subscription;
    let of = |error: BusError| JobError::from(subscription.explained(error));
    let mut waiting = MessageQueue::subscription(address, topic, name)
        .await
        .map_err(of)?;
    let mut dead = MessageQueue::dead_letters(address, topic, name)
        .await
        .map_err(of)?;
    Ok(SubscriptionStatus {
        name: name.clone(),
        waiting: count(&mut waiting).await.map_err(of)?,
        dead_letters: count(&mut dead).await.map_err(of)?,
    })
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
