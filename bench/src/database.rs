//! The database: a PostgreSQL of our own; where it is measured, with stock durability, a full shop, and the same start
//! for every run.
//! Never changes the schema; `handler migrate` does.

use std::{collections::BTreeMap, path::Path};

use anyhow::{Context as _, Result, ensure};
use devstack::postgres::{Durability, Server};
use tokio_postgres::{Client, NoTls};

use crate::{handler, shop};

/// The role that the handler and pgbench connect as, and its password: it guards nothing beyond this machine.
pub(crate) const ROLE: &str = "orders_app";
const DATABASE: &str = "orders";

/// The server, and the owner's connection to its database.
pub(crate) struct Database {
    pub(crate) server: Server,
    pub(crate) owner: Client,
}

/// The rows that a run must have left behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Expected {
    pub(crate) orders: usize,
    pub(crate) events: usize,
    pub(crate) outbox: usize,
    pub(crate) keys: usize,
    /// Pieces taken out of stock.
    pub(crate) pieces: usize,
}

impl Database {
    /// Starts a server with stock durability, and fills the shop.
    pub(crate) async fn start(binary: &Path) -> Result<Self> {
        let database = Self::empty(binary, Durability::Stock).await?;
        database.owner.batch_execute(&shop::stock_up()).await?;
        Ok(database)
    }

    /// Starts a server with the schema and nothing in it.
    pub(crate) async fn empty(binary: &Path, durability: Durability) -> Result<Self> {
        let server = Server::start_with(0, durability).context("PostgreSQL")?;
        connect(&server.admin_url("postgres"))
            .await?
            .batch_execute(&format!("create database {DATABASE}"))
            .await?;
        let owner = connect(&server.admin_url(DATABASE)).await?;
        owner
            .batch_execute(&format!("create role {ROLE} login password '{ROLE}'"))
            .await?;
        let database = Self { server, owner };
        handler::migrate(binary, &database.settings("postgres", "postgres"), ROLE)?;
        Ok(database)
    }

    /// The handler's settings for its connection.
    pub(crate) fn app_settings(&self) -> BTreeMap<String, String> {
        self.settings(ROLE, ROLE)
    }

    /// A connection with the app's rights.
    pub(crate) async fn as_app(&self) -> Result<Client> {
        let address = self.server.address();
        connect(&format!("postgres://{ROLE}:{ROLE}@{address}/{DATABASE}")).await
    }

    /// The same start for every run: so many paid orders, full stock, fresh statistics, a checkpoint just done.
    ///
    /// The orders are never none: PostgreSQL plans for tables as small as they are when a statement is first run, and
    /// scans what was empty then.
    pub(crate) async fn reset(&self, paid: u64) -> Result<()> {
        let empty =
            "truncate write_model.orders, write_model.order_lines, write_model.events, write_model.outbox,
            write_model.idempotency_keys, read_model.order_summary, read_model.sales, read_model.sales_unsummed";
        let vacuum = "vacuum analyze write_model.orders, write_model.order_lines, write_model.events, write_model.outbox,
            write_model.idempotency_keys, write_model.customers, write_model.products, write_model.stock, read_model.order_summary";
        let restock = format!(
            "update write_model.stock set available = {}, seq = 0",
            shop::PIECES
        );
        let orders = shop::paid_orders(paid);
        for sql in [empty, &restock, &orders, vacuum, "checkpoint"] {
            self.owner.batch_execute(sql).await?;
        }
        Ok(())
    }

    /// Lets the log have taken so many days until now, instead of minutes: positions are what time goes by.
    pub(crate) async fn spread(&self, days: u32) -> Result<()> {
        let sql = format!(
            "update write_model.events
            set occurred_at = occurred_at - make_interval(days => ({days} * (last - position) / last)::int)
            from (select max(position) as last from write_model.events) as log"
        );
        Ok(self.owner.batch_execute(&sql).await?)
    }

    /// Turns the trigger of READ_MODEL=postgres on or off, which is all that a command notices of it.
    pub(crate) async fn keep_tables(&self, on: bool) -> Result<()> {
        let what = if on { "enable" } else { "disable" };
        let sql = format!("alter table write_model.events {what} trigger keep_orders");
        Ok(self.owner.batch_execute(&sql).await?)
    }

    /// Counts what is there. A system that answered quicker because it did less is found out here.
    pub(crate) async fn check(&self, expected: Expected) -> Result<()> {
        let count = "select (select count(*) from write_model.orders), (select count(*) from write_model.order_lines),
            (select count(*) from write_model.events), (select count(*) from write_model.outbox),
            (select count(*) from write_model.idempotency_keys),
            (select $1::bigint * count(*) - sum(available)::bigint from write_model.stock)";
        let row = self.owner.query_one(count, &[&shop::PIECES]).await?;
        let mut found = [0_i64; 6];
        for (column, number) in found.iter_mut().enumerate() {
            *number = row.try_get(column)?;
        }
        let Expected {
            orders,
            events,
            outbox,
            keys,
            pieces,
        } = expected;
        let wanted = [orders, 3 * orders, events, outbox, keys, pieces];
        ensure!(
            found.map(usize::try_from) == wanted.map(Ok),
            "orders, lines, events, outbox rows, keys and pieces sold are {found:?}, and should be {wanted:?}"
        );
        Ok(())
    }

    fn settings(&self, user: &str, password: &str) -> BTreeMap<String, String> {
        let pairs = [
            ("PGHOST", "127.0.0.1".to_owned()),
            ("PGPORT", self.server.address().port().to_string()),
            ("PGUSER", user.to_owned()),
            ("PGPASSWORD", password.to_owned()),
            ("PGDATABASE", DATABASE.to_owned()),
            ("PGSSLMODE", "disable".to_owned()),
        ];
        pairs.map(|(name, value)| (name.to_owned(), value)).into()
    }
}

async fn connect(url: &str) -> Result<Client> {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
    tokio::spawn(connection);
    Ok(client)
}
