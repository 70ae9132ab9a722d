//! Who sends when processes come and go: whatever is committed goes out, by whoever is there, in order.
//! Never counts on timing: who must wait is held by a lock or a wire, and no timer runs but where a test calls it.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use devstack::wire::Proxy;
use futures_util::future::{join, join_all};
use hyper::StatusCode;
use serde_json::{Value, json};
use tokio::{
    sync::RwLock,
    time::{interval, sleep, timeout},
};
use uuid::Uuid;

use crate::{
    support::{App, Call, Client, DEADLINE, calls, connect},
    system::System,
    topic::{Heard, Topic},
};

/// The deployment's one lock for draining.
pub(crate) const LOCK: &str = "715001";

/// A system without a host, and so without a timer, and its first process.
async fn system() -> (System, App, String) {
    let mut system = System::start().await;
    system.stack.stop_host().await;
    let app = App::start_alone(system.settings()).await;
    let customer = app.seed(&[("MUG", 1_000)]).await;
    system.relayed().await;
    (system, app, customer)
}

/// Another process, which reaches the bus by a wire of its own.
pub(crate) async fn behind_a_wire(system: &System) -> (App, Proxy) {
    let text = system.stack.servicebus_connection_string();
    let port = text.split_once("127.0.0.1:").unwrap().1;
    let port: String = port.chars().take_while(char::is_ascii_digit).collect();
    let wire = Proxy::start(([127, 0, 0, 1], port.parse().unwrap()).into())
        .await
        .unwrap();
    let mut settings = system.settings();
    let through = text.replace(&port, &wire.address().port().to_string());
    settings.insert("ServiceBusConnection".to_owned(), through);
    (App::start_alone(settings).await, wire)
}

async fn place(client: &Client, customer: &str) -> Value {
    let placed = client.place(customer, &[("MUG", 1)]).await;
    assert_eq!(placed.status, StatusCode::CREATED, "{placed:?}");
    placed.body["id"].clone()
}

async fn kill(mut app: App) {
    app.process.kill().await.unwrap();
}

/// Waits until this counts something.
async fn until(system: &System, count: &str) {
    let waiting = async {
        let mut again = interval(Duration::from_millis(5));
        while system.number(count).await == 0 {
            again.tick().await;
        }
    };
    timeout(DEADLINE, waiting).await.expect(count);
}

/// Waits until a drainer has taken the lock.
async fn draining(system: &System) {
    until(
        system,
        &format!(
            "select count(*) from pg_locks where locktype = 'advisory' and objid = {LOCK} and granted
        and database = (select oid from pg_database where datname = current_database())"
        ),
    )
    .await;
}

/// All that the topic has got, in its order.
async fn heard(system: &System) -> Vec<Heard> {
    Topic::open(&system.stack).await.hear_all().await
}

fn about(heard: &[Heard], order: &Value) -> Vec<Heard> {
    let subject = |heard: &&Heard| heard.json()["subject"] == *order;
    heard.iter().filter(subject).cloned().collect()
}

#[tokio::test]
async fn what_is_committed_after_a_drainers_last_look_goes_out_without_a_timer() {
    let (system, app, customer) = system().await;
    // A drainer that has found nothing more, and has not let go of the lock yet.
    let drainer = connect(system.stack.postgres_url()).await;
    let look = format!("begin; select pg_advisory_xact_lock({LOCK}); select from write_model.outbox");
    drainer.batch_execute(&look).await.unwrap();
    place(&app, &customer).await;
    // The process that has committed finds the lock taken.
    until(&system, "select count(*) from pg_stat_activity where query = 'rollback' and state = 'idle'
        and usename like current_database() || '_app%' and query_start > (select max(occurred_at) from write_model.events)").await;
    assert_eq!(system.number("select count(*) from write_model.outbox").await, 1);
    drainer.batch_execute("commit").await.unwrap();
    system.relayed().await;
}

#[tokio::test]
async fn the_events_of_a_dead_process_are_sent_by_the_current_drainer() {
    let (system, app, customer) = system().await;
    let (sender, wire) = behind_a_wire(&system).await;
    wire.pause();
    place(&sender, &customer).await;
    draining(&system).await;
    let order = place(&app, &customer).await;
    kill(app).await;
    wire.resume();
    system.relayed().await;
    assert_eq!(about(&heard(&system).await, &order).len(), 1);
}

#[tokio::test]
async fn the_events_of_a_dead_process_are_sent_at_the_timers_next_call() {
    let (system, app, customer) = system().await;
    let (dying, wire) = behind_a_wire(&system).await;
    wire.pause();
    let order = place(&dying, &customer).await;
    kill(dying).await;
    assert_eq!(system.number("select count(*) from write_model.outbox").await, 1);
    let called = app.post("/RelayOutbox", json!({})).await;
    assert_eq!(called.status, StatusCode::OK);
    system.relayed().await;
    assert_eq!(about(&heard(&system).await, &order).len(), 1);
}

#[tokio::test]
async fn a_kill_between_sending_and_deleting_sends_again_under_the_same_id() {
    let (system, app, customer) = system().await;
    let (dying, wire) = behind_a_wire(&system).await;
    wire.pause();
    let order = place(&dying, &customer).await;
    draining(&system).await;
    let holder = connect(system.stack.postgres_url()).await;
    holder
        .batch_execute("begin; select from write_model.outbox for update")
        .await
        .unwrap();
    wire.resume();
    until(
        &system,
        "select count(*) from pg_stat_activity where wait_event_type = 'Lock'
        and query like 'delete from write_model.outbox%' and datname = current_database()",
    )
    .await;
    place(&app, &customer).await;
    kill(dying).await;
    holder.batch_execute("rollback").await.unwrap();
    system.relayed().await;
    let heard = heard(&system).await;
    let [once] = &about(&heard, &order)[..] else {
        panic!("{heard:?}");
    };
    assert_eq!(once.id, once.json()["id"]);
    // It came twice, and the bus knew it by its id.
    assert_eq!(system.stack.servicebus_switches().counts().duplicates, 1);
}

/// Placed, paid and shipped, at whichever process is there, each step until it is done.
async fn shop(apps: &[RwLock<App>], n: usize, customer: &str, done: &AtomicUsize) {
    let insist = async |call: Call| {
        let key = Uuid::now_v7().to_string();
        let mut turn = n;
        loop {
            let client = apps[turn % apps.len()].read().await.with("idempotency-key", &key);
            turn += 1;
            match client.try_call(&call).await {
                Some(answer) if answer.status.is_success() => return answer,
                // A shop does not hammer a door that is closed.
                _ => sleep(Duration::from_millis(20)).await,
            }
        }
    };
    let placed = insist(calls::place(customer, &[("MUG", 1)])).await;
    insist(calls::pay(&placed)).await;
    insist(calls::ship(&placed)).await;
    done.fetch_add(1, Ordering::Relaxed);
}

#[tokio::test]
async fn while_processes_are_killed_each_order_arrives_in_the_order_of_its_versions() {
    const ORDERS: usize = 60;
    let (system, app, customer) = system().await;
    let mut apps = vec![RwLock::new(app)];
    for _ in 0..2 {
        apps.push(RwLock::new(App::start_alone(system.settings()).await));
    }
    let done = AtomicUsize::new(0);
    let killing = async {
        let mut again = interval(Duration::from_millis(1));
        for (turn, app) in apps.iter().enumerate() {
            while done.load(Ordering::Relaxed) < ORDERS * (turn + 1) / 5 {
                again.tick().await;
            }
            let fresh = App::start_alone(system.settings()).await;
            kill(std::mem::replace(&mut *app.write().await, fresh)).await;
        }
    };
    let clients = (0..12).map(|client| {
        let (apps, customer, done) = (&apps, &customer, &done);
        async move {
            for n in (client..ORDERS).step_by(12) {
                shop(apps, n, customer, done).await;
            }
        }
    });
    let shopping = join(join_all(clients), killing);
    timeout(2 * DEADLINE, shopping).await.unwrap();
    system.relayed().await;
    let heard = heard(&system).await;
    let mut bodies: BTreeMap<&str, &[u8]> = BTreeMap::new();
    let mut arrived: BTreeMap<String, BTreeSet<i64>> = BTreeMap::new();
    for message in &heard {
        let event = message.json();
        assert_eq!(event["id"], *message.id);
        if let Some(earlier) = bodies.insert(&message.id, &message.body) {
            assert_eq!(earlier, message.body, "again, and the same");
            continue;
        }
        let versions = arrived
            .entry(event["subject"].as_str().unwrap().to_owned())
            .or_default();
        let version: i64 = event["aggregateversion"].as_i64().unwrap();
        assert!(
            versions.last().is_none_or(|last| *last < version),
            "{version} after {versions:?}"
        );
        versions.insert(version);
    }
    let events = system.number("select count(*) from write_model.events").await;
    assert_eq!((bodies.len(), events), (3 + 3 * ORDERS, 3 + 3 * ORDERS as i64));
}
