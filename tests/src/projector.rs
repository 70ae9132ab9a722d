//! The projector as the host calls it, with no database and no bus: one message, one document.
//! Never goes through the relay: messages here come in any order and more than once.

use base64::{Engine, engine::general_purpose::STANDARD};
use devstack::cosmos;
use hyper::StatusCode;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{projections::account, support::App};

const ID: &str = "0198c9c1-0000-7000-8000-000000000001";

struct Projecting {
    app: App,
    _cosmos: cosmos::CosmosEmulator,
}

/// A process with Cosmos settings only, as a projector app has them.
async fn start() -> Projecting {
    let (cosmos, settings) = account().await;
    Projecting {
        app: App::start_alone(settings).await,
        _cosmos: cosmos,
    }
}

fn message(version: i64) -> Value {
    message_of(ID.parse().unwrap(), version)
}

/// An order's event of this version.
pub(crate) fn message_of(id: Uuid, version: i64) -> Value {
    const AT: &str = "2026-11-24T10:00:00Z";
    let mut state = json!({
        "id": id, "version": version, "status": "placed", "customer": { "id": ID, "name": "Ada" },
        "lines": [{ "sku": "MUG", "name": "Mug", "quantity": 1, "unitPrice": { "amount": 5, "currency": "EUR" } }],
        "total": { "amount": 5, "currency": "EUR" }, "placedAt": AT,
    });
    let mut kind = "orders.OrderPlaced.v1";
    if version > 1 {
        (kind, state["status"], state["paidAt"]) = ("orders.OrderPaid.v1", json!("paid"), json!(AT));
    }
    if version > 2 {
        (kind, state["status"], state["shippedAt"]) = ("orders.OrderShipped.v1", json!("shipped"), json!(AT));
        state["shipment"] = json!({ "carrier": "Post", "trackingNumber": "1Z" });
    }
    json!({
        "specversion": "1.0", "id": id, "source": "/orders/write-model", "type": kind, "subject": id, "time": AT,
        "datacontenttype": "application/json", "aggregateversion": version,
        "data": { "event": {}, "stock": null, "state": state },
    })
}

impl Projecting {
    /// Posts an invocation as the host does; the answer must always be what the host can read.
    async fn invoke(&self, data: Value) -> StatusCode {
        let body = json!({ "Data": { "message": data }, "Metadata": { "MessageId": "\"m\"", "DeliveryCount": "1" } });
        let answer = self.app.post("/ProjectEvent", body).await;
        assert_eq!(
            answer.body,
            json!({ "Outputs": {}, "Logs": [], "ReturnValue": null })
        );
        answer.status
    }

    async fn project(&self, version: i64) {
        let encoded = STANDARD.encode(message(version).to_string());
        assert_eq!(self.invoke(json!(encoded)).await, StatusCode::OK);
    }

    async fn version(&self) -> Value {
        let answer = self.app.send("GET", &format!("/api/orders/{ID}"), "", &[]).await;
        answer.body["version"].clone()
    }
}

#[tokio::test]
async fn an_older_version_never_overwrites_a_newer_one() {
    let projecting = start().await;
    for (incoming, shown) in [(2, 2), (1, 2), (2, 2), (3, 3), (2, 3), (1, 3), (3, 3)] {
        projecting.project(incoming).await;
        assert_eq!(projecting.version().await, shown, "after {incoming}");
    }
}

#[tokio::test]
async fn messages_of_earlier_releases_are_projected_among_todays() {
    let projecting = start().await;
    for version in 1..=3 {
        let mut earlier = message(version);
        let attributes = earlier.as_object_mut().unwrap();
        attributes.remove("aggregateversion");
        attributes.insert("sequence".to_owned(), json!(version.to_string()));
        assert_eq!(projecting.invoke(earlier).await, StatusCode::OK);
        assert_eq!(projecting.version().await, version);
        projecting.project(version).await;
    }
}

#[tokio::test]
async fn concurrent_deliveries_end_in_the_newest_version() {
    let projecting = start().await;
    let all = [3, 1, 2, 2, 3, 1, 2, 1, 3, 2].map(|version| projecting.project(version));
    futures_util::future::join_all(all).await;
    assert_eq!(projecting.version().await, 3);
}

#[tokio::test]
async fn an_event_that_can_never_be_projected_fails_at_once_and_readably() {
    let projecting = start().await;
    let mut unknown = message(1);
    unknown["type"] = json!("orders.OrderPlaced.v2");
    // A state that cannot be: paid, and nobody knows when.
    let mut impossible = message(2);
    impossible["data"]["state"]
        .as_object_mut()
        .unwrap()
        .remove("paidAt");
    for data in [
        json!("rubbish"),
        json!(""),
        json!(null),
        json!(STANDARD.encode("{}")),
        unknown,
        impossible,
    ] {
        assert_eq!(projecting.invoke(data).await, StatusCode::INTERNAL_SERVER_ERROR);
    }
    projecting.project(1).await;
    assert_eq!(projecting.version().await, 1);
}

#[tokio::test]
async fn triggers_answer_and_log_requests_that_no_host_sends() {
    let projecting = start().await;
    let (json, text) = (
        ("content-type", "application/json"),
        ("content-type", "text/plain"),
    );
    let large = format!("{{\"Data\":{{\"message\":\"{}\"}}}}", "a".repeat(4 << 20));
    let cases = [
        ("POST", "{", vec![json], StatusCode::BAD_REQUEST),
        ("POST", "", vec![json], StatusCode::BAD_REQUEST),
        ("POST", "[]", vec![json], StatusCode::UNPROCESSABLE_ENTITY),
        (
            "POST",
            "{\"Data\":7}",
            vec![json],
            StatusCode::UNPROCESSABLE_ENTITY,
        ),
        ("POST", large.as_str(), vec![json], StatusCode::PAYLOAD_TOO_LARGE),
        ("POST", "{}", vec![text], StatusCode::UNSUPPORTED_MEDIA_TYPE),
        ("POST", "{}", vec![], StatusCode::UNSUPPORTED_MEDIA_TYPE),
        ("GET", "", vec![], StatusCode::METHOD_NOT_ALLOWED),
    ];
    for (method, body, headers, status) in cases {
        let answer = projecting.app.send(method, "/ProjectEvent", body, &headers).await;
        let said = &body[..body.len().min(20)];
        assert_eq!(answer.status, status, "{method} {said}");
        assert_eq!(
            answer.body,
            json!({ "Outputs": {}, "Logs": [], "ReturnValue": null }),
            "{method} {said}"
        );
        projecting.app.logged("invocation_refused").await;
    }
    let answer = projecting.app.send("DELETE", "/RelayOutbox", "", &[]).await;
    assert_eq!(
        answer.body,
        json!({ "Outputs": {}, "Logs": [], "ReturnValue": null })
    );
    assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED);
    // The timer's body counts for nothing, whatever it is.
    let answer = projecting.app.send("POST", "/RelayOutbox", "{", &[json]).await;
    assert_eq!(answer.status, StatusCode::OK);
}

#[tokio::test]
async fn a_projector_without_a_database_has_nothing_to_relay_and_takes_no_commands() {
    let projecting = start().await;
    let swept = projecting
        .app
        .post("/RelayOutbox", json!({ "Data": {}, "Metadata": {} }))
        .await;
    assert_eq!(swept.status, StatusCode::OK);
    let refused = projecting
        .app
        .post("/api/customers", json!({ "name": "Ada", "email": "a@b.c" }))
        .await;
    assert_eq!(refused.body["type"], "urn:problem:orders:not-configured");
    // Waiting does not give a deployment its settings.
    assert!(!refused.headers.contains_key("retry-after"), "{refused:?}");
    let health = projecting.app.send("GET", "/api/health", "", &[]).await;
    let parts = json!({ "writeModel": "off", "bus": "off", "readModel": "ok" });
    assert_eq!(health.body, json!({ "status": "ok", "components": parts }));
}
