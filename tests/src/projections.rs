//! Several projector processes on one Cosmos DB that throttles, fails and lets others be faster: the documents end as the
//! write model is. Never delivers in order, nor once: each message comes as often and as late as the bus might bring it.

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use devstack::{app_folder, cosmos};
use futures_util::{StreamExt, stream};
use handler::bus::cloud_event::{CloudEvent, Data};
use hyper::StatusCode;
use serde_json::{Value, json};
use tokio::time::{interval, timeout};
use tokio_postgres::Row;

use crate::support::{App, Client, DEADLINE, admin_url, connect};

/// An account of its own, and the settings of a process that only projects and reads.
async fn account() -> (cosmos::Emulator, BTreeMap<String, String>) {
    let cosmos = cosmos::Emulator::start(cosmos::Options {
        containers: app_folder::workspace_root().join("bicep/cosmos-containers.json"),
        listen: ([127, 0, 0, 1], 0).into(),
        advertise: None,
    })
    .await
    .unwrap();
    let settings = [
        ("COSMOS_ENDPOINT", cosmos.endpoint()),
        ("COSMOS_KEY", cosmos.key().to_owned()),
        ("COSMOS_DATABASE", "orders".to_owned()),
        ("AUTH", "development".to_owned()),
        ("FUNCTIONS_CUSTOMHANDLER_PORT", "0".to_owned()),
    ];
    (
        cosmos,
        settings.map(|(name, value)| (name.to_owned(), value)).into(),
    )
}

/// A few customers who order, change their minds, pay and cancel, on few products; the log of it, as messages.
async fn history(app: &App) -> Vec<Value> {
    let customer = app.seed(&[("MUG", 500), ("PEN", 500), ("CUP", 500)]).await;
    for n in 0..30 {
        let (a, b) = [("MUG", "PEN"), ("PEN", "CUP"), ("CUP", "MUG")][n % 3];
        let placed = app.place(&customer, &[(a, 1), (b, 2)]).await;
        let order = format!("/api/orders/{}", placed.body["id"].as_str().unwrap());
        let lines = json!({ "lines": [{ "sku": b, "quantity": 3 }] }).to_string();
        let changed = app
            .send(
                "PUT",
                &format!("{order}/lines"),
                lines,
                &[("content-type", "application/json")],
            )
            .await;
        if n % 5 != 0 {
            let amount = json!({ "amount": changed.body["total"] });
            app.post(&format!("{order}/payment"), amount).await;
        }
        if n % 4 == 0 {
            app.post(&format!("{order}/cancellation"), json!({ "reason": "no" }))
                .await;
        }
    }
    let events =
        "select event_id, stream, version, type, data, state, coalesce(stock, 'null') as stock, occurred_at
        from write_model.events order by position";
    let log = connect(&admin_url(&app.database().name)).await;
    log.query(events, &[])
        .await
        .unwrap()
        .iter()
        .map(message)
        .collect()
}

fn message(row: &Row) -> Value {
    let version: i64 = row.get("version");
    let event = CloudEvent {
        specversion: "1.0".to_owned(),
        id: row.get("event_id"),
        source: "/orders/write-model".to_owned(),
        r#type: row.get("type"),
        subject: row.get("stream"),
        time: row.get("occurred_at"),
        datacontenttype: "application/json".to_owned(),
        sequence: version.to_string(),
        traceparent: None,
        data: Data {
            event: row.get("data"),
            state: row.get("state"),
            stock: row.get("stock"),
        },
    };
    json!({ "Data": { "message": event }, "Metadata": { "MessageId": "\"m\"", "DeliveryCount": "1" } })
}

/// Delivers until it is taken, as the bus does; a process that has died has not taken it.
async fn deliver(message: &Value, projectors: &[Client], first: usize) {
    let headers = [("content-type", "application/json")];
    for n in first.. {
        let to = &projectors[n % projectors.len()];
        let answer = to
            .try_send("POST", "/ProjectEvent", message.to_string(), &headers)
            .await;
        match answer.map(|answer| answer.status) {
            Some(StatusCode::OK) => return,
            Some(StatusCode::SERVICE_UNAVAILABLE) | None => {}
            Some(other) => panic!("{other} for {message}"),
        }
    }
}

/// Every message one to three times, far from its place in the log.
fn shuffled(messages: &[Value]) -> Vec<&Value> {
    let count = messages.len();
    let copies = (0..3 * count).filter(|n| n / count == 0 || n % 3 == n / count);
    // A step that shares no factor with the count visits every place once before it comes back.
    let step = (count / 3..)
        .find(|step| (2..=*step).all(|factor| step % factor != 0 || count % factor != 0))
        .unwrap();
    copies.map(|n| &messages[(n * step) % count]).collect()
}

#[tokio::test]
async fn concurrent_projectors_on_a_store_in_trouble_end_where_the_write_model_is() {
    let app = App::start().await;
    let messages = history(&app).await;
    let (cosmos, settings) = account().await;
    let mut projectors = Vec::new();
    for _ in 0..3 {
        projectors.push(App::start_alone(settings.clone()).await);
    }
    let reader = App::start_alone(settings).await;
    let clients: Vec<Client> = projectors.iter().map(|app| (**app).clone()).collect();
    let switches = cosmos.switches();
    switches.throttle(7, Duration::from_millis(5));
    switches.unavailable(11);
    switches.overtake(5);
    let deliveries = shuffled(&messages);
    let (delivered, half) = (AtomicUsize::new(0), deliveries.len() / 2);
    let delivering = stream::iter(deliveries.iter().enumerate()).for_each_concurrent(16, |(n, message)| {
        let (clients, delivered) = (&clients, &delivered);
        async move {
            deliver(message, clients, n).await;
            delivered.fetch_add(1, Ordering::Relaxed);
        }
    });
    let killing = async {
        let mut again = interval(Duration::from_millis(2));
        while delivered.load(Ordering::Relaxed) < half {
            again.tick().await;
        }
        projectors[0].process.start_kill().unwrap();
    };
    timeout(4 * DEADLINE, futures_util::future::join(delivering, killing))
        .await
        .unwrap();
    assert!(
        switches.refused() > 50,
        "the store was in trouble: {}",
        switches.refused()
    );
    switches.off();
    drop(projectors.split_off(1));
    assert_shows(&reader, &app).await;
}

/// Holds what is read against the tables that commands keep.
async fn assert_shows(reader: &Client, app: &App) {
    let tables = connect(&admin_url(&app.database().name)).await;
    let rows = async |sql: &str| tables.query(sql, &[]).await.unwrap();
    let read = async |path: String| reader.send("GET", &path, "", &[]).await.body;
    let newest = "select distinct on (stream) stream, state, version from write_model.events
        where type like 'orders.Order%' order by stream, version desc";
    let orders = rows(newest).await;
    for order in &orders {
        let (id, state, version): (String, Value, i64) = (order.get(0), order.get(1), order.get(2));
        assert_eq!(read(format!("/api/orders/{id}")).await, state);
        let history = read(format!("/api/orders/{id}/history")).await;
        let versions: Vec<i64> = history["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|event| event["version"].as_i64().unwrap())
            .collect();
        assert_eq!(versions, (1..=version).collect::<Vec<_>>(), "{id}");
    }
    let statuses = "select id::text, status, version from write_model.orders order by id::text desc";
    let expected: Vec<Value> = rows(statuses)
        .await
        .iter()
        .map(|row| {
            json!([
                row.get::<_, String>(0),
                row.get::<_, String>(1),
                row.get::<_, i64>(2)
            ])
        })
        .collect();
    let customer: String = rows("select id::text from write_model.customers").await[0].get(0);
    for list in [
        "/api/orders?limit=200".to_owned(),
        format!("/api/customers/{customer}/orders?limit=200"),
    ] {
        let items = read(list.clone()).await;
        let items = items["items"].as_array().unwrap().iter();
        let listed: Vec<Value> = items
            .map(|row| json!([row["id"], row["status"], row["version"]]))
            .collect();
        assert_eq!(listed, expected, "{list}");
    }
    for stock in rows(
        "select sku, available, seq, version from write_model.stock join write_model.products using (sku)",
    )
    .await
    {
        let (sku, available, seq, version): (String, i64, i64, i64) =
            (stock.get(0), stock.get(1), stock.get(2), stock.get(3));
        let product = reader.send("GET", &format!("/api/products/{sku}"), "", &[]).await;
        assert_eq!(product.body["available"], available, "{sku}");
        assert_eq!(
            product.headers["etag"].to_str().unwrap(),
            format!("\"{version}-{seq}\"")
        );
    }
    let sums = "select count(*) filter (where type like '%Paid.v1'), coalesce(sum((state->'total'->>'amount')::bigint)
            filter (where type like '%Paid.v1'), 0)::bigint, count(*) filter (where type like '%Cancelled.v1'),
            coalesce(sum((state->'total'->>'amount')::bigint) filter (where type like '%Cancelled.v1'), 0)::bigint
        from write_model.events where type like '%OrderPaid.v1' or (type like '%OrderCancelled.v1' and state ? 'paidAt')";
    let sold = &rows(sums).await[0];
    let today = time::OffsetDateTime::now_utc().date();
    let sales = read(format!(
        "/api/sales?from={}&to={today}",
        today.previous_day().unwrap()
    ))
    .await;
    let total = &sales["totals"][0];
    let counted = [
        &total["paidOrders"],
        &total["paid"],
        &total["cancelledOrders"],
        &total["cancelled"],
    ];
    assert_eq!(
        counted.map(|number| number.as_i64().unwrap()),
        [0, 1, 2, 3].map(|column| sold.get::<_, i64>(column))
    );
}
