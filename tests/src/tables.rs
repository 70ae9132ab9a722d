//! The read model in PostgreSQL shows what the log says, at once, each thing once.
//! Never asks over HTTP: what callers get of it is the same as from documents.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    time::Instant,
};

use handler::{
    domain::order::{Order, OrderStatus},
    postgres::PoolerMode,
    read::{
        TableReadModel,
        view::{OrderRow, Page, PageRequest},
    },
};
use proptest::test_runner::{Config, TestRunner};
use serde_json::Value;
use time::{Date, Duration, Month};
use uuid::Uuid;

use crate::histories::{Ask, Asked, World, asks, command, context, id, one_by_one, opening};

/// Long enough for any sum.
const SOON: std::time::Duration = std::time::Duration::from_secs(60);

const STATUSES: [OrderStatus; 5] = [
    OrderStatus::Placed,
    OrderStatus::Paid,
    OrderStatus::Shipped,
    OrderStatus::Delivered,
    OrderStatus::Cancelled,
];

fn day(year: i32, day: u8) -> Date {
    Date::from_calendar_date(year, Month::January, day).unwrap()
}

impl World {
    /// One with a read model in the database.
    pub(crate) async fn with_tables() -> (Self, TableReadModel) {
        let world = Self::new().await;
        world.database.keep_read_model().await;
        let tables = TableReadModel::new(world.database.target(), PoolerMode::None);
        (world, tables)
    }

    /// What always happens and some of the rest one by one, the others as one batch; how many were accepted.
    async fn live(&self, always: Vec<Asked>, asked: Vec<Asked>) -> usize {
        let singly = always.len() + asked.len() / 2;
        let asked = [always, asked].concat();
        let (first, rest) = asked.split_at(singly);
        let singly = one_by_one(self, first).await;
        let totals = self.totals().await;
        let given = rest.iter().zip(first.len()..);
        let given = given.map(|(ask, n)| (command(&ask.0, &totals), context(n, ask)));
        let together = self.writer.execute_together(given.collect()).await;
        let answers = singly.iter().map(|(_, answer)| answer).chain(&together);
        answers.filter(|answer| answer.is_ok()).count()
    }

    /// What the paid and cancelled orders of the log say: orders and amounts by day and currency.
    async fn sold(&self) -> BTreeMap<(String, String), [i128; 4]> {
        let mut sold = BTreeMap::new();
        let events = self
            .json("select type, state from write_model.events order by position")
            .await;
        for event in events.as_array().unwrap() {
            let state = &event["state"];
            let (at, what) = match event["type"].as_str().unwrap() {
                "orders.OrderPaid.v1" => ("paidAt", 0),
                "orders.OrderCancelled.v1" if state.get("paidAt").is_some() => ("cancelledAt", 2),
                _ => continue,
            };
            let currency = state["total"]["currency"].as_str().unwrap().to_owned();
            let key = (state[at].as_str().unwrap()[..10].to_owned(), currency);
            let sums: &mut [i128; 4] = sold.entry(key).or_default();
            sums[what] += 1;
            sums[what + 1] += i128::from(state["total"]["amount"].as_i64().unwrap());
        }
        sold
    }
}

/// One order that is paid, and one that is called off after that.
fn sale() -> Vec<Asked> {
    let place = |n| Ask::Place(n, 0, vec![1, 0, 0], None);
    let pay = |n| Ask::Pay(n, true);
    let asks = [place(8), pay(8), place(9), pay(9), Ask::Cancel(9)];
    asks.map(|ask| (ask, None, None)).into()
}

/// Sales as the tables show them, in the order in which they do.
async fn shown_sales(tables: &TableReadModel, from: Date, to: Date) -> Vec<((String, String), [i128; 4])> {
    let sales = tables.sales(from, to).await.unwrap();
    let row = |day: handler::read::view::DaySales| {
        let key = (day.day.to_string(), day.currency.as_str().to_owned());
        let (paid, cancelled) = (day.paid_orders.into(), day.cancelled_orders.into());
        (key, [paid, day.paid, cancelled, day.cancelled])
    };
    sales.into_iter().map(row).collect()
}

/// A whole list, page after page of this size.
async fn paged<K: Clone, T>(
    limit: usize,
    key: impl Fn(&T) -> K,
    fetch: impl AsyncFn(PageRequest<K>) -> Page<T>,
) -> Vec<T> {
    let mut all: Vec<T> = Vec::new();
    loop {
        let after = all.last().map(&key);
        let page = fetch(PageRequest { limit, after }).await;
        assert!(page.items.len() == limit || page.items.len() < limit && !page.more);
        all.extend(page.items);
        if !page.more {
            return all;
        }
    }
}

/// Every list of orders, with every status and several page sizes, has each order that belongs there once, newest first.
async fn check_lists(tables: &TableReadModel, orders: &BTreeMap<Uuid, Order>) {
    let newest_first: Vec<OrderRow> = orders.values().rev().cloned().map(OrderRow::from).collect();
    for status in STATUSES.map(Some).into_iter().chain([None]) {
        for limit in [1, 2, 3, 200] {
            let belongs = |row: &&OrderRow| status.is_none_or(|status| row.status == status);
            let expected: Vec<_> = newest_first.iter().filter(belongs).cloned().collect();
            let shown = paged(
                limit,
                |row: &OrderRow| row.id,
                async |request| tables.orders(status, &request).await.unwrap(),
            );
            assert_eq!(shown.await, expected, "{status:?} by {limit}");
            for customer in [id(1, 0), id(1, 1)] {
                let mut expected = expected.clone();
                expected.retain(|row| row.customer.id == customer);
                let shown = paged(
                    limit,
                    |row: &OrderRow| row.id,
                    async |request| tables.customer_orders(customer, status, &request).await.unwrap(),
                );
                assert_eq!(shown.await, expected, "{status:?} by {limit} of {customer}");
            }
        }
    }
}

/// Each order is the fold of its events, and its history is those events.
async fn check_orders(world: &World, tables: &TableReadModel, orders: &BTreeMap<Uuid, Order>) {
    for (id, order) in orders {
        let seen = tables.order(*id).await.unwrap().unwrap();
        assert_eq!((&seen.value, seen.etag), (order, order.version.to_string()));
        let history = paged(
            2,
            |event: &handler::read::view::HistoryEvent| event.version,
            async |request| tables.history(*id, &request).await.unwrap(),
        );
        let history = history.await;
        assert_eq!(seen.changed_at, history.last().map(|event| event.at));
        let shown = history
            .into_iter()
            .map(|event| (event.version, event.r#type, event.data));
        let events = format!(
            "select version, type, data from write_model.events where stream = '{id}' order by version"
        );
        let events = world.json(&events).await;
        let logged = events.as_array().unwrap().iter().map(|event| {
            let kind = event["type"].as_str().unwrap().to_owned();
            (event["version"].as_i64().unwrap(), kind, event["data"].clone())
        });
        assert!(shown.eq(logged), "{id}");
    }
    assert_eq!(tables.order(Uuid::now_v7()).await.unwrap(), None);
}

/// Customers and the catalogue are what the write model holds this very moment.
async fn check_catalogue(world: &World, tables: &TableReadModel) {
    let folded = world.folded().await;
    for (id, customer) in &folded.customers {
        let seen = tables.customer(*id).await.unwrap().unwrap();
        assert_eq!((&seen.value, seen.etag), (customer, customer.version.to_string()));
        assert!(seen.changed_at.is_some());
    }
    assert_eq!(tables.customer(id(1, 9)).await.unwrap(), None);
    let stock = world
        .json("select sku, available, seq from write_model.stock order by sku")
        .await;
    for limit in [1, 2, 200] {
        let sku = |view: &handler::read::view::ProductView| view.product.sku.clone();
        let shown = paged(limit, sku, async |request| {
            tables.products(&request).await.unwrap()
        })
        .await;
        assert!(
            shown
                .iter()
                .map(|view| &view.product)
                .eq(folded.products.values())
        );
        let levels = shown.iter().map(|view| (view.available, view.seq));
        let held = stock.as_array().unwrap().iter();
        assert!(
            levels.eq(held.map(|row| (row["available"].as_i64().unwrap(), row["seq"].as_i64().unwrap())))
        );
        for view in shown {
            let etag = format!("{}-{}", view.product.version, view.seq);
            let seen = tables.product(&view.product.sku).await.unwrap().unwrap();
            assert_eq!((seen.value, seen.etag, seen.changed_at), (view, etag, None));
        }
    }
}

#[test]
fn after_any_history_everything_shown_is_what_the_log_says() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let (world, tables) = runtime.block_on(World::with_tables());
    let (world, accepted, days) = (RefCell::new(world), Cell::new(0), Cell::new(0));
    let mut runner = TestRunner::new(Config {
        cases: 16,
        failure_persistence: None,
        ..Config::default()
    });
    let outcome = runner.run(&asks(), |asked| {
        let world = &mut *world.borrow_mut();
        runtime.block_on(async {
            world.clear().await;
            accepted.set(accepted.get() + world.live([opening(), sale()].concat(), asked).await);
            let orders = world.folded().await.orders;
            check_orders(world, &tables, &orders).await;
            check_lists(&tables, &orders).await;
            check_catalogue(world, &tables).await;
            let sold: Vec<_> = world.sold().await.into_iter().collect();
            days.set(days.get() + sold.len());
            // As they came, and with some of them and all of them summed up, by two at a time.
            for most in [0, 2] {
                world
                    .json(&format!("select read_model.sum_up_sales({most})"))
                    .await;
                assert_eq!(shown_sales(&tables, day(1970, 1), day(1971, 1)).await, sold);
            }
            let until = Instant::now() + SOON;
            let (one, other) = tokio::join!(tables.sum_up_sales(until), tables.sum_up_sales(until));
            let unsummed = world.json("select from read_model.sales_unsummed").await;
            assert_eq!(unsummed, Value::Array(Vec::new()), "{one:?}, {other:?}");
            assert_eq!(shown_sales(&tables, day(1970, 1), day(1971, 1)).await, sold);
        });
        Ok(())
    });
    if let Err(failure) = outcome {
        panic!("{failure}");
    }
    let (accepted, days) = (accepted.get(), days.get());
    assert!(
        accepted > 16 * 12 && days >= 16,
        "hardly anything happened: {accepted}, {days}"
    );
}

#[tokio::test]
async fn an_older_version_never_overwrites_a_newer_one() {
    let (world, tables) = World::with_tables().await;
    let event = |version: i64, status: &str| {
        format!(
            "insert into write_model.events (event_id, stream, version, type, data, state, metadata, occurred_at)
             values (gen_random_uuid(), '{0}', {version}, 'orders.OrderPlaced.v1', '{{}}', jsonb_build_object(
                'id', '{0}', 'version', {version}, 'status', '{status}', 'lines', '[]'::jsonb, 'paidAt', '2026-01-01T00:00:00Z',
                'customer', jsonb_build_object('id', '{0}', 'name', 'Ada'), 'placedAt', '2026-01-01T00:00:00Z',
                'total', jsonb_build_object('amount', 1, 'currency', 'EUR')), '{{}}', now())",
            id(2, 1)
        )
    };
    for (version, status, shown) in [(2, "paid", 2), (1, "placed", 2), (3, "placed", 3)] {
        world.owner.batch_execute(&event(version, status)).await.unwrap();
        let seen = tables.order(id(2, 1)).await.unwrap().unwrap();
        assert_eq!((seen.value.version, seen.etag), (shown, shown.to_string()));
    }
    let request = PageRequest {
        limit: 9,
        after: None,
    };
    let paid = tables.orders(Some(OrderStatus::Paid), &request).await.unwrap();
    assert!(paid.items.is_empty(), "{paid:?}");
}

#[tokio::test]
async fn sums_may_exceed_any_amount_and_days_include_their_last_second() {
    let (world, tables) = World::with_tables().await;
    for (n, at) in [
        "2026-01-02T00:00:00Z",
        "2026-01-02T23:59:59.999999Z",
        "2026-01-03T00:00:00Z",
    ]
    .into_iter()
    .cycle()
    .take(9)
    .enumerate()
    {
        let paid = format!(
            "set time zone 'Pacific/Kiritimati';
             insert into write_model.events (event_id, stream, version, type, data, state, metadata, occurred_at)
             values (gen_random_uuid(), '{}', 1, 'orders.OrderPaid.v1', '{{}}', jsonb_build_object(
                'customer', jsonb_build_object('id', gen_random_uuid()), 'status', 'paid',
                'total', jsonb_build_object('amount', {}, 'currency', 'EUR')), '{{}}', '{at}')",
            Uuid::now_v7(),
            i64::MAX - n as i64
        );
        world.owner.batch_execute(&paid).await.unwrap();
    }
    assert_eq!(tables.sum_up_sales(Instant::now() + SOON).await.unwrap(), 9);
    let most = i128::from(i64::MAX);
    let eur =
        |day: &str, orders: i128, paid: i128| ((day.to_owned(), "EUR".to_owned()), [orders, paid, 0, 0]);
    let (second, third) = (
        eur("2026-01-02", 6, 6 * most - 21),
        eur("2026-01-03", 3, 3 * most - 15),
    );
    assert_eq!(
        shown_sales(&tables, day(2026, 1), day(2026, 3)).await,
        [second.clone(), third]
    );
    assert_eq!(shown_sales(&tables, day(2026, 2), day(2026, 2)).await, [second]);
    assert_eq!(
        shown_sales(&tables, day(2026, 4), day(2026, 4) + Duration::days(9)).await,
        []
    );
}

#[tokio::test]
async fn connections_that_the_server_has_ended_are_replaced_without_anybody_noticing() {
    let (world, tables) = World::with_tables().await;
    let request = PageRequest {
        limit: 1,
        after: None,
    };
    let twice = || async { tokio::join!(tables.orders(None, &request), tables.order(Uuid::nil())) };
    let (orders, order) = twice().await;
    assert!(orders.is_ok() && order.is_ok(), "{orders:?}, {order:?}");
    let ended = world
        .json("select pg_terminate_backend(pid) from pg_stat_activity where usename like 'orders_app%' and datname = current_database()")
        .await;
    assert_ne!(ended, Value::Array(Vec::new()));
    let (orders, order) = twice().await;
    assert!(orders.is_ok() && order.is_ok(), "{orders:?}, {order:?}");
}
