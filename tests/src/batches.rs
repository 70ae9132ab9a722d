//! A batch answers and leaves behind exactly what the same commands do one after another; and what is left behind is
//! what folding the events gives. Never compares less than everything: answers, every table, the log in its order.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    sync::Arc,
};

use handler::{
    domain::{customer, event::Event, order, product, value},
    write::{Accepted, Command, Context, Error, Expected, Once, Writer, pool::Pool},
};
use proptest::{
    collection::vec,
    option,
    prelude::{Strategy, any},
    prop_oneof,
    test_runner::{Config, TestRunner},
};
use serde_json::{Value, json};
use time::{Duration, OffsetDateTime};
use tokio::sync::Notify;
use uuid::Uuid;

use crate::{
    contention::WRONG_LEVELS,
    support::{Database, admin_url, connect},
};

/// What is asked for, in a small world: two customers, three products, four orders.
#[derive(Debug, Clone)]
enum Ask {
    Register(u8),
    Rename(u8),
    Add(u8, i64),
    Price(u8, i64),
    Restock(u8, i64),
    Place(u8, u8, Vec<i64>, Option<i64>),
    Change(u8, Vec<i64>),
    /// The right amount, or not.
    Pay(u8, bool),
    Ship(u8),
    Deliver(u8),
    Cancel(u8),
}

type Asked = (Ask, Option<u8>, Option<i64>);

fn asks() -> impl Strategy<Value = Vec<Asked>> {
    let lines = || vec(0_i64..5, 3);
    let ask = prop_oneof![
        1 => (0_u8..2).prop_map(Ask::Register),
        1 => (0_u8..2).prop_map(Ask::Rename),
        1 => (0_u8..3, 1_i64..4).prop_map(|(sku, price)| Ask::Add(sku, price)),
        1 => (0_u8..3, 1_i64..4).prop_map(|(sku, price)| Ask::Price(sku, price)),
        3 => (0_u8..3, 1_i64..9).prop_map(|(sku, pieces)| Ask::Restock(sku, pieces)),
        6 => (0_u8..4, 0_u8..2, lines(), option::weighted(0.1, 1_i64..20))
            .prop_map(|(order, customer, lines, total)| Ask::Place(order, customer, lines, total)),
        3 => (0_u8..4, lines()).prop_map(|(order, lines)| Ask::Change(order, lines)),
        3 => (0_u8..4, any::<bool>()).prop_map(|(order, right)| Ask::Pay(order, right)),
        1 => (0_u8..4).prop_map(Ask::Ship),
        1 => (0_u8..4).prop_map(Ask::Deliver),
        2 => (0_u8..4).prop_map(Ask::Cancel),
    ];
    vec(
        (
            ask,
            option::weighted(0.2, 0_u8..3),
            option::weighted(0.1, 1_i64..3),
        ),
        1..40,
    )
}

/// A shop that is open: a customer, and three products with a few pieces each.
fn opening() -> Vec<Asked> {
    let products = (0..3).flat_map(|sku| [Ask::Add(sku, 2), Ask::Restock(sku, 9)]);
    let asks = [Ask::Register(0)].into_iter().chain(products);
    asks.map(|ask| (ask, None, None)).collect()
}

fn id(kind: u128, n: u8) -> Uuid {
    Uuid::from_u128(kind << 64 | u128::from(n))
}

fn sku(n: usize) -> value::Sku {
    format!("SKU-{n}").try_into().unwrap()
}

fn money(amount: i64) -> value::Money {
    serde_json::from_value(json!({ "amount": amount, "currency": "EUR" })).unwrap()
}

fn wanted(pieces: &[i64]) -> Vec<(value::Sku, value::Quantity)> {
    let lines = pieces.iter().enumerate().filter(|(_, pieces)| **pieces > 0);
    let lines: Vec<_> = lines
        .map(|(n, pieces)| (sku(n), (*pieces).try_into().unwrap()))
        .collect();
    // An order without lines does not get as far as the writer.
    if lines.is_empty() {
        vec![(sku(0), 1.try_into().unwrap())]
    } else {
        lines
    }
}

fn command(ask: &Ask, totals: &BTreeMap<Uuid, i64>) -> Command {
    let text = |text: &str| text.to_owned().try_into().unwrap();
    match ask.clone() {
        Ask::Register(n) => Command::RegisterCustomer {
            id: id(1, n),
            name: text("Ada"),
            email: "ada@example.org".to_owned().try_into().unwrap(),
        },
        Ask::Rename(n) => Command::RenameCustomer {
            id: id(1, n),
            name: text("Countess"),
        },
        Ask::Add(n, price) => Command::AddProduct {
            sku: sku(n.into()),
            name: text("Thing"),
            price: money(price).try_into().unwrap(),
        },
        Ask::Price(n, price) => Command::ChangeProductPrice {
            sku: sku(n.into()),
            price: money(price).try_into().unwrap(),
        },
        Ask::Restock(n, pieces) => Command::RestockProduct {
            sku: sku(n.into()),
            quantity: pieces.try_into().unwrap(),
        },
        Ask::Place(n, customer, pieces, total) => Command::PlaceOrder {
            id: id(2, n),
            customer: id(1, customer),
            lines: wanted(&pieces),
            expected_total: total.map(money),
        },
        Ask::Change(n, pieces) => Command::ChangeOrderLines {
            id: id(2, n),
            lines: wanted(&pieces),
            expected_total: None,
        },
        Ask::Pay(n, right) => {
            let total = totals.get(&id(2, n)).copied().unwrap_or(1);
            Command::PayOrder {
                id: id(2, n),
                amount: money(if right { total } else { total + 1 }),
            }
        }
        Ask::Ship(n) => Command::ShipOrder {
            id: id(2, n),
            shipment: order::Shipment {
                carrier: text("Post"),
                tracking_number: text("1Z"),
            },
        },
        Ask::Deliver(n) => Command::DeliverOrder { id: id(2, n) },
        Ask::Cancel(n) => Command::CancelOrder {
            id: id(2, n),
            reason: "changed my mind".to_owned().try_into().unwrap(),
        },
    }
}

fn context(n: usize, (ask, key, version): &Asked) -> Context {
    let once = |key: &u8| Once {
        key: format!("key-{key}"),
        fingerprint: format!("{ask:?}"),
    };
    Context {
        event_id: Uuid::from_u128(3 << 64 | n as u128),
        at: OffsetDateTime::UNIX_EPOCH + Duration::minutes(n as i64),
        caller: "tester".to_owned(),
        only: None,
        traceparent: None,
        expected: version.map(|version| Expected::OneOf(vec![version])),
        once: key.as_ref().map(once),
    }
}

/// What folding the events of all aggregates gives.
#[derive(Default)]
struct Folded {
    orders: BTreeMap<Uuid, order::Order>,
    customers: BTreeMap<Uuid, customer::Customer>,
    products: BTreeMap<String, product::Product>,
}

/// A database with a writer of its own.
struct World {
    database: Database,
    writer: Writer,
    owner: tokio_postgres::Client,
}

impl World {
    async fn new() -> Self {
        let database = Database::create().await;
        let writer = database.writer();
        let owner = connect(&admin_url(&database.name)).await;
        Self {
            database,
            writer,
            owner,
        }
    }

    /// Nothing is there, and nothing is remembered.
    async fn clear(&mut self) {
        let tables = "customers, products, stock, orders, order_lines, events, outbox, idempotency_keys";
        let tables = tables
            .split(", ")
            .map(|table| format!("write_model.{table}"))
            .collect::<Vec<_>>();
        let clear = format!("truncate {} restart identity", tables.join(", "));
        self.owner.batch_execute(&clear).await.unwrap();
        self.writer = self.database.writer();
    }

    async fn json(&self, sql: &str) -> Value {
        let sql = format!("select coalesce(jsonb_agg(to_jsonb(x)), '[]') from ({sql}) x");
        self.owner.query_one(&sql, &[]).await.unwrap().get(0)
    }

    async fn totals(&self) -> BTreeMap<Uuid, i64> {
        let rows = self
            .owner
            .query("select id, total from write_model.orders", &[])
            .await
            .unwrap();
        rows.iter().map(|row| (row.get(0), row.get(1))).collect()
    }

    /// Every table but for when a key was claimed.
    async fn everything(&self) -> Vec<Value> {
        let mut all = Vec::new();
        for sql in [
            "select * from write_model.customers order by id",
            "select * from write_model.products order by sku",
            "select * from write_model.stock order by sku",
            "select * from write_model.orders order by id",
            "select * from write_model.order_lines order by order_id, line",
            "select event_id, stream, version, type, data, state, stock, metadata from write_model.events order by position",
            "select caller, key, fingerprint, event_id from write_model.idempotency_keys order by caller, key",
            "select e.event_id from write_model.outbox join write_model.events e using (position) order by position",
        ] {
            all.push(self.json(sql).await);
        }
        all
    }

    /// Folds the events; each event's state must be what its fold gives, and an order's total the sum of its lines.
    async fn folded(&self) -> Folded {
        let events = self
            .json("select stream, type, data, state from write_model.events order by position")
            .await;
        let mut folded = Folded::default();
        let Folded {
            orders,
            customers,
            products,
        } = &mut folded;
        for row in events.as_array().unwrap() {
            let stream = row["stream"].as_str().unwrap();
            let event = json!({ "type": row["type"], "data": row["data"] });
            let event: Event = serde_json::from_value(event).unwrap();
            let after = match Uuid::parse_str(stream) {
                Ok(id) if row["type"].as_str().unwrap().starts_with("orders.Order") => {
                    let after = order::evolve(id, orders.remove(&id), &event).unwrap();
                    let sum: i64 = after
                        .lines
                        .iter()
                        .map(|l| l.unit_price.amount * l.quantity.get())
                        .sum();
                    assert_eq!(after.total.amount, sum, "the total drifted");
                    serde_json::to_value(orders.entry(id).or_insert(after))
                }
                Ok(id) => {
                    let after = customer::evolve(id, customers.remove(&id), &event).unwrap();
                    serde_json::to_value(customers.entry(id).or_insert(after))
                }
                Err(_) => {
                    let sku = stream.to_owned().try_into().unwrap();
                    let after = product::evolve(&sku, products.remove(stream), &event).unwrap();
                    serde_json::to_value(products.entry(stream.to_owned()).or_insert(after))
                }
            };
            assert_eq!(after.unwrap(), row["state"], "state beside the event");
        }
        folded
    }

    /// What the tables hold of each aggregate, and what folding its events gives, must be the same.
    async fn check_fold(&self) {
        let Folded {
            orders,
            customers,
            products,
        } = self.folded().await;
        let held = self
            .json("select id, version, status, total, currency from write_model.orders order by id")
            .await;
        let folded = orders.values().map(|o| {
            json!({ "id": o.id, "version": o.version, "status": o.progress.status().name(), "total": o.total.amount,
                "currency": o.total.currency })
        });
        assert_eq!(held, Value::from_iter(folded));
        let held = self.json(
            "select order_id, sku, quantity, unit_price from write_model.order_lines order by order_id, line",
        );
        let folded = orders.values().flat_map(|o| {
            o.lines.iter().map(|l| {
                json!({ "order_id": o.id, "sku": l.sku, "quantity": l.quantity, "unit_price": l.unit_price.amount })
            })
        });
        assert_eq!(held.await, Value::from_iter(folded));
        let held = self
            .json("select id, version, name, email from write_model.customers order by id")
            .await;
        assert_eq!(
            held,
            serde_json::to_value(customers.values().collect::<Vec<_>>()).unwrap()
        );
        let held = self
            .json("select sku, version, price from write_model.products order by sku")
            .await;
        let folded = products.values();
        let folded =
            folded.map(|p| json!({ "sku": p.sku, "version": p.version, "price": p.price.money().amount }));
        assert_eq!(held, Value::from_iter(folded));
        assert_eq!(self.database.number(WRONG_LEVELS).await, 0);
    }
}

impl Database {
    /// A writer in this process.
    fn writer(&self) -> Writer {
        let mut config = tokio_postgres::Config::new();
        let (address, settings) = (Self::server_address(), self.settings(Self::server_address()));
        config.host(address.ip().to_string()).port(address.port());
        config
            .user(&settings["PGUSER"])
            .password(&settings["PGPASSWORD"])
            .dbname(&self.name);
        Writer::start(Pool::new(config, 1), 1, Arc::new(Notify::new()))
    }
}

/// Asks one by one; returns the commands as they were given, and their answers.
async fn one_by_one(world: &World, asked: &[Asked]) -> Vec<((Command, Context), Result<Accepted, Error>)> {
    let mut done = Vec::new();
    for (n, ask) in asked.iter().enumerate() {
        let given = (command(&ask.0, &world.totals().await), context(n, ask));
        let answer = world.writer.execute_together(vec![given.clone()]).await.remove(0);
        done.push((given, answer));
    }
    done
}

#[test]
fn a_batch_does_what_its_commands_do_one_after_another() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let worlds = runtime.block_on(async { (World::new().await, World::new().await) });
    let (worlds, accepted) = (RefCell::new(worlds), Cell::new(0));
    let mut runner = TestRunner::new(Config {
        cases: 24,
        failure_persistence: None,
        ..Config::default()
    });
    let outcome = runner.run(&asks(), |asked| {
        let (single, batched) = &mut *worlds.borrow_mut();
        let asked = [opening(), asked].concat();
        runtime.block_on(async {
            single.clear().await;
            batched.clear().await;
            let (given, expected): (Vec<_>, Vec<_>) = one_by_one(single, &asked).await.into_iter().unzip();
            accepted.set(accepted.get() + expected.iter().filter(|answer| answer.is_ok()).count());
            let answers = batched.writer.execute_together(given).await;
            assert_eq!(answers, expected);
            assert_eq!(batched.everything().await, single.everything().await);
            batched.check_fold().await;
        });
        Ok(())
    });
    if let Err(failure) = outcome {
        panic!("{failure}");
    }
    let accepted = accepted.get();
    assert!(accepted > 24 * 10, "hardly anything was accepted: {accepted}");
}
