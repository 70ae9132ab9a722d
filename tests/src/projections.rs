//! Several projector processes on one Cosmos DB that throttles, fails and lets others be faster: the documents end as the
//! write model is. Never delivers in order, nor once: each message comes as often and as late as the bus might bring it.

use std::{
    collections::BTreeMap,
    hash::{BuildHasher, BuildHasherDefault, DefaultHasher},
    sync::atomic::{AtomicUsize, Ordering},
    time::{Duration, Instant},
};

use devstack::{app_folder, cosmos};
use futures_util::{StreamExt, stream};
use handler::bus::cloud_event::{CloudEvent, EventData};
use hyper::StatusCode;
use serde_json::{Value, json};
use tokio::time::{interval, timeout};
use tokio_postgres::Row;

use crate::support::{App, Client, DEADLINE, admin_url, connect};

/// An account of its own, and the settings of a process that only projects and reads.
pub(crate) async fn account() -> (cosmos::CosmosEmulator, BTreeMap<String, String>) {
    let cosmos = cosmos::CosmosEmulator::start(cosmos::CosmosOptions {
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
        ("AZURE_FUNCTIONS_ENVIRONMENT", "Development".to_owned()),
        ("FUNCTIONS_CUSTOMHANDLER_PORT", "0".to_owned()),
    ];
    (
        cosmos,
        settings.map(|(name, value)| (name.to_owned(), value)).into(),
    )
}

/// A few customers who order, change their minds, pay and cancel, on few products; the log of it, as messages.
pub(crate) async fn history(app: &App, orders: usize) -> Vec<Value> {
    let customer = app.seed(&[("MUG", 500), ("PEN", 500), ("CUP", 500)]).await;
    for n in 0..orders {
        let (a, b) = [("MUG", "PEN"), ("PEN", "CUP"), ("CUP", "MUG")][n % 3];
        let placed = app.place(&customer, &[(a, 1), (b, 2)]).await;
        let changed = app.change_lines(&placed, &[(b, 3)]).await;
        if n % 5 != 0 {
            app.pay(&changed).await;
        }
        if n % 4 == 0 {
            app.cancel(&changed).await;
        }
    }
    messages(app).await
}

/// The log, as messages.
pub(crate) async fn messages(app: &App) -> Vec<Value> {
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
        time: row
            .get::<_, time::OffsetDateTime>("occurred_at")
            .try_into()
            .unwrap(),
        datacontenttype: "application/json".to_owned(),
        aggregateversion: version,
        traceparent: None,
        data: EventData {
            event: row.get("data"),
            state: row.get("state"),
            stock: row.get("stock"),
        },
    };
    json!({ "Data": { "message": event }, "Metadata": { "MessageId": "\"m\"", "DeliveryCount": "1" } })
}

/// Begins to deliver and cuts the connection so much later, wherever the handler is then.
async fn cut_short(message: &Value, projector: &Client, after: Duration) {
    let headers = [("content-type", "application/json")];
    let sending = projector.try_send("POST", "/ProjectEvent", message.to_string(), &headers);
    drop(timeout(after, sending).await);
}

/// Delivers until it is taken, as the bus does; a process that has died has not taken it.
pub(crate) async fn deliver(message: &Value, projectors: &[Client], first: usize) {
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

/// Every message once or twice, in an order that has nothing to do with the log's.
fn shuffled(messages: &[Value]) -> Vec<&Value> {
    let mut copies: Vec<(usize, usize)> = (0..messages.len())
        .flat_map(|n| (0..=n % 2).map(move |copy| (n, copy)))
        .collect();
    copies.sort_by_key(|copy| BuildHasherDefault::<DefaultHasher>::default().hash_one(copy));
    copies.into_iter().map(|(n, _)| &messages[n]).collect()
}

#[tokio::test]
async fn concurrent_projectors_on_a_failing_store_end_where_the_write_model_is() {
    let app = App::start().await;
    let messages = history(&app, 30).await;
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
            if n % 3 == 0 {
                let moment = Duration::from_millis(n as u64 % 16);
                cut_short(message, &clients[n % clients.len()], moment).await;
            }
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
    let refused = switches.refused();
    assert!(
        [refused.throttled, refused.unavailable, refused.overtaken]
            .iter()
            .all(|times| *times > 5),
        "the store was in trouble: {refused:?}"
    );
    switches.off();
    drop(projectors.split_off(1));
    assert_shows(&reader, &app).await;
}

#[tokio::test]
async fn a_throttling_store_is_left_alone_for_as_long_as_it_asks() {
    const ASKED: Duration = Duration::from_millis(1_500);
    let app = App::start().await;
    let registered = history(&app, 0).await.pop().unwrap();
    let (cosmos, settings) = account().await;
    let projector = App::start_alone(settings).await;
    let switches = cosmos.switches();
    switches.throttle(1, ASKED);
    let started = Instant::now();
    let opening = async {
        let mut again = interval(Duration::from_millis(2));
        while switches.refused().throttled == 0 {
            again.tick().await;
        }
        switches.off();
    };
    let delivering = deliver(&registered, std::slice::from_ref::<Client>(&projector), 0);
    timeout(DEADLINE, futures_util::future::join(delivering, opening))
        .await
        .unwrap();
    assert!(started.elapsed() >= ASKED, "{:?}", started.elapsed());
    assert_eq!(switches.refused().throttled, 1, "one change, asked once");
}

/// Holds what is read against the tables that commands keep.
pub(crate) async fn assert_shows(reader: &Client, app: &App) {
    let tables = connect(&admin_url(&app.database().name)).await;
    assert_shows_orders(reader, &tables).await;
    assert_lists_orders(reader, &tables).await;
    let products =
        "select sku, available, seq, version from write_model.stock join write_model.products using (sku)";
    for row in tables.query(products, &[]).await.unwrap() {
        let (sku, available, seq, version): (String, i64, i64, i64) =
            (row.get(0), row.get(1), row.get(2), row.get(3));
        let product = reader.send("GET", &format!("/api/products/{sku}"), "", &[]).await;
        let etag = product.headers["etag"].to_str().unwrap();
        assert_eq!(
            (&product.body["available"], etag),
            (&json!(available), &*format!("\"{version}-{seq}\"")),
            "{sku}"
        );
    }
    let sums = "select count(*) filter (where paid), coalesce(sum(amount) filter (where paid), 0)::bigint,
            count(*) filter (where not paid), coalesce(sum(amount) filter (where not paid), 0)::bigint
        from (select type like '%OrderPaid%' as paid, (state->'total'->>'amount')::bigint as amount
            from write_model.events
            where type like '%OrderPaid%' or (type like '%OrderCancelled%' and state ? 'paidAt')) sales";
    let sold = tables.query_one(sums, &[]).await.unwrap();
    let today = time::OffsetDateTime::now_utc().date();
    let path = format!("/api/sales?from={}&to={today}", today.previous_day().unwrap());
    let total = &read(reader, &path).await["totals"][0];
    let counted =
        ["paidOrders", "paid", "cancelledOrders", "cancelled"].map(|name| total[name].as_i64().unwrap());
    assert_eq!(counted, [0, 1, 2, 3].map(|column| sold.get::<_, i64>(column)));
}

async fn read(reader: &Client, path: &str) -> Value {
    reader.send("GET", path, "", &[]).await.body
}

async fn assert_shows_orders(reader: &Client, tables: &tokio_postgres::Client) {
    let newest = "select distinct on (stream) stream, state, version from write_model.events
        where type like 'orders.Order%' order by stream, version desc";
    for order in tables.query(newest, &[]).await.unwrap() {
        let (id, state, version): (String, Value, i64) = (order.get(0), order.get(1), order.get(2));
        assert_eq!(read(reader, &format!("/api/orders/{id}")).await, state);
        let history = read(reader, &format!("/api/orders/{id}/history")).await;
        let events = history["items"].as_array().unwrap().iter();
        let versions: Vec<i64> = events.map(|event| event["version"].as_i64().unwrap()).collect();
        assert_eq!(versions, (1..=version).collect::<Vec<_>>(), "{id}");
    }
}

async fn assert_lists_orders(reader: &Client, tables: &tokio_postgres::Client) {
    let orders =
        "select customer_id::text, jsonb_agg(jsonb_build_array(id, status, version) order by id desc)
        from write_model.orders group by customer_id";
    let row = tables.query_one(orders, &[]).await.unwrap();
    let (customer, expected): (String, Value) = (row.get(0), row.get(1));
    for list in [
        "/api/orders?limit=200".to_owned(),
        format!("/api/customers/{customer}/orders?limit=200"),
    ] {
        let page = read(reader, &list).await;
        let items = page["items"].as_array().unwrap().iter();
        let listed: Vec<Value> = items
            .map(|row| json!([row["id"], row["status"], row["version"]]))
            .collect();
        assert_eq!(json!(listed), expected, "{list}");
    }
}
