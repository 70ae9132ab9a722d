//! One order over every hop: what happened to it, under which key it was asked for, whether the bus has been told, where its
//! messages are, and what the documents show; and the first place where the hops differ. Never changes anything, and never
//! guesses: what a hop does not say is left out.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

use super::difference::difference;
use crate::{
    bus::{BusError, MessageQueue, ReceivedMessage, SubscriptionName},
    domain::timestamp::Timestamp,
    error_chain::chain,
    jobs::{
        JobError, Jobs, ReadModelAdmin, Subscription,
        verification::{self, Difference, LOG},
    },
    log::TracedEvent,
    read::{
        connection::CosmosContainer,
        document::{
            Document,
            customer::OrderRowDocument,
            order::{EVENT, ORDER, OrderDocument, event},
        },
        store::{Collection, DocumentKey, DocumentSearch, FoundDocument},
    },
};

/// Messages of a queue that are looked through, and those of one request.
const MOST_LOOKED_AT: usize = 2_000;
const PAGE: i32 = 50;
/// Longest wait for an order's history.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(5);

/// One order over every hop.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OrderExplanation {
    /// Its events, oldest first.
    pub events: Vec<ExplainedEvent>,
    /// The generation of the documents that queries read.
    pub generation: u32,
    /// The version that its document shows; absent where there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub document: Option<i64>,
    /// The version in its customer's list.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub customers_row: Option<i64>,
    /// Its documents that do not say what its events come to, and what they differ by.
    pub differences: Vec<DocumentDifference>,
    /// The first hop that is not as far as the one before it, or says something else.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_difference: Option<String>,
}

/// A document that does not say what the log says.
#[derive(Debug, Serialize, JsonSchema)]
pub struct DocumentDifference {
    /// Its partition key.
    pub pk: String,
    /// Its id.
    pub id: String,
    /// A line for each place that differs, by its JSON Pointer.
    pub places: Vec<String>,
}

/// One event, and how far it got.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ExplainedEvent {
    /// The order's version after it.
    pub version: i64,
    /// Its name with its major version.
    pub r#type: String,
    /// Its id, which is the message's too.
    pub event_id: Uuid,
    /// Time of the event (UTC); absent where the log has no time that could be written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
    /// The Idempotency-Key that it was asked for under, for a day.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// `sent`, `waiting`, or `parked: ` and why the bus refuses it.
    pub outbox: String,
    /// The place of its message, of an event that was sent and is not in the history; absent where that cannot be asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// True when its document is in the order's history.
    pub in_history: bool,
}

/// Follows an order from its first command to its documents, by way of this subscription.
///
/// # Errors
/// [`JobError::NotFound`] when there is no such order; others when a hop cannot be asked.
pub async fn explain(
    jobs: &Jobs,
    order: Uuid,
    subscription: &SubscriptionName,
) -> Result<OrderExplanation, JobError> {
    let resources = jobs.resources();
    let admin = resources.read_model()?;
    let hops = resources.log().trace(&order.to_string()).await?;
    let Some(customer) = hops.iter().find_map(|hop| hop.customer) else {
        return Err(JobError::NotFound(format!("there is no order {order}")));
    };
    let mut explanation = shown(admin, order, customer, hops).await?;
    let lacking = |event: &&mut ExplainedEvent| event.outbox == "sent" && !event.in_history;
    let mut lacking: Vec<&mut ExplainedEvent> = explanation.events.iter_mut().filter(lacking).collect();
    if !lacking.is_empty() && resources.has_bus() {
        let subscription = resources.subscription(subscription)?;
        let ids: Vec<Uuid> = lacking.iter().map(|event| event.event_id).collect();
        let found = messages(&subscription, &ids).await;
        for event in &mut lacking {
            event.message = Some(match &found {
                Ok(found) => found
                    .get(&event.event_id)
                    .cloned()
                    .unwrap_or_else(|| format!("not found at the subscription {}", subscription.name)),
                Err(error) => format!("unknown: {}", chain(error)),
            });
        }
    }
    explanation.first_difference = explanation.difference();
    Ok(explanation)
}

/// The order in the documents that are read now.
async fn shown(
    admin: &ReadModelAdmin,
    order: Uuid,
    customer: Uuid,
    hops: Vec<TracedEvent>,
) -> Result<OrderExplanation, JobError> {
    let live = admin.pointer().await?.live;
    let orders = admin.container(CosmosContainer::Orders);
    let pk = &live.partition(&order.to_string());
    let search = DocumentSearch::OfPartition { pk, kind: EVENT };
    let history: Vec<DocumentKey> = orders.find(search, PATIENCE).await?;
    let events = hops.into_iter().map(|hop| {
        let document = event(hop.version);
        explained(hop, history.iter().any(|place| place.id == document))
    });
    let document = orders.read::<FoundDocument<OrderDocument>>(pk, ORDER).await?;
    let rows = admin.container(CosmosContainer::Customers);
    let row = rows
        .read::<FoundDocument<OrderRowDocument>>(&live.partition(&customer.to_string()), &order.to_string())
        .await?;
    let differences = verification::of_stream(admin, live, &order.to_string()).await?;
    Ok(OrderExplanation {
        events: events.collect(),
        generation: live.0,
        document: document.and_then(|it| it.document.readable().map(OrderDocument::version)),
        customers_row: row.and_then(|it| it.document.readable().map(OrderRowDocument::version)),
        differences: differences.into_iter().map(DocumentDifference::from).collect(),
        first_difference: None,
    })
}

impl From<Difference> for DocumentDifference {
    fn from(it: Difference) -> Self {
        let places = match &it.found {
            // Of the log itself: why it cannot be read.
            Value::String(why) => vec![why.clone()],
            found => difference(&it.expected, found),
        };
        let (pk, id) = (it.pk, it.id);
        Self { pk, id, places }
    }
}

fn explained(hop: TracedEvent, in_history: bool) -> ExplainedEvent {
    ExplainedEvent {
        version: hop.version,
        r#type: hop.kind,
        event_id: hop.event_id,
        at: hop.at,
        key: hop.key,
        outbox: hop.outbox.to_string(),
        message: None,
        in_history,
    }
}

/// Finds the messages of these events, as far as they are among the first of the subscription or of its dead letters.
async fn messages(subscription: &Subscription, events: &[Uuid]) -> Result<BTreeMap<Uuid, String>, JobError> {
    let Subscription { address, topic, name } = subscription;
    let of = |error| JobError::from(subscription.explained(error));
    let mut found = BTreeMap::new();
    let mut queue = MessageQueue::subscription(address, topic, name)
        .await
        .map_err(of)?;
    let waits = |message: &ReceivedMessage| {
        let deliveries = message.deliveries();
        format!("waits at the subscription {name}, {deliveries} deliveries have failed")
    };
    note_messages(&mut queue, events, &mut found, waits)
        .await
        .map_err(of)?;
    let mut queue = MessageQueue::dead_letters(address, topic, name)
        .await
        .map_err(of)?;
    let is_dead = |message: &ReceivedMessage| {
        let reason = message.reason().unwrap_or("no reason given");
        format!("is a dead letter of the subscription {name}: {reason}")
    };
    note_messages(&mut queue, events, &mut found, is_dead)
        .await
        .map_err(of)?;
    Ok(found)
}

/// Notes what is to be said of the messages of these events, as far as they are among the first of a queue.
async fn note_messages(
    queue: &mut MessageQueue,
    events: &[Uuid],
    found: &mut BTreeMap<Uuid, String>,
    words: impl Fn(&ReceivedMessage) -> String,
) -> Result<(), BusError> {
    let (mut from, mut seen) = (0, 0);
    while seen < MOST_LOOKED_AT {
        let page = queue.peek(from, PAGE).await?;
        let Some(last) = page.last() else { break };
        from = last.sequence().saturating_add(1);
        seen += page.len();
        for message in &page {
            let id = message.message_id();
            // A replay's has a number after it.
            let event = id.split('/').next().unwrap_or_default().parse();
            if let Some(event) = event.ok().filter(|event| events.contains(event)) {
                found.insert(event, words(message));
            }
        }
    }
    Ok(())
}

impl OrderExplanation {
    fn difference(&self) -> Option<String> {
        for event in &self.events {
            let (version, event_id, outbox) = (event.version, event.event_id, &event.outbox);
            if event.at.is_none() {
                return Some(format!(
                    "event {version} ({event_id}) has a time in the log that cannot be read"
                ));
            }
            if outbox != "sent" {
                return Some(format!(
                    "event {version} ({event_id}) is {outbox} in the outbox: the bus does not have it"
                ));
            }
            if !event.in_history {
                let message = event.message.as_deref();
                let message = message.unwrap_or("is at the subscription or among its dead letters");
                return Some(format!(
                    "event {version} was sent and is not in the history: message {event_id} {message}"
                ));
            }
        }
        let last = self.events.last()?.version;
        let behind = |what: &str, version: Option<i64>| match version {
            Some(version) if version < last => Some(format!("{what} shows version {version} of {last}")),
            _ => None,
        };
        behind("the document", self.document)
            .or_else(|| behind("the row in the customer's list", self.customers_row))
            .or_else(|| self.differences.first().map(DocumentDifference::words))
    }
}

impl DocumentDifference {
    fn words(&self) -> String {
        let what = match self.id.as_str() {
            ORDER => "the document",
            LOG => "the log",
            id if id.starts_with("event-") => id,
            _ => "the row in the customer's list",
        };
        match self.places.as_slice() {
            [only] if !only.starts_with('/') => format!("{what} {only}"),
            places => format!("{what} differs: {}", places.join("; ")),
        }
    }
}
