//! Sends messages to the topic in batches, over a link that is opened when first needed and opened anew when it breaks.
//! Never reorders, and has one transfer on its way at most: an aggregate's messages stay in version order.

use fe2o3_amqp::{
    Sendable,
    types::{
        messaging::{ApplicationProperties, Batch, Body, Data, Message, Properties},
        primitives::{Binary, SimpleValue, Value},
    },
};
use tokio::sync::Mutex;

use super::{
    address::Address,
    cloud_event::{CONTENT_TYPE, CloudEvent},
    link::Link,
};
use crate::domain::event::Recorded;

/// Message format of a batch: each data section is one encoded message.
const BATCH_FORMAT: u32 = 0x8001_3700;
/// Room for the sections around the messages of a batch, and for the head of each.
const BATCH_OVERHEAD_BYTES: u64 = 2_048;
const ITEM_OVERHEAD_BYTES: u64 = 8;

pub(super) type Transfer = Sendable<Body<Value>>;

/// Why a batch was not taken.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// The bus is away, slow or busy: all of it can be sent again later.
    #[error("{0}")]
    Unavailable(String),
    /// The bus will not take this content, ever.
    #[error("{0}")]
    Refused(String),
}

/// One message, encoded as AMQP 1.0 sections.
#[derive(Debug, Clone)]
pub struct Envelope(Vec<u8>);

impl Envelope {
    /// The message of an event: MessageId = event id, SessionId = aggregate id, Subject = type.
    ///
    /// # Errors
    /// When a value cannot be encoded.
    pub fn of(event: &Recorded) -> Result<Self, SendError> {
        let refused = |error: &dyn std::error::Error| SendError::Refused(error.to_string());
        let json = serde_json::to_vec(&CloudEvent::from(event)).map_err(|error| refused(&error))?;
        let properties = Properties::builder()
            .message_id(event.event_id.to_string())
            .subject(event.kind.clone())
            .content_type(CONTENT_TYPE)
            .group_id(event.subject.clone())
            .build();
        // Third parties tell replays from first deliveries by this.
        let marks = ApplicationProperties::builder()
            .insert("replay", SimpleValue::String("none".to_owned()))
            .build();
        let sections = [
            serde_amqp::to_vec(&properties),
            serde_amqp::to_vec(&marks),
            serde_amqp::to_vec(&Data(Binary::from(json))),
        ];
        let mut bytes = Vec::new();
        for section in sections {
            bytes.extend(section.map_err(|error| refused(&error))?);
        }
        Ok(Self(bytes))
    }

    /// Size on the wire in bytes.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.0.len() as u64 + ITEM_OVERHEAD_BYTES
    }
}

/// The topic, as one sender sees it.
pub struct Bus {
    address: Address,
    topic: String,
    link: Mutex<Option<Link>>,
}

impl Bus {
    /// A sender for this topic; connects when first used.
    #[must_use]
    pub fn new(address: Address, topic: String) -> Self {
        Self {
            address,
            topic,
            link: Mutex::new(None),
        }
    }

    /// How many bytes of messages fit into one batch.
    ///
    /// # Errors
    /// [`SendError::Unavailable`] when there is no link and none can be opened.
    pub async fn batch_bytes(&self) -> Result<u64, SendError> {
        let mut link = self.link.lock().await;
        let opened = match link.take() {
            Some(open) => open,
            None => Link::open(&self.address, &self.topic).await?,
        };
        let bytes = opened.max_bytes().saturating_sub(BATCH_OVERHEAD_BYTES);
        *link = Some(opened);
        Ok(bytes)
    }

    /// True when there is a link, or one can be opened now.
    pub async fn answers(&self) -> bool {
        self.batch_bytes().await.is_ok()
    }

    /// Sends all of it or nothing. A link that was open before and turns out to be dead is replaced once.
    ///
    /// # Errors
    /// See [`SendError`]; after `Unavailable` the messages may have arrived nevertheless.
    pub async fn send(&self, batch: &[Envelope]) -> Result<(), SendError> {
        let mut link = self.link.lock().await;
        // Until a send has succeeded the link is not kept: one that the bus has closed would blame the next batch.
        if let Some(mut open) = link.take() {
            match self.send_on(&mut open, batch).await {
                Err(SendError::Unavailable(why)) => tracing::debug!(error = %why, "bus_link_lost"),
                Err(refused) => return Err(refused),
                Ok(()) => {
                    *link = Some(open);
                    return Ok(());
                }
            }
        }
        let mut fresh = Link::open(&self.address, &self.topic).await?;
        self.send_on(&mut fresh, batch).await?;
        *link = Some(fresh);
        Ok(())
    }

    async fn send_on(&self, link: &mut Link, batch: &[Envelope]) -> Result<(), SendError> {
        link.keep_authorized(&self.address, &self.topic).await?;
        let sections = batch
            .iter()
            .map(|envelope| Data(Binary::from(envelope.0.clone())));
        let body: Body<Value> = Body::Data(Batch::new(sections.collect::<Vec<_>>()));
        let transfer = Sendable::builder()
            .message(Message::builder().body(body).build())
            .message_format(BATCH_FORMAT)
            .build();
        link.send(transfer).await
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use time::OffsetDateTime;
    use uuid::Uuid;

    use super::*;
    use crate::domain::value::MAX_LINES;

    /// The smallest tier takes 256 KiB; a message must stay well below, or its order could never be sent.
    const MOST_BYTES: u64 = 200 * 1024;

    #[test]
    fn the_message_of_the_largest_order_there_can_be_is_taken_by_every_tier() {
        // Every value at its limit, in the characters that JSON makes longest.
        let name = "\"".repeat(200);
        let money = json!({ "amount": i64::MAX, "currency": "EUR" });
        let sku = "X".repeat(40);
        let line = json!({ "sku": sku, "name": name, "quantity": 10_000, "unitPrice": money });
        let lines = vec![line; MAX_LINES];
        let id = Uuid::max();
        let state = json!({
            "id": id, "version": i64::MAX, "status": "delivered", "customer": { "id": id, "name": name }, "lines": lines,
            "total": money, "placedAt": "2026-11-24T10:00:00.000001Z", "paidAt": "2026-11-24T10:00:00.000001Z",
            "shippedAt": "2026-11-24T10:00:00.000001Z", "deliveredAt": "2026-11-24T10:00:00.000001Z", "shipment": { "carrier": name, "trackingNumber": name },
        });
        let level = json!({ "sku": sku, "available": i64::MAX, "seq": i64::MAX });
        let event = Recorded {
            event_id: id,
            subject: id.to_string(),
            version: i64::MAX,
            kind: "orders.OrderPlaced.v1".to_owned(),
            data: state.clone(),
            state,
            stock: json!(vec![level; MAX_LINES]),
            traceparent: Some("0".repeat(55)),
            occurred_at: OffsetDateTime::UNIX_EPOCH,
        };
        let bytes = Envelope::of(&event).unwrap().bytes();
        assert!(bytes < MOST_BYTES, "{bytes}");
    }
}
