//! How the read model in PostgreSQL comes about and is kept: filled while others write, never half shown, by the timer.
//! Never counts on timing: what must be held up is held by a lock until the test lets go.

use std::{
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    time::Duration,
};

use futures_util::future::join_all;
use handler::{
    error_chain::chain,
    postgres::PoolerMode,
    read::{
        TableReadModel,
        store::StoreError,
        tables::statements,
        view::{PageRequest, Versioned},
    },
};
use hyper::StatusCode;
use serde_json::json;
use time::{Date, Month};
use tokio::time::{interval, timeout};
use uuid::Uuid;

use crate::support::{Answer, App, DEADLINE, Database, admin_url, connect};

/// Makes so many placed orders of one customer, and as much of everything else, the way commands would have left them.
const SHOP: &str = "
    insert into write_model.customers select gen_random_uuid(), 1, 'Ada', 'ada@example.org' from generate_series(1, COUNT);
    insert into write_model.products select 'SKU-' || n, 1, 'Thing', 100, 'EUR' from generate_series(1, COUNT) n;
    insert into write_model.stock select sku, 9, 1 from write_model.products;
    insert into write_model.orders (id, version, status, customer_id, customer_name, total, currency, placed_at)
        select gen_random_uuid(), 1, 'placed', c.id, 'Ada', 100, 'EUR', now() from write_model.customers c;
    insert into write_model.events (event_id, stream, version, type, data, state, metadata, occurred_at)
        select gen_random_uuid(), c.id::text, 1, 'orders.CustomerRegistered.v1', '{}', '{}', '{}', now()
        from write_model.customers c;
    insert into write_model.events (event_id, stream, version, type, data, state, metadata, occurred_at)
        select gen_random_uuid(), o.id::text, 1, 'orders.OrderPlaced.v1', '{}', jsonb_build_object('id', o.id, 'version', 1,
            'status', o.status, 'customer', jsonb_build_object('id', o.customer_id, 'name', 'Ada'), 'lines', '[]'::jsonb,
            'total', jsonb_build_object('amount', o.total, 'currency', 'EUR'), 'placedAt', o.placed_at), '{}', o.placed_at
        from write_model.orders o;";

/// Orders whose newest event is not what is shown, and orders that are shown without one.
const WRONG: &str = "
    select count(*) from (
        select distinct on (stream) * from write_model.events where type like 'orders.Order%' order by stream, version desc) e
    full join read_model.order_summary s on s.order_id::text = e.stream
    where (s.version, s.state, s.changed_at, s.status, s.customer_id) is distinct from
        (e.version, e.state, e.occurred_at, e.state->>'status', (e.state->'customer'->>'id')::uuid)";

/// Days whose sums are not what their events say.
const UNTRUE: &str = "
    with kept as (select * from read_model.sales union all select * from read_model.sales_unsummed),
    shown as (select day, currency, sum(paid_orders) as p, sum(paid) as pa, sum(cancelled_orders) as c, sum(cancelled) as ca
        from kept group by 1, 2),
    sales as (select (occurred_at at time zone 'UTC')::date as day, state->'total'->>'currency' as currency, type,
        (state->'total'->>'amount')::numeric as amount from write_model.events
        where type = 'orders.OrderPaid.v1' or type = 'orders.OrderCancelled.v1' and state ? 'paidAt'),
    meant as (select day, currency, count(*) filter (where type = 'orders.OrderPaid.v1') as p,
        coalesce(sum(amount) filter (where type = 'orders.OrderPaid.v1'), 0) as pa,
        count(*) filter (where type = 'orders.OrderCancelled.v1') as c,
        coalesce(sum(amount) filter (where type = 'orders.OrderCancelled.v1'), 0) as ca from sales group by 1, 2)
    select count(*) + (select (count(*) = 0)::int from shown) from shown full join meant using (day, currency)
    where (shown.p, shown.pa, shown.c, shown.ca) is distinct from (meant.p, meant.pa, meant.c, meant.ca)";

async fn owner(database: &Database) -> tokio_postgres::Client {
    connect(&admin_url(&database.name)).await
}

/// Orders, payments and cancellations, one after the other, until told to stop; each must be accepted.
async fn shop(app: &App, customer: &str, stop: &AtomicBool, done: &AtomicUsize) {
    for n in 0.. {
        let placed = app.place(customer, &[("MUG", 1)]).await;
        assert_eq!(placed.status, StatusCode::CREATED, "{placed:?}");
        let paid = app.pay(&placed).await;
        assert_eq!(paid.status, StatusCode::OK, "{paid:?}");
        if n % 2 == 1 {
            let cancelled = app.cancel(&placed).await;
            assert_eq!(cancelled.status, StatusCode::OK, "{cancelled:?}");
        }
        done.fetch_add(1, Ordering::Relaxed);
        if stop.load(Ordering::Relaxed) {
            return;
        }
    }
}

#[tokio::test]
async fn what_was_there_before_is_filled_in_while_a_handler_writes() {
    let app = App::start().await;
    let owner = owner(app.database()).await;
    owner.batch_execute(&SHOP.replace("COUNT", "3000")).await.unwrap();
    let customer = app.seed(&[("MUG", 9_000)]).await;
    let (stop, done) = (AtomicBool::new(false), AtomicUsize::new(0));
    let fill = async {
        let mut again = interval(Duration::from_millis(10));
        while done.load(Ordering::Relaxed) < 8 {
            again.tick().await;
        }
        app.database().keep_read_model().await;
        stop.store(true, Ordering::Relaxed);
    };
    let shops = join_all((0..8).map(|_| shop(&app, &customer, &stop, &done)));
    tokio::join!(fill, shops);
    let database = app.database();
    assert_eq!(database.number(WRONG).await, 0);
    let orders = "select count(*) from read_model.order_summary";
    assert!(database.number(orders).await >= 3_000 + 8);
    assert_eq!(database.number(UNTRUE).await, 0);
    // Once more, and after a time without it. A deployment that says nothing of it changes nothing.
    database.keep_read_model().await;
    database.migrate().await;
    assert_eq!(database.number("select count(*) from read_model.filled").await, 1);
    database.leave_read_model().await;
    let one = "select id from write_model.orders where status = 'paid' limit 1";
    let id: Uuid = owner.query_one(one, &[]).await.unwrap().get(0);
    let reason = json!({ "reason": "no" });
    let cancelled = app.post(&format!("/api/orders/{id}/cancellation"), reason).await;
    assert_eq!(cancelled.status, StatusCode::OK, "{cancelled:?}");
    assert_eq!(database.number(WRONG).await, 1);
    database.keep_read_model().await;
    assert_eq!(database.number(WRONG).await, 0);
    assert_eq!(database.number(UNTRUE).await, 0);
}

#[tokio::test]
async fn what_is_being_written_while_the_trigger_is_turned_on_is_not_missed() {
    let database = Database::create().await;
    let mut writer = owner(&database).await;
    let looker = owner(&database).await;
    // Its events are there, but not committed, and no trigger has seen them.
    let writing = writer.transaction().await.unwrap();
    writing.batch_execute(&SHOP.replace("COUNT", "3")).await.unwrap();
    let let_go = async {
        let waits = "select exists (select from pg_locks where not granted and relation = 'write_model.events'::regclass)";
        let mut again = interval(Duration::from_millis(10));
        while !looker.query_one(waits, &[]).await.unwrap().get::<_, bool>(0) {
            again.tick().await;
        }
        writing.commit().await.unwrap();
    };
    timeout(DEADLINE, async {
        tokio::join!(database.keep_read_model(), let_go)
    })
    .await
    .unwrap();
    assert_eq!(
        database
            .number("select count(*) from read_model.order_summary")
            .await,
        3
    );
    assert_eq!(database.number(WRONG).await, 0);
}

fn says(answer: Result<impl std::fmt::Debug, StoreError>, command: &str) {
    let Err(error @ StoreError::Away { .. }) = &answer else {
        panic!("{answer:?}");
    };
    let why = chain(error).to_string();
    assert!(why.contains(command), "{why}");
}

#[tokio::test]
async fn where_nobody_keeps_it_the_read_model_says_what_to_run() {
    let database = Database::empty().await;
    let tables = TableReadModel::new(database.target(), PoolerMode::None);
    says(tables.order(Uuid::nil()).await, "`handler migrate`");
    database.migrate().await;
    let request = PageRequest {
        limit: 1,
        after: None,
    };
    let year = Date::from_calendar_date(2026, Month::January, 1).unwrap();
    for _ in 0..2 {
        let run = "`handler migrate --read-model postgres`";
        says(tables.order(Uuid::nil()).await, run);
        says(tables.orders(None, &request).await, run);
        says(tables.customer_orders(Uuid::nil(), None, &request).await, run);
        says(tables.sales(year, year).await, run);
        database.keep_read_model().await;
        assert_eq!(tables.order(Uuid::nil()).await.unwrap(), None);
        assert!(tables.orders(None, &request).await.unwrap().items.is_empty());
        assert_eq!(tables.sales(year, year).await.unwrap(), []);
        // A deployment with documents does not pay for it.
        database.leave_read_model().await;
    }
}

#[tokio::test]
async fn the_apps_role_reads_the_read_model_and_changes_nothing_but_through_commands() {
    let database = Database::create().await;
    database.keep_read_model().await;
    let client = database.as_app().await;
    for forbidden in [
        "insert into read_model.order_summary values (gen_random_uuid(), 1, default, default, '{}', now())",
        "update read_model.order_summary set version = 9",
        "delete from read_model.order_summary",
        "insert into read_model.filled default values",
        "delete from read_model.filled",
        "insert into read_model.sales_unsummed values ('2026-01-01', 'EUR', 1, 1, 0, 0)",
        "update read_model.sales set paid = 9",
        "alter table write_model.events disable trigger keep_orders",
        "drop trigger keep_orders on write_model.events",
        "create table read_model.mine (id int)",
        "create temp table mine (like write_model.events);
         create trigger mine after insert on mine for each row execute function read_model.keep_orders()",
    ] {
        let refused = client.batch_execute(forbidden).await.unwrap_err();
        let code = refused.code().map(tokio_postgres::error::SqlState::code);
        // Insufficient privilege, for whatever reason.
        assert_eq!(code, Some("42501"), "{forbidden}: {refused:?}");
    }
    client
        .batch_execute("select read_model.sum_up_sales(1)")
        .await
        .unwrap();
    let privileges = "select count(*) from information_schema.role_routine_grants
        where routine_schema = 'read_model' and grantee = 'PUBLIC'";
    assert_eq!(database.number(privileges).await, 0);
}

#[tokio::test]
async fn no_statement_scans_a_whole_table_or_sorts_a_list() {
    let database = Database::create().await;
    database.keep_read_model().await;
    let owner = owner(&database).await;
    owner.batch_execute(&SHOP.replace("COUNT", "5000")).await.unwrap();
    owner
        .batch_execute(
            "insert into write_model.events (event_id, stream, version, type, data, state, metadata, occurred_at)
                select gen_random_uuid(), stream, 2, 'orders.OrderPaid.v1', '{}', state || '{\"status\": \"paid\"}', '{}',
                    occurred_at - interval '6 hours' * (row_number() over ()) from write_model.events
                where type = 'orders.OrderPlaced.v1';
             select read_model.sum_up_sales(4000);",
        )
        .await
        .unwrap();
    owner.batch_execute("vacuum analyze").await.unwrap();
    let app = database.as_app().await;
    for statement in statements::ALL {
        app.batch_execute(&format!("prepare asked as {statement}"))
            .await
            .unwrap();
        let nulls = (1..=4)
            .filter(|n| statement.contains(&format!("${n}")))
            .map(|_| "null");
        let explain = format!("explain execute asked({})", nulls.collect::<Vec<_>>().join(", "));
        let plan: Vec<String> = app
            .query(&explain, &[])
            .await
            .unwrap()
            .iter()
            .map(|row| row.get(0))
            .collect();
        app.batch_execute("deallocate asked").await.unwrap();
        // Sums of days are not many.
        let sorts = |line: &str| line.contains("Sort") && !statement.contains("read_model.sales");
        let reads_all = |line: &str| line.contains("Seq Scan") && !line.contains("Seq Scan on filled");
        let bad = |line: &&String| sorts(line) || reads_all(line);
        assert_eq!(plan.iter().find(bad), None, "{statement}\n{}", plan.join("\n"));
    }
}

/// Pays this order under an Idempotency-Key, and returns its id.
async fn pay_once(app: &App, placed: &Answer) -> Uuid {
    let paid = app.with("idempotency-key", "once").pay(placed).await;
    assert_eq!(paid.status, StatusCode::OK, "{paid:?}");
    placed.id().parse().unwrap()
}

#[tokio::test]
async fn the_timer_sums_up_sales_and_forgets_what_no_bus_will_ever_fetch() {
    let database = Database::create().await;
    database.keep_read_model().await;
    let mut settings = database.settings(Database::server_address());
    settings.extend(
        [("READ_MODEL", "postgres"), ("OUTBOX", "forget")].map(|(k, v)| (k.to_owned(), v.to_owned())),
    );
    let app = App::start_with(database, settings).await;
    let (database, owner) = (app.database(), owner(app.database()).await);
    let tables = TableReadModel::new(database.target(), PoolerMode::None);
    let customer = app.seed(&[("MUG", 5)]).await;
    let id = pay_once(&app, &app.place(&customer, &[("MUG", 2)]).await).await;
    let Some(Versioned { value: order, .. }) = tables.order(id).await.unwrap() else {
        panic!("it is not shown at once");
    };
    let day = order.progress.paid_at().unwrap().utc().date();
    let unsummed = "select count(*) from read_model.sales_unsummed";
    let sales = tables.sales(day, day).await.unwrap();
    assert_eq!((sales.len(), database.number(unsummed).await), (1, 1));
    let tick = async || assert_eq!(app.post("/RelayOutbox", json!({})).await.status, StatusCode::OK);
    tick().await;
    assert_eq!(
        (
            &tables.sales(day, day).await.unwrap(),
            database.number(unsummed).await
        ),
        (&sales, 0)
    );
    assert_eq!((sales[0].paid_orders, sales[0].paid), (1, 1000));
    let outbox = "select count(*) from write_model.outbox";
    assert_eq!(database.number(outbox).await, 5);
    owner
        .batch_execute(
            "update write_model.events set occurred_at = occurred_at - interval '25 hours';
             update write_model.idempotency_keys set at = at - interval '25 hours';
             insert into write_model.events (event_id, stream, version, type, data, state, metadata, occurred_at)
                select gen_random_uuid(), 'old-' || n, 1, 'old', '{}', '{}', '{}', now() - interval '2 days'
                from generate_series(1, 2500) n;
             insert into write_model.outbox (position) select position from write_model.events on conflict do nothing",
        )
        .await
        .unwrap();
    app.place(&customer, &[("MUG", 1)]).await;
    tick().await;
    assert_eq!(database.number(outbox).await, 1);
    assert_eq!(
        database
            .number("select count(*) from write_model.idempotency_keys")
            .await,
        0
    );
    timeout(DEADLINE, app.logged("outbox_rows_forgotten rows=2505"))
        .await
        .unwrap();
}
