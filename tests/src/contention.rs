//! Many at once on few rows, and answers that get lost: nothing is sold twice, and every answer is true.
//! Never counts on timing: what must be held up is held by a lock or a wire until the test lets go.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use devstack::wire::Proxy;
use futures_util::future::{join, join_all};
use hyper::StatusCode;
use serde_json::json;
use tokio::time::{interval, timeout};

use crate::support::{Answer, App, Client, DEADLINE, Database, admin_url, connect};

/// Rows that contradict: a level below zero, one told twice, or a table that is not what the log told last.
pub(crate) const WRONG_LEVELS: &str = "
    with levels as (
        select l->>'sku' as sku, (l->>'seq')::bigint as seq, (l->>'available')::bigint as available
        from write_model.events, jsonb_array_elements(stock) l),
    newest as (select sku, max(seq) as seq from levels group by sku)
    select count(*) from (
        select 1 from levels where available < 0
        union all select 1 from levels group by sku, seq having count(*) > 1
        union all select 1 from write_model.stock s left join newest n using (sku) where s.seq <> coalesce(n.seq, 0)
        union all select 1 from write_model.stock s join levels l using (sku, seq) where s.available <> l.available
    ) wrong";

/// One client that orders, changes its mind, restocks and pays.
async fn shop(app: &App, customer: &str, n: usize, lost: &AtomicUsize) {
    let skus = ["MUG", "PEN", "CUP"];
    for round in 0..6 {
        let (a, b) = (skus[(n + round) % 3], skus[(n + 2 * round + 1) % 3]);
        let lines: Vec<(&str, i64)> = if a == b {
            vec![(a, 2)]
        } else {
            vec![(a, 1), (b, 2)]
        };
        let placed = app.place(customer, &lines).await;
        fine(&placed, lost);
        if placed.status != StatusCode::CREATED {
            fine(&app.restock(a, 3).await, lost);
            continue;
        }
        fine(&app.change_lines(&placed, &[(b, 3)]).await, lost);
        match (n + round) % 3 {
            0 => fine(&app.cancel(&placed).await, lost),
            1 => fine(&app.pay(&placed).await, lost),
            _ => {}
        }
    }
}

/// Accepted, or refused for a reason that the shop has; a race that is lost five times may happen, and is rare.
fn fine(answer: &Answer, lost: &AtomicUsize) {
    if answer.body["type"] == "urn:problem:orders:lost-race"
        || answer.status == StatusCode::SERVICE_UNAVAILABLE
    {
        lost.fetch_add(1, Ordering::Relaxed);
        return;
    }
    assert!(
        answer.status.is_success() || answer.status == StatusCode::CONFLICT,
        "{answer:?}"
    );
}

#[tokio::test]
async fn many_clients_on_few_products_never_deadlock_oversell_or_miscount() {
    let app = App::start().await;
    let customer = app.seed(&[("MUG", 40), ("PEN", 40), ("CUP", 40)]).await;
    // Two processes: what one remembers the other changes.
    let other = App::start_alone(app.database().settings(Database::server_address())).await;
    let lost = AtomicUsize::new(0);
    let clients = (0..24).map(|n| shop(if n % 2 == 0 { &app } else { &other }, &customer, n, &lost));
    join_all(clients).await;
    assert!(lost.load(Ordering::Relaxed) < 20, "{lost:?} of some 400 requests");
    let database = app.database();
    assert_eq!(database.number(WRONG_LEVELS).await, 0);
    let held = "select count(*) from write_model.stock s where available + coalesce((select sum(quantity)
        from write_model.order_lines l join write_model.orders o on o.id = l.order_id
        where l.sku = s.sku and o.status <> 'cancelled'), 0) <> 40 + coalesce((select sum((data->>'quantity')::bigint)
        from write_model.events where stream = s.sku and type like '%Restocked%' and version > 2), 0)";
    assert_eq!(database.number(held).await, 0);
    assert_eq!(deadlocks(database).await, 0);
    assert!(database.number("select count(*) from write_model.events").await > 200);
}

/// How many deadlocks PostgreSQL has broken in this database. Sessions tell when they end, so they are ended first.
async fn deadlocks(database: &Database) -> i64 {
    const OF_THE_APP: &str =
        "from pg_stat_activity where usename like 'orders_app%' and datname = current_database()";
    database
        .number(&format!("select count(pg_terminate_backend(pid)) {OF_THE_APP}"))
        .await;
    let mut again = interval(Duration::from_millis(5));
    let ended = async {
        while database.number(&format!("select count(*) {OF_THE_APP}")).await > 0 {
            again.tick().await;
        }
    };
    timeout(DEADLINE, ended).await.unwrap();
    database
        .number("select deadlocks from pg_stat_database where datname = current_database()")
        .await
}

#[tokio::test]
async fn two_who_make_the_same_things_in_opposite_order_never_deadlock() {
    let app = App::start().await;
    let other = App::start_alone(app.database().settings(Database::server_address())).await;
    let add = |app: &App, n: usize| {
        let price = json!({ "amount": 1, "currency": "EUR" });
        let product = json!({ "sku": format!("SKU-{n:03}"), "name": "Thing", "price": price });
        let app: Client = (**app).clone();
        async move { app.post("/api/products", product).await.status }
    };
    let upwards = join_all((0..60).map(|n| add(&app, n)));
    let downwards = join_all((0..60).rev().map(|n| add(&other, n)));
    let (mut upwards, downwards) = join(upwards, downwards).await;
    upwards.extend(downwards);
    let made = upwards
        .iter()
        .filter(|status| **status == StatusCode::CREATED)
        .count();
    let refused = upwards
        .iter()
        .filter(|status| **status == StatusCode::CONFLICT)
        .count();
    assert_eq!((made, refused), (60, 60), "{upwards:?}");
    assert_eq!(deadlocks(app.database()).await, 0);
}

/// A handler behind a wire, with one customer and five mugs that it has already sold one of: it remembers both, and has
/// prepared the very statement that the next order under a key needs.
async fn behind_a_wire() -> (App, Proxy, String) {
    let database = Database::create().await;
    let wire = Proxy::start(Database::server_address()).await.unwrap();
    let settings = database.settings(wire.address());
    let app = App::start_with(database, settings).await;
    let customer = app.seed(&[("MUG", 5)]).await;
    let placed = place_under(&app, &customer, "k-0").await;
    assert_eq!(placed.status, StatusCode::CREATED, "{placed:?}");
    (app, wire, customer)
}

async fn orders(app: &App) -> i64 {
    app.database()
        .number("select count(*) from write_model.orders")
        .await
}

async fn second_order(app: &App) {
    let mut again = interval(Duration::from_millis(5));
    while orders(app).await < 2 {
        again.tick().await;
    }
}

async fn place_under(app: &App, customer: &str, key: &str) -> Answer {
    app.with("idempotency-key", key)
        .place(customer, &[("MUG", 1)])
        .await
}

#[tokio::test]
async fn an_answer_of_the_database_that_is_lost_after_the_commit_is_found_again() {
    let (app, wire, customer) = behind_a_wire().await;
    wire.hold_answers();
    let losing = async {
        second_order(&app).await;
        wire.cut();
        wire.restore();
    };
    let placing = join(place_under(&app, &customer, "k-1"), losing);
    let (placed, ()) = timeout(DEADLINE, placing).await.unwrap();
    assert_eq!(placed.status, StatusCode::CREATED, "{placed:?}");
    let id = placed.id();
    let found = format!("select count(*) from write_model.orders where id = '{id}'");
    assert_eq!((app.database().number(&found).await, orders(&app).await), (1, 2));
    assert_eq!(
        app.database()
            .number("select available from write_model.stock")
            .await,
        3
    );
}

#[tokio::test]
async fn a_lost_write_is_503_and_happens_once_when_sent_again() {
    let (app, wire, customer) = behind_a_wire().await;
    wire.hold_requests();
    let lost = timeout(DEADLINE, place_under(&app, &customer, "k-1"))
        .await
        .unwrap();
    assert_eq!(lost.status, StatusCode::SERVICE_UNAVAILABLE, "{lost:?}");
    assert!(lost.headers.contains_key("retry-after"));
    wire.cut();
    wire.restore();
    assert_eq!(orders(&app).await, 1);
    let placed = place_under(&app, &customer, "k-1").await;
    assert_eq!(
        (placed.status, orders(&app).await),
        (StatusCode::CREATED, 2),
        "{placed:?}"
    );
}

#[tokio::test]
async fn a_write_that_arrives_after_its_503_is_the_answer_to_the_same_key() {
    let (app, wire, customer) = behind_a_wire().await;
    wire.hold_requests();
    let lost = timeout(DEADLINE, place_under(&app, &customer, "k-1"))
        .await
        .unwrap();
    assert_eq!(lost.status, StatusCode::SERVICE_UNAVAILABLE, "{lost:?}");
    wire.resume();
    timeout(DEADLINE, second_order(&app)).await.unwrap();
    let placed = place_under(&app, &customer, "k-1").await;
    assert_eq!(placed.headers["idempotent-replayed"], "true", "{placed:?}");
    assert_eq!((placed.status, orders(&app).await), (StatusCode::CREATED, 2));
}

#[tokio::test]
async fn a_command_on_a_locked_row_is_refused_and_the_others_go_on() {
    let app = App::start().await;
    let customer = app.seed(&[("MUG", 50), ("PEN", 50)]).await;
    let mut holder = connect(&admin_url(&app.database().name)).await;
    let holding = holder.transaction().await.unwrap();
    holding
        .execute("select from write_model.stock where sku = 'MUG' for update", &[])
        .await
        .unwrap();
    let orders = (0..12).map(|n| {
        let (app, customer, sku) = (&app, &customer, if n % 4 == 0 { "MUG" } else { "PEN" });
        async move { (sku, app.place(customer, &[(sku, 1)]).await) }
    });
    for (sku, answer) in timeout(DEADLINE, join_all(orders)).await.unwrap() {
        let expected = if sku == "MUG" {
            StatusCode::SERVICE_UNAVAILABLE
        } else {
            StatusCode::CREATED
        };
        assert_eq!(answer.status, expected, "{sku}: {answer:?}");
    }
    holding.rollback().await.unwrap();
    assert_eq!(
        app.place(&customer, &[("MUG", 1)]).await.status,
        StatusCode::CREATED
    );
    assert_eq!(app.database().number(WRONG_LEVELS).await, 0);
}

#[tokio::test]
async fn an_order_that_waited_for_a_restock_is_judged_by_the_stock_after_it() {
    let app = App::start().await;
    let customer = app.seed(&[("MUG", 5)]).await;
    let mut other = connect(&admin_url(&app.database().name)).await;
    let level = |available: i64| {
        format!("update write_model.stock set available = {available}, seq = seq + 1 where sku = 'MUG'")
    };
    // The handler still remembers five; one is left, and a restock is under way.
    other.batch_execute(&level(1)).await.unwrap();
    let restock = other.transaction().await.unwrap();
    restock.batch_execute(&level(51)).await.unwrap();
    let restocking = async {
        let waits = "select count(*) from pg_stat_activity
            where wait_event_type = 'Lock' and datname = current_database()";
        let mut again = interval(Duration::from_millis(5));
        while app.database().number(waits).await == 0 {
            again.tick().await;
        }
        restock.commit().await.unwrap();
    };
    let lines = [("MUG", 2)];
    let (placed, ()) = timeout(DEADLINE, join(app.place(&customer, &lines), restocking))
        .await
        .unwrap();
    assert_eq!(placed.status, StatusCode::CREATED, "{placed:?}");
    let left = app.database().number("select available from write_model.stock");
    assert_eq!(left.await, 49);
}

#[tokio::test]
async fn a_race_that_is_lost_again_and_again_is_told_and_leaves_no_trace() {
    let app = App::start().await;
    let customer = app.seed(&[("MUG", 5)]).await;
    let owner = connect(&admin_url(&app.database().name)).await;
    // Every guard fails, as if somebody were always faster.
    let always = "create function always() returns trigger language plpgsql as
            $$ begin raise exception 'faster' using errcode = 'OM001'; end $$;
        create trigger always before insert on write_model.events execute function always()";
    owner.batch_execute(always).await.unwrap();
    let before = orders(&app).await;
    let lost = place_under(&app, &customer, "k-1").await;
    assert_eq!(
        (lost.status, &lost.body["type"]),
        (StatusCode::CONFLICT, &json!("urn:problem:orders:lost-race")),
        "{lost:?}"
    );
    owner
        .batch_execute("drop trigger always on write_model.events")
        .await
        .unwrap();
    assert_eq!(orders(&app).await, before);
    assert_eq!(
        app.database()
            .number("select count(*) from write_model.idempotency_keys")
            .await,
        0
    );
    assert_eq!(
        place_under(&app, &customer, "k-1").await.status,
        StatusCode::CREATED
    );
}

#[tokio::test]
async fn a_prepared_statement_that_the_server_has_forgotten_is_prepared_again() {
    let app = App::start().await;
    let customer = app.seed(&[("MUG", 5)]).await;
    let owner = connect(&admin_url(&app.database().name)).await;
    let sessions =
        "select count(*) from pg_stat_activity where usename like 'orders_app%' and pid = any(array(
        select pid from sessions_then)) and datname = current_database()";
    for (code, left) in [("26000", 4), ("0A000", 3)] {
        let once = format!(
            "drop table if exists sessions_then; create table sessions_then as
                select pid from pg_stat_activity where usename like 'orders_app%' and datname = current_database();
            drop sequence if exists tries cascade; create sequence tries; grant all on sequence tries to public;
            create or replace function once() returns trigger language plpgsql as $$ begin
                if nextval('public.tries') = 1 then raise exception 'as told' using errcode = '{code}'; end if;
                return new; end $$;
            create or replace trigger once before insert on write_model.events for each row execute function once()"
        );
        owner.batch_execute(&once).await.unwrap();
        let known = app.database().number(sessions).await;
        let placed = app.place(&customer, &[("MUG", 1)]).await;
        assert_eq!(placed.status, StatusCode::CREATED, "{code}: {placed:?}");
        let available = app.database().number("select available from write_model.stock");
        assert_eq!(available.await, left);
        assert!(
            app.database().number(sessions).await < known,
            "{code}: a new connection is used"
        );
    }
}

#[tokio::test]
async fn of_a_batch_with_one_member_that_breaks_it_the_others_are_accepted() {
    let app = App::start().await;
    let customer = app.seed(&[("MUG", 50)]).await;
    let owner = connect(&admin_url(&app.database().name)).await;
    // A defect that only one order has: the database refuses its quantity.
    let defect = "alter table write_model.order_lines add constraint odd check (quantity <> 7)";
    owner.batch_execute(defect).await.unwrap();
    let orders = (0..16).map(|n| {
        let (app, customer, pieces) = (&app, &customer, if n == 5 { 7 } else { 1 });
        async move { (pieces, app.place(customer, &[("MUG", pieces)]).await) }
    });
    for (pieces, answer) in join_all(orders).await {
        let expected = if pieces == 7 {
            StatusCode::INTERNAL_SERVER_ERROR
        } else {
            StatusCode::CREATED
        };
        assert_eq!(answer.status, expected, "{answer:?}");
    }
    assert_eq!(
        app.database()
            .number("select available from write_model.stock")
            .await,
        35
    );
}
