//! Random histories of a small shop, asked of a writer in this process; and what folding their events gives.
//! Never says what must come of it: that is for the tests that use them.

use std::{collections::BTreeMap, sync::Arc};

use handler::{
    domain::{
        command::Command,
        customer::{self, CustomerCommand},
        event::Event,
        order::{self, OrderCommand},
        product::{self, ProductCommand},
        value,
    },
    postgres::PoolerMode,
    write::{
        CommandContext, CommandResult, IdempotencyKey, Preconditions, Versions, Writer, pool::CommandPool,
    },
};
use proptest::{
    collection::vec,
    option,
    prelude::{Strategy, any},
    prop_oneof,
};
use serde_json::{Value, json};
use time::{Duration, OffsetDateTime};
use tokio::sync::Notify;
use uuid::Uuid;

use crate::support::{Database, admin_url, connect};

/// What is asked for, in a small world: two customers, three products, four orders.
#[derive(Debug, Clone)]
pub(crate) enum Ask {
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

pub(crate) type Asked = (Ask, Option<u8>, Option<i64>);

pub(crate) fn asks() -> impl Strategy<Value = Vec<Asked>> {
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
pub(crate) fn opening() -> Vec<Asked> {
    let products = (0..3).flat_map(|sku| [Ask::Add(sku, 2), Ask::Restock(sku, 9)]);
    let asks = [Ask::Register(0)].into_iter().chain(products);
    asks.map(|ask| (ask, None, None)).collect()
}

pub(crate) fn id(kind: u128, n: u8) -> Uuid {
    Uuid::from_u128(kind << 64 | u128::from(n))
}

pub(crate) fn sku(n: usize) -> value::Sku {
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

pub(crate) fn command(ask: &Ask, totals: &BTreeMap<Uuid, i64>) -> Command {
    let text = |text: &str| text.to_owned().try_into().unwrap();
    let customer = |n, command| Command::Customer(id(1, n), command);
    let product = |n: u8, command| Command::Product(sku(n.into()), command);
    match ask.clone() {
        Ask::Register(n) => {
            let email = "ada@example.org".to_owned().try_into().unwrap();
            let name = text("Ada");
            customer(n, CustomerCommand::Register { name, email })
        }
        Ask::Rename(n) => {
            let name = text("Countess");
            customer(n, CustomerCommand::Rename { name })
        }
        Ask::Add(n, price) => {
            let (name, price) = (text("Thing"), money(price).try_into().unwrap());
            product(n, ProductCommand::Add { name, price })
        }
        Ask::Price(n, price) => {
            let price = money(price).try_into().unwrap();
            product(n, ProductCommand::ChangePrice { price })
        }
        Ask::Restock(n, pieces) => {
            let quantity = pieces.try_into().unwrap();
            product(n, ProductCommand::Restock { quantity })
        }
        Ask::Place(n, ..)
        | Ask::Change(n, _)
        | Ask::Pay(n, _)
        | Ask::Ship(n)
        | Ask::Deliver(n)
        | Ask::Cancel(n) => {
            let total = totals.get(&id(2, n)).copied().unwrap_or(1);
            Command::Order(id(2, n), order_command(ask, total))
        }
    }
}

fn order_command(ask: &Ask, total: i64) -> OrderCommand {
    let text = |text: &str| text.to_owned().try_into().unwrap();
    match ask.clone() {
        Ask::Place(_, customer, pieces, expected) => OrderCommand::Place {
            customer: id(1, customer),
            lines: wanted(&pieces),
            expected_total: expected.map(money),
        },
        Ask::Change(_, pieces) => OrderCommand::ChangeLines {
            lines: wanted(&pieces),
            expected_total: None,
        },
        Ask::Pay(_, right) => OrderCommand::Pay {
            amount: money(if right { total } else { total + 1 }),
        },
        Ask::Ship(_) => {
            let shipment = order::Shipment {
                carrier: text("Post"),
                tracking_number: text("1Z"),
            };
            OrderCommand::Ship { shipment }
        }
        Ask::Deliver(_) => OrderCommand::Deliver,
        other => {
            assert!(matches!(other, Ask::Cancel(_)), "{other:?}");
            let reason = "changed my mind".to_owned().try_into().unwrap();
            OrderCommand::Cancel { reason }
        }
    }
}

pub(crate) fn context(n: usize, (ask, key, version): &Asked) -> CommandContext {
    let idempotency_key = |key: &u8| IdempotencyKey {
        key: format!("key-{key}"),
        fingerprint: format!("{ask:?}"),
    };
    CommandContext {
        event_id: Uuid::from_u128(3 << 64 | n as u128),
        at: (OffsetDateTime::UNIX_EPOCH + Duration::hours(5 * n as i64))
            .try_into()
            .unwrap(),
        caller: "tester".to_owned(),
        only: None,
        traceparent: None,
        preconditions: Preconditions {
            matches: version.map(|version| Versions::OneOf(vec![version])),
            ..Preconditions::default()
        },
        idempotency_key: key.as_ref().map(idempotency_key),
    }
}

/// What folding the events of all aggregates gives.
#[derive(Default)]
pub(crate) struct Folded {
    pub(crate) orders: BTreeMap<Uuid, order::Order>,
    pub(crate) customers: BTreeMap<Uuid, customer::Customer>,
    pub(crate) products: BTreeMap<String, product::Product>,
}

/// A database with a writer of its own.
pub(crate) struct World {
    pub(crate) database: Database,
    pub(crate) writer: Writer,
    pub(crate) owner: tokio_postgres::Client,
}

impl World {
    pub(crate) async fn new() -> Self {
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
    pub(crate) async fn clear(&mut self) {
        let clear =
            "truncate write_model.customers, write_model.products, write_model.stock, write_model.orders,
            write_model.order_lines, write_model.events, write_model.outbox, write_model.idempotency_keys,
            read_model.order_summary, read_model.sales, read_model.sales_unsummed restart identity";
        self.owner.batch_execute(clear).await.unwrap();
        self.writer = self.database.writer();
    }

    pub(crate) async fn json(&self, sql: &str) -> Value {
        let sql = format!("select coalesce(jsonb_agg(to_jsonb(x)), '[]') from ({sql}) x");
        self.owner.query_one(&sql, &[]).await.unwrap().get(0)
    }

    pub(crate) async fn totals(&self) -> BTreeMap<Uuid, i64> {
        let rows = self
            .owner
            .query("select id, total from write_model.orders", &[])
            .await
            .unwrap();
        rows.iter().map(|row| (row.get(0), row.get(1))).collect()
    }

    /// Folds the events; each event's state must be what its fold gives, and an order's total the sum of its lines.
    pub(crate) async fn folded(&self) -> Folded {
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
            let event = Event::from_parts(row["type"].as_str().unwrap(), &row["data"]).unwrap();
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
}

impl Database {
    /// A writer in this process.
    fn writer(&self) -> Writer {
        Writer::start(
            CommandPool::new(self.target(), PoolerMode::None, 1),
            1,
            Arc::new(Notify::new()),
        )
    }
}

/// Asks one by one; returns the commands as they were given, and their answers.
pub(crate) async fn one_by_one(
    world: &World,
    asked: &[Asked],
) -> Vec<((Command, CommandContext), CommandResult)> {
    let mut done = Vec::new();
    for (n, ask) in asked.iter().enumerate() {
        let given = (command(&ask.0, &world.totals().await), context(n, ask));
        let answer = world.writer.execute_together(vec![given.clone()]).await.remove(0);
        done.push((given, answer));
    }
    done
}
