//! A message on its way to the topic, encoded: made from an event, or from a message that came back.
//! Never sends anything: that is `sender`.

use fe2o3_amqp::types::{
    messaging::{ApplicationProperties, Body, Data, Properties},
    primitives::{Binary, SimpleValue, Value},
};
use serde::Serialize;

use super::{
    cloud_event::{CONTENT_TYPE, CloudEvent},
    error::SendError,
    received::{DESCRIPTION, REASON, REPLAY, ReceivedMessage},
};
use crate::{domain::event::RecordedEvent, error_chain::cause};

/// Room for the head of a message in a batch.
const ITEM_OVERHEAD_BYTES: u64 = 8;

/// One message, encoded as AMQP 1.0 sections.
#[derive(Debug, Clone)]
pub struct Envelope(Vec<u8>);

impl Envelope {
    /// The message of an event: MessageId = event id, SessionId = aggregate id, Subject = type.
    ///
    /// # Errors
    /// When a value cannot be encoded.
    pub fn of(event: &RecordedEvent) -> Result<Self, SendError> {
        // Third parties tell replays from first deliveries by this.
        Self::for_whom(event, event.event_id.to_string(), "none")
    }

    /// The message of an event once more, for one subscription only: MessageId = `<event id>/r<number>`, or the topic would
    /// take it for one that it has had.
    ///
    /// # Errors
    /// When a value cannot be encoded.
    pub fn replay(event: &RecordedEvent, number: i64, subscription: &str) -> Result<Self, SendError> {
        Self::for_whom(event, format!("{}/r{number}", event.event_id), subscription)
    }

    fn for_whom(event: &RecordedEvent, message_id: String, replay: &str) -> Result<Self, SendError> {
        let json = serde_json::to_vec(&CloudEvent::from(event)).map_err(refused)?;
        let properties = Properties::builder()
            .message_id(message_id)
            .subject(event.kind.clone())
            .content_type(CONTENT_TYPE)
            .group_id(event.subject.clone())
            .build();
        let marks = ApplicationProperties::builder()
            .insert(REPLAY, SimpleValue::String(replay.to_owned()))
            .build();
        Self::encode(&properties, &marks, &Data(Binary::from(json)))
    }

    /// The same message once more, for one subscription only and under another MessageId: what made it a dead letter, and
    /// what the bus had written on it, is left out.
    ///
    /// # Errors
    /// When a value cannot be encoded.
    pub fn again(
        received: &ReceivedMessage,
        message_id: &str,
        subscription: &str,
    ) -> Result<Self, SendError> {
        let message = received.message();
        let mut properties = message.properties.clone().unwrap_or_default();
        properties.message_id = Some(message_id.to_owned().into());
        // A life that has run out begins anew.
        properties.absolute_expiry_time = None;
        let mut marks = message.application_properties.clone().unwrap_or_default();
        for name in [REASON, DESCRIPTION] {
            marks.0.swap_remove(name);
        }
        let only = SimpleValue::String(subscription.to_owned());
        marks.0.insert(REPLAY.to_owned(), only);
        Self::encode::<Body<Value>>(&properties, &marks, &message.body)
    }

    fn encode<B: Serialize>(
        properties: &Properties,
        marks: &ApplicationProperties,
        body: &B,
    ) -> Result<Self, SendError> {
        let mut bytes = serde_amqp::to_vec(properties).map_err(refused)?;
        bytes.extend(serde_amqp::to_vec(marks).map_err(refused)?);
        bytes.extend(serde_amqp::to_vec(body).map_err(refused)?);
        Ok(Self(bytes))
    }

    /// Size on the wire in bytes.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.0.len() as u64 + ITEM_OVERHEAD_BYTES
    }

    /// Its sections, as they go over the wire.
    #[must_use]
    pub fn encoded(&self) -> &[u8] {
        &self.0
    }
}

fn refused(error: impl std::error::Error + Send + Sync + 'static) -> SendError {
    SendError::Refused(cause(error))
}

#[cfg(test)]
mod tests {
    use fe2o3_amqp::types::{
        messaging::{Batch, Message},
        primitives::Timestamp,
    };
    use serde_json::json;
    use uuid::Uuid;

    use super::*;
    use crate::domain::value::MAX_LINES;

    /// The smallest tier takes 256 KiB; a message must stay well below, or its order could never be sent.
    const MOST_BYTES: u64 = 200 * 1024;

    #[test]
    fn a_resubmitted_dead_letter_differs_only_in_id_addressee_and_death_marks() {
        let mark = |text: &str| SimpleValue::String(text.to_owned());
        let sections = ["one", "two"].map(|text| Data(Binary::from(text)));
        let message = Message::builder()
            .properties(
                Properties::builder()
                    .message_id("e".to_owned())
                    .subject("orders.OrderPaid.v1")
                    .group_id("o".to_owned())
                    .absolute_expiry_time(Timestamp::from_milliseconds(1))
                    .build(),
            )
            .application_properties(
                ApplicationProperties::builder()
                    .insert(REASON, mark("TTLExpiredException"))
                    .insert(DESCRIPTION, mark("too late"))
                    .insert(REPLAY, mark("none"))
                    .insert("tenant", mark("t"))
                    .build(),
            )
            .body(Body::<Value>::Data(Batch::new(sections.to_vec())))
            .build();
        let again = Envelope::again(&ReceivedMessage::new(message), "e/r1", "mail").unwrap();
        let again = ReceivedMessage::decode(again.encoded());
        assert_eq!(
            (again.message_id().as_str(), again.replay()),
            ("e/r1", Some("mail"))
        );
        assert_eq!(
            (again.subject(), again.session_id()),
            (Some("orders.OrderPaid.v1"), Some("o"))
        );
        assert_eq!((again.reason(), again.description()), (None, None));
        assert_eq!(again.body().as_ref(), b"onetwo");
        let message = again.message();
        let marks = message.application_properties.as_ref().unwrap();
        assert_eq!((marks.0.len(), marks.0.get("tenant")), (2, Some(&mark("t"))));
        let properties = message.properties.as_ref().unwrap();
        assert_eq!(properties.absolute_expiry_time, None);
        assert!(matches!(&message.body, Body::Data(sections) if sections.len() == 2));
    }

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
        let event = RecordedEvent {
            event_id: id,
            subject: id.to_string(),
            version: i64::MAX,
            kind: "orders.OrderPlaced.v1".to_owned(),
            data: state.clone(),
            state,
            stock: json!(vec![level; MAX_LINES]),
            traceparent: Some("0".repeat(55)),
            occurred_at: crate::domain::timestamp::Timestamp::UNIX_EPOCH,
        };
        let bytes = Envelope::of(&event).unwrap().bytes();
        assert!(bytes < MOST_BYTES, "{bytes}");
    }
}
