//! From the outbox to the topic: in order, once, later when the bus is away, and without what it will never take.
//! Never waits for nothing to happen: what is counted is counted after all of it has arrived.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use futures_util::future::join_all;
use hyper::StatusCode;
use serde_json::json;
use tokio::time::{interval, timeout};

use crate::{
    rebuild::{settings, told},
    support::{App, Client, DEADLINE},
    system::System,
    topic::Topic,
};

/// An event that no message can hold.
const TOO_LARGE: &str = "
    with e as (insert into write_model.events (event_id, stream, version, type, data, state, metadata, occurred_at)
        select gen_random_uuid(), 'huge', 1, 'orders.Huge.v1', to_jsonb(repeat('x', 3000000)), '{}', '{}', now() returning position)
    insert into write_model.outbox (position) select position from e returning position";

/// One order through all its steps.
async fn shop(client: &Client, customer: &str) {
    let placed = client.place(customer, &[("MUG", 1)]).await;
    assert_eq!(client.pay(&placed).await.status, StatusCode::OK);
    assert_eq!(client.ship(&placed).await.status, StatusCode::OK);
}

#[tokio::test]
async fn several_processes_send_each_event_once_and_in_the_order_of_versions() {
    const ORDERS: usize = 40;
    let system = System::start().await;
    let customer = system.client.seed(&[("MUG", 500)]).await;
    let others = [
        App::start_alone(system.settings()).await,
        App::start_alone(system.settings()).await,
    ];
    let clients: [&Client; 3] = [&system.client, &others[0], &others[1]];
    join_all((0..ORDERS).map(|n| shop(clients[n % 3], &customer))).await;
    system.relayed().await;
    let events = usize::try_from(system.number("select count(*) from write_model.events").await).unwrap();
    let heard = Topic::open(&system.stack).await.listen(events).await;
    let ids: BTreeSet<&str> = heard.iter().map(|event| event["id"].as_str().unwrap()).collect();
    assert_eq!((ids.len(), events), (events, 3 + 3 * ORDERS));
    let mut versions: BTreeMap<&str, Vec<i64>> = BTreeMap::new();
    for event in &heard {
        let version = event["aggregateversion"].as_i64().unwrap();
        versions
            .entry(event["subject"].as_str().unwrap())
            .or_default()
            .push(version);
    }
    for (subject, versions) in versions {
        assert!(versions.is_sorted(), "{subject}: {versions:?}");
    }
}

#[tokio::test]
async fn while_the_bus_is_away_commands_are_accepted_and_their_events_arrive_later() {
    let system = System::start().await;
    let customer = system.client.seed(&[("MUG", 5)]).await;
    system.relayed().await;
    system.faults().servicebus.cut();
    let placed = system.client.place(&customer, &[("MUG", 1)]).await;
    assert_eq!(placed.status, StatusCode::CREATED, "{placed:?}");
    system.logged(&["relay_interrupted"]).await;
    let degraded = async {
        let mut again = interval(Duration::from_millis(5));
        loop {
            again.tick().await;
            let health = system.client.send("GET", "/api/health", "", &[]).await;
            if health.body["components"]["bus"] == "degraded" {
                return;
            }
        }
    };
    timeout(DEADLINE, degraded).await.unwrap();
    let status = system.client.send("GET", "/api/operations/status", "", &[]).await;
    let outbox = &status.body["outbox"];
    assert_eq!((&outbox["waiting"], &outbox["parked"]), (&json!(1), &json!(0)));
    assert!(outbox["oldestSeconds"].as_f64().unwrap() > 0.0, "{outbox}");
    assert_eq!(system.number("select count(*) from write_model.outbox").await, 1);
    system.faults().servicebus.restore();
    system.shown(&placed.body["id"], 1).await;
}

#[tokio::test]
async fn a_bus_that_swallows_everything_holds_up_nobody() {
    let system = System::start().await;
    let customer = system.client.seed(&[("MUG", 5)]).await;
    system.faults().servicebus.pause();
    let placed = system.client.place(&customer, &[("MUG", 1)]).await;
    assert_eq!(placed.status, StatusCode::CREATED, "{placed:?}");
    let another = system.client.place(&customer, &[("MUG", 1)]).await;
    assert_eq!(another.status, StatusCode::CREATED, "{another:?}");
    system.logged(&["relay_interrupted", "did not answer"]).await;
    system.faults().servicebus.resume();
    system.shown(&another.body["id"], 1).await;
}

#[tokio::test]
async fn a_refused_event_is_parked_with_the_reason_until_it_is_mended() {
    let system = System::start().await;
    let customer = system.client.seed(&[("MUG", 5)]).await;
    let first = system.client.place(&customer, &[("MUG", 1)]).await;
    system.shown(&first.body["id"], 1).await;
    system.rows(TOO_LARGE).await;
    let next = system.client.place(&customer, &[("MUG", 1)]).await;
    system.shown(&next.body["id"], 1).await;
    system.logged(&["outbox_row_parked"]).await;
    let settings = settings(&system);
    let parked = told(&settings, &["outbox", "list", "--json"], 0).await;
    assert_eq!(
        (&parked["subject"], &parked["type"]),
        (&json!("huge"), &json!("orders.Huge.v1")),
        "{parked}"
    );
    assert!(parked["reason"].as_str().unwrap().contains("size"), "{parked}");
    let elsewhere = told(&settings, &["outbox", "retry", "--position", "999999"], 3).await;
    assert_eq!(elsewhere, "0 will be tried again\n");

    system
        .rows("update write_model.events set data = '{}', state = '{}' where stream = 'huge'")
        .await;
    told(&settings, &["outbox", "retry"], 2).await;
    told(&settings, &["outbox", "retry", "--all", "--position", "1"], 2).await;
    told(&settings, &["outbox", "retry", "--all"], 0).await;
    system.relayed().await;
    told(&settings, &["outbox", "list"], 3).await;
}

#[tokio::test]
async fn one_refused_event_of_a_batch_leaves_the_others_in_order() {
    let system = System::start().await;
    let customer = system.client.seed(&[("MUG", 50)]).await;
    system.relayed().await;
    system.faults().servicebus.cut();
    for part in 0..2 {
        for _ in 0..4 {
            shop(&system.client, &customer).await;
        }
        if part == 0 {
            system.rows(TOO_LARGE).await;
        }
    }
    let waiting = "select count(*) from write_model.outbox";
    assert_eq!(system.number(waiting).await, 25);
    system.faults().servicebus.restore();
    let parked = "select count(*) from write_model.outbox where parked_at is not null";
    system.logged(&["outbox_row_parked"]).await;
    let heard = Topic::open(&system.stack).await.listen(3 + 24).await;
    let positions = system
        .rows("select event_id::text from write_model.events where stream <> 'huge' order by position")
        .await;
    for (event, row) in heard.iter().zip(&positions) {
        assert_eq!(event["id"], row.get::<_, &str>(0));
    }
    assert_eq!(
        (system.number(parked).await, system.number(waiting).await),
        (1, 1)
    );
}
