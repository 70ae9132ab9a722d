//! Everything through PgBouncer, which gives each transaction whatever connection of the server is free.
//! Never with as many connections as there are clients: then nobody would notice.

use std::{
    collections::BTreeSet,
    net::SocketAddr,
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use devstack::wire::Proxy;
use futures_util::future::{join, join_all};
use hyper::StatusCode;
use serde_json::json;
use time::OffsetDateTime;
use tokio::time::{interval, sleep, timeout};

use crate::{
    contention::WRONG_LEVELS,
    pgbouncer::{self, PgBouncer},
    support::{Answer, App, Client, DEADLINE, Database, connect},
    system::System,
    topic::Topic,
};

/// Of the server, for at least twelve of the handlers.
const CONNECTIONS: usize = 3;
const HANDLERS: usize = 4;
const STOCK: i64 = 60;

/// Under a key: asked again until it is answered for good, which is never with 500.
async fn place_under(client: &Client, customer: &str, key: &str) -> Answer {
    let client = client.with("idempotency-key", key);
    let asking = async {
        loop {
            let answer = client.place(customer, &[("MUG", 1)]).await;
            if !is_passing(&answer) {
                return answer;
            }
            // A shop does not hammer a door that is closed.
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(DEADLINE, asking).await.unwrap()
}

fn is_passing(answer: &Answer) -> bool {
    answer.status == StatusCode::SERVICE_UNAVAILABLE || answer.body["type"] == "urn:problem:orders:lost-race"
}

/// Placed and paid, or sold out.
async fn buy(client: &Client, customer: &str, key: Option<&str>) {
    let placed = match key {
        Some(key) => place_under(client, customer, key).await,
        None => client.place(customer, &[("MUG", 1), ("PEN", 1)]).await,
    };
    assert!(fine(&placed, StatusCode::CREATED), "{placed:?}");
    if placed.status == StatusCode::CREATED {
        let paid = client.pay(&placed).await;
        assert!(fine(&paid, StatusCode::OK), "{paid:?}");
    }
}

fn fine(answer: &Answer, done: StatusCode) -> bool {
    answer.status == done || answer.status == StatusCode::CONFLICT || is_passing(answer)
}

async fn sweep(client: &Client) {
    for _ in 0..5 {
        assert_eq!(
            client.post("/RelayOutbox", json!({})).await.status,
            StatusCode::OK
        );
    }
}

#[tokio::test]
async fn many_handlers_share_a_few_connections_and_nothing_is_oversold_lost_or_done_twice() {
    if pgbouncer::is_missing() {
        return;
    }
    let mut system = System::start().await;
    system.stack.stop_host().await;
    let direct = system.settings();
    let pooler = PgBouncer::start(Database::server_address(), &direct, CONNECTIONS).await;
    let start = || App::start_alone(pooler.settings(direct.clone()));
    let apps = join_all((0..HANDLERS).map(|_| start())).await;
    let customer = apps[0].seed(&[("MUG", STOCK), ("PEN", 1_000)]).await;

    // Twice under each key, at different handlers, and as many without one: more than there are mugs.
    let keys: Vec<Option<String>> = (0..50).flat_map(|n| [Some(format!("k-{n}")), None]).collect();
    let buyers = keys.iter().enumerate().flat_map(|(n, key)| {
        let (one, other) = (&apps[n % HANDLERS], &apps[(n + 1) % HANDLERS]);
        let customer = &customer;
        let again = key.is_some().then(|| buy(other, customer, key.as_deref()));
        [Some(buy(one, customer, key.as_deref())), again]
            .into_iter()
            .flatten()
    });
    let sweeps = apps.iter().map(|app| sweep(app));
    tokio::join!(join_all(buyers), join_all(sweeps));

    let sessions = "select count(*) from pg_stat_activity
        where usename like current_database() || '_app%' and datname = current_database()";
    let sessions = system.number(sessions).await;
    assert!(
        (1..=CONNECTIONS as i64).contains(&sessions),
        "{sessions} of {CONNECTIONS}"
    );
    assert_eq!(system.number(WRONG_LEVELS).await, 0);
    let sold = "select sum(quantity)::bigint from write_model.order_lines where sku = 'MUG'";
    let left = "select available from write_model.stock where sku = 'MUG'";
    assert_eq!(system.number(sold).await + system.number(left).await, STOCK);
    let keys = "select count(*) from write_model.idempotency_keys";
    let distinct = "select count(distinct event_id) from write_model.idempotency_keys";
    assert_eq!(system.number(keys).await, system.number(distinct).await);

    system.relayed().await;
    let events = usize::try_from(system.number("select count(*) from write_model.events").await).unwrap();
    let heard = Topic::open(&system.stack).await.listen(events).await;
    let ids: BTreeSet<&str> = heard.iter().map(|event| event["id"].as_str().unwrap()).collect();
    assert_eq!(ids.len(), events);
}

/// A database behind a pooler, and handlers that reach it through that.
async fn pooled(server: SocketAddr, more: &[(&str, &str)]) -> (Database, PgBouncer, [App; 2]) {
    let database = Database::create().await;
    database.keep_read_model().await;
    let mut settings = database.settings(Database::server_address());
    settings.extend(
        more.iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned())),
    );
    let pooler = PgBouncer::start(server, &settings, 2).await;
    let settings = pooler.settings(settings);
    let apps = [
        App::start_alone(settings.clone()).await,
        App::start_alone(settings).await,
    ];
    (database, pooler, apps)
}

#[tokio::test]
async fn while_the_pooler_is_away_commands_are_503_and_keys_happen_once() {
    const KEYS: usize = 120;
    if pgbouncer::is_missing() {
        return;
    }
    let (database, mut pooler, apps) = pooled(Database::server_address(), &[]).await;
    let customer = apps[0].seed(&[("MUG", 500)]).await;
    let done = AtomicUsize::new(0);
    let clients = (0..12).map(|client| {
        let (app, customer, done) = (&apps[client % 2], &customer, &done);
        async move {
            let mut ids = Vec::new();
            for n in (client..KEYS).step_by(12) {
                let placed = place_under(app, customer, &format!("k-{n}")).await;
                assert_eq!(placed.status, StatusCode::CREATED, "{placed:?}");
                ids.push((n, placed.body["id"].clone()));
                done.fetch_add(1, Ordering::Relaxed);
            }
            ids
        }
    });
    let killing = async {
        let mut again = interval(Duration::from_millis(1));
        while done.load(Ordering::Relaxed) < KEYS / 3 {
            again.tick().await;
        }
        pooler.kill().await;
        for app in &apps {
            let refused = app.place(&customer, &[("MUG", 1)]).await;
            assert_eq!(refused.status, StatusCode::SERVICE_UNAVAILABLE, "{refused:?}");
            assert!(refused.headers.contains_key("retry-after"));
        }
        pooler.restart().await;
    };
    let (ids, ()) = join(join_all(clients), killing).await;
    let accepted = i64::try_from(KEYS).unwrap();
    for (table, rows) in [
        ("orders", accepted),
        ("idempotency_keys", accepted),
        ("outbox", accepted + 3),
    ] {
        let count = format!("select count(*) from write_model.{table}");
        assert_eq!(database.number(&count).await, rows, "{table}");
    }
    assert_eq!(
        database.number("select available from write_model.stock").await,
        500 - accepted
    );
    for (n, id) in ids.concat() {
        let again = place_under(&apps[n % 2], &customer, &format!("k-{n}")).await;
        assert_eq!(
            (&again.headers["idempotent-replayed"], &again.body["id"]),
            (&"true".parse().unwrap(), &id)
        );
    }
}

#[tokio::test]
async fn while_the_server_behind_the_pooler_is_away_commands_are_503() {
    if pgbouncer::is_missing() {
        return;
    }
    let wire = Proxy::start(Database::server_address()).await.unwrap();
    let (database, _pooler, apps) = pooled(wire.address(), &[]).await;
    let customer = apps[0].seed(&[("MUG", 5)]).await;
    let first = place_under(&apps[0], &customer, "k-0").await;
    assert_eq!(first.status, StatusCode::CREATED, "{first:?}");
    wire.cut();
    for app in &apps {
        let refused = app.place(&customer, &[("MUG", 1)]).await;
        assert_eq!(refused.status, StatusCode::SERVICE_UNAVAILABLE, "{refused:?}");
    }
    wire.restore();
    for app in &apps {
        let placed = place_under(app, &customer, "k-1").await;
        assert_eq!(placed.status, StatusCode::CREATED, "{placed:?}");
    }
    assert_eq!(
        database.number("select available from write_model.stock").await,
        3
    );
}

#[tokio::test]
async fn the_read_model_in_postgresql_is_read_through_a_pooler_too() {
    if pgbouncer::is_missing() {
        return;
    }
    let (database, _pooler, apps) = pooled(Database::server_address(), &[("READ_MODEL", "postgres")]).await;
    let customer = apps[0].seed(&[("MUG", 50)]).await;
    let orders = join_all((0..10).map(|n| {
        let (app, customer) = (&apps[n % 2], &customer);
        async move {
            let placed = app.place(customer, &[("MUG", 2)]).await;
            let paid = app.pay(&placed).await;
            assert_eq!(paid.status, StatusCode::OK, "{paid:?}");
            format!("/api/orders/{}", placed.id())
        }
    }))
    .await;
    sweep(&apps[0]).await;
    let reads = orders.iter().enumerate().map(|(n, path)| {
        let (app, customer) = (&apps[n % 2], &customer);
        async move {
            let get = async |path: &str| app.send("GET", path, "", &[]).await;
            assert_eq!(get(path).await.body["version"], 2);
            let (history, product) = (format!("{path}/history"), "/api/products/MUG");
            assert_eq!(get(&history).await.body["items"].as_array().unwrap().len(), 2);
            assert_eq!(get(product).await.body["available"], 30);
            let of_customer = format!("/api/customers/{customer}/orders");
            for list in ["/api/orders", "/api/orders?status=paid", &of_customer] {
                let listed = get(list).await;
                assert_eq!(listed.body["items"].as_array().unwrap().len(), 10, "{listed:?}");
            }
            let today = OffsetDateTime::now_utc().date();
            let sales = get(&format!(
                "/api/sales?from={today}&to={}",
                today.next_day().unwrap()
            ))
            .await;
            assert_eq!(sales.status, StatusCode::OK, "{sales:?}");
        }
    });
    join_all(reads).await;
    assert_eq!(
        database
            .number("select sum(paid_orders)::bigint from read_model.sales")
            .await,
        10
    );
}

#[tokio::test]
async fn what_is_set_for_the_role_holds_behind_a_pooler() {
    if pgbouncer::is_missing() {
        return;
    }
    let (database, pooler, _apps) = pooled(Database::server_address(), &[]).await;
    let settings = database.settings(pooler.address());
    let (user, password) = (&settings["PGUSER"], &settings["PGPASSWORD"]);
    let (address, name) = (pooler.address(), &database.name);
    let client = connect(&format!("postgres://{user}:{password}@{address}/{name}")).await;
    for (setting, expected) in [
        ("statement_timeout", "2s"),
        ("lock_timeout", "2s"),
        ("plan_cache_mode", "force_generic_plan"),
    ] {
        let show = format!("show {setting}");
        let shown = client.query_typed(&show, &[]).await.unwrap();
        assert_eq!(shown[0].get::<_, &str>(0), expected, "{setting}");
    }
}
