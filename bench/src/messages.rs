//! What the Functions host posts for a message of the topic: the event as the relay sends it, inside an invocation.
//! Never makes an event up: they come out of the handler's own outbox.

use anyhow::Result;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use handler::{
    bus::{CONTENT_TYPE, CloudEvent},
    domain::event::RecordedEvent,
};
use serde_json::{Value, json};

use crate::requests::post;

/// `POST /ProjectEvent` for this event, which is number `number` on the topic.
pub(crate) fn invocation(event: &RecordedEvent, number: i64) -> Result<Vec<u8>> {
    let body = STANDARD.encode(serde_json::to_vec(&CloudEvent::from(event))?);
    let invocation = json!({ "Data": { "message": body }, "Metadata": metadata(event, number) });
    Ok(post("/ProjectEvent", "", &invocation.to_string()))
}

/// The host's Metadata of a message (devstack/src/host/bus/message.rs): every text is JSON once more.
fn metadata(event: &RecordedEvent, number: i64) -> Value {
    const NAMESPACE: &str = "orders.servicebus.windows.net";
    let text = |text: &str| json!(json!(text).to_string());
    let marks = json!({ "replay": "none" });
    let client = json!({
        "FullyQualifiedNamespace": NAMESPACE, "IsClosed": false, "TransportType": 0, "Identifier": NAMESPACE,
    });
    let id = event.event_id.to_string();
    let sys =
        json!({ "MethodName": "ProjectEvent", "UtcNow": "2026-11-25T09:00:00.0000000Z", "RandGuid": id });
    json!({
        "MessageReceiver": {}, "MessageSession": {}, "MessageActions": {}, "SessionActions": {}, "ReceiveActions": {},
        "Client": client, "DeliveryCount": "1", "LockToken": text(&id), "SequenceNumber": number.to_string(),
        "MessageId": text(&id), "ContentType": text(CONTENT_TYPE), "Subject": text(&event.kind),
        "Label": text(&event.kind), "SessionId": text(&event.subject),
        "EnqueuedTime": "2026-11-25T09:00:00+00:00", "EnqueuedTimeUtc": "2026-11-25T09:00:00",
        "ExpiresAt": "9999-12-31T23:59:59+00:00", "ExpiresAtUtc": "9999-12-31T23:59:59",
        "ApplicationProperties": marks, "UserProperties": marks, "sys": sys,
    })
}
