//! Finds out which statement the handler sends, by asking it for one command while PostgreSQL logs its statements.
//! Never holds SQL of the handler: whatever it sends, with whatever parameters, is what pgbench will send.

use std::{fs, path::Path};

use anyhow::{Context as _, Result};
use serde_json::Value;

use crate::{
    client::Connection,
    database::{Database, ROLE},
    handler::Handler,
    requests::{self, Workload},
    script::{self, Fresh, UUID_V4, UUID_V7},
    server_log::{self, Statement},
    shop::{self, HOT, ORDER_PREFIX, SHELVES, SKU_PREFIX},
};

/// The products of the captured order: not the first ones, whose names could be elsewhere in the statement.
const PRODUCTS: [u64; 3] = [1111, 1444, 1777];

/// pgbench scripts for every workload.
#[derive(Debug)]
pub(crate) struct Scripts {
    plain: Captured,
    keyed: Captured,
    shipment: Captured,
}

/// A statement that was sent, and what in it must be another each time.
#[derive(Debug)]
struct Captured {
    statement: Statement,
    types: Vec<String>,
    fresh: Vec<Fresh>,
}

impl Scripts {
    /// Asks a handler of its own for two orders with a key, two without, and two shipments; the second of each is
    /// taken, because the first may still have to read what it caches.
    pub(crate) async fn capture(database: &Database, binary: &Path) -> Result<Self> {
        let log = |verb: &str| format!("alter role {ROLE} {verb}");
        let owner = &database.owner;
        owner.batch_execute(&log("set log_statement = 'all'")).await?;
        owner
            .batch_execute(&log("set log_parameter_max_length = -1"))
            .await?;
        let handler = Handler::start(binary, &database.app_settings())?;
        let mut client = Connection::open(handler.address()).await?;
        let (first, key) = ("bench-first-key", "bench-second-key");
        client.send(&requests::place(PRODUCTS, None)).await?;
        let plain = place(database, &mut client, None).await?;
        client.send(&requests::place(PRODUCTS, Some(first))).await?;
        let keyed = place(database, &mut client, Some(key)).await?;
        client.send(&requests::ship(0)).await?;
        let shipment = ship(database, &mut client).await?;
        drop(handler);
        owner.batch_execute(&log("reset log_statement")).await?;
        owner
            .batch_execute(&log("reset log_parameter_max_length"))
            .await?;
        Ok(Self {
            plain,
            keyed,
            shipment,
        })
    }

    /// The script for this workload; of prepared orders each client has `share`.
    pub(crate) fn script(&self, workload: Workload, share: u64) -> Result<String> {
        let Workload::Place { hot, keyed } = workload else {
            let number = format!("\\set i :client_id * {share} + :n");
            // `n` is 0 at first, and each client has its own.
            return self.shipment.script(&[&number, "\\set n :n + 1"]);
        };
        let first = if hot { (HOT, HOT) } else { SHELVES[0] };
        let [_, second, third] = SHELVES;
        let dice = [("a", first), ("b", second), ("c", third)]
            .map(|(name, (first, last))| format!("\\set {name} random({first}, {last})"));
        let captured = if keyed { &self.keyed } else { &self.plain };
        captured.script(&dice.each_ref().map(String::as_str))
    }
}

impl Captured {
    fn script(&self, meta: &[&str]) -> Result<String> {
        script::write(&self.statement, &self.types, &self.fresh, meta)
    }
}

async fn place(database: &Database, client: &mut Connection, key: Option<&str>) -> Result<Captured> {
    let from = log_length(database)?;
    let answer: Value = serde_json::from_slice(client.send(&requests::place(PRODUCTS, key)).await?)?;
    let order = answer["id"]
        .as_str()
        .context("an order without an id")?
        .to_owned();
    let event = event_of(database, &order).await?;
    let mut fresh = vec![(order, UUID_V7.to_owned()), (event, UUID_V7.to_owned())];
    for (product, variable) in PRODUCTS.into_iter().zip(["a", "b", "c"]) {
        fresh.push((shop::sku(product), format!("'{SKU_PREFIX}' || :{variable}::text")));
    }
    fresh.extend(key.map(|key| (key.to_owned(), UUID_V4.to_owned())));
    captured(database, from, fresh).await
}

async fn ship(database: &Database, client: &mut Connection) -> Result<Captured> {
    const NUMBER: u64 = 1;
    let from = log_length(database)?;
    client.send(&requests::ship(NUMBER)).await?;
    let order = shop::order_id(NUMBER);
    let event = event_of(database, &order).await?;
    let numbered = format!("'{ORDER_PREFIX}' || lpad(to_hex(:i::bigint), 12, '0')");
    captured(
        database,
        from,
        vec![(order, numbered), (event, UUID_V7.to_owned())],
    )
    .await
}

/// Id of the last event of this order.
async fn event_of(database: &Database, order: &str) -> Result<String> {
    let last =
        "select event_id::text from write_model.events where stream = $1 order by version desc limit 1";
    Ok(database.owner.query_one(last, &[&order]).await?.try_get(0)?)
}

fn log_length(database: &Database) -> Result<usize> {
    Ok(fs::read(database.server.log_file())?.len())
}

/// The writing statement among those logged from this byte on.
async fn captured(database: &Database, from: usize, fresh: Vec<(String, String)>) -> Result<Captured> {
    let log = fs::read(database.server.log_file())?;
    let log = String::from_utf8_lossy(log.get(from..).unwrap_or_default()).into_owned();
    let writes = |statement: &Statement| {
        statement.text.contains("write_model.outbox") && statement.text.contains("insert into")
    };
    let mut statements = server_log::statements(&log).into_iter().rev();
    let statement = statements
        .find(writes)
        .context("the handler sent no statement that writes to the outbox")?;
    // The types that PostgreSQL gives the parameters, casts or not.
    let prepared = database.as_app().await?.prepare(&statement.text).await?;
    let types = prepared
        .params()
        .iter()
        .map(|kind| format!("{}.{}", kind.schema(), kind.name()));
    Ok(Captured {
        types: types.collect(),
        statement,
        fresh: fresh.into_iter().map(|(was, sql)| Fresh { was, sql }).collect(),
    })
}
