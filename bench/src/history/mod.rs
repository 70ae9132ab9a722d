//! The history of a shop, made by a handler over PostgreSQL: orders of three lines, placed, paid and sent off, as the
//! messages that they become. Never sends them: the outbox is read in the bus's place.

mod shop;
mod size;

use std::path::Path;

use anyhow::{Context as _, Result};
use devstack::postgres::Durability;
use handler::{
    bus::SendReport,
    config::Config,
    relay::{DrainOutcome, Outbox, OutboxEntry, OutboxStore},
};

use crate::{database::Database, handler::Handler, messages::invocation};
use shop::Shop;
use size::REGULARS;
pub(crate) use size::Size;

/// The events as requests to `/ProjectEvent`, each kind in the order of the log.
#[derive(Debug, Default)]
pub(crate) struct History {
    /// Customers and products.
    pub(crate) catalogue: Vec<Vec<u8>>,
    pub(crate) placed: Vec<Vec<u8>>,
    pub(crate) paid: Vec<Vec<u8>>,
    pub(crate) shipped: Vec<Vec<u8>>,
    /// Ids of all orders.
    pub(crate) orders: Vec<String>,
    /// Ids of the customers with the most orders.
    pub(crate) regulars: Vec<String>,
}

/// Lets it happen; the log that holds it, the customers' ids and the orders'.
pub(crate) async fn happened(binary: &Path, size: Size) -> Result<(Database, Vec<String>, Vec<String>)> {
    let database = Database::empty(binary, Durability::Off).await?;
    let handler = Handler::start(binary, &database.app_settings())?;
    let shop = Shop(handler.address());
    let customers = shop.open(size).await?;
    let orders = shop.sell(size, &customers).await?;
    Ok((database, customers, orders))
}

impl History {
    /// Lets it happen, and reads what it left in the outbox.
    pub(crate) async fn make(binary: &Path, size: Size) -> Result<Self> {
        let (database, customers, orders) = happened(binary, size).await?;
        let settings = database.app_settings();
        let config = Config::from_environment(&settings)?;
        let mut history = Self {
            orders,
            regulars: customers.into_iter().take(REGULARS).collect(),
            ..Self::default()
        };
        let outbox = Outbox::new(config.postgres.context("no PG settings")?);
        history.read(&outbox).await?;
        Ok(history)
    }

    /// The number of orders that each of the regulars has at least.
    pub(crate) fn least(&self) -> usize {
        self.orders.len() / 4 / REGULARS
    }

    /// All of it as one flow: each order is paid a quarter of them later than it is placed, and sent off as much later
    /// again.
    pub(crate) fn mixed(&self) -> Vec<Vec<u8>> {
        let later = self.placed.len() / 4;
        let kinds = [&self.placed, &self.paid, &self.shipped];
        let at = |step: usize| {
            let each = kinds.into_iter().enumerate();
            each.filter_map(move |(kind, all)| all.get(step.checked_sub(kind * later)?).cloned())
        };
        (0..self.placed.len() + 2 * later).flat_map(at).collect()
    }

    async fn read(&mut self, outbox: &Outbox) -> Result<()> {
        loop {
            let mut read = Ok(());
            let drained = outbox.drain(async |rows| {
                read = rows.iter().try_for_each(|row| self.add(row));
                let sent = rows.iter().map(|row| row.position).collect();
                SendReport {
                    sent,
                    ..SendReport::default()
                }
            });
            let drained = drained
                .await
                .map_err(|fault| anyhow::anyhow!("the outbox: {fault}"))?;
            read?;
            if !matches!(drained, DrainOutcome::Drained(_)) {
                return Ok(());
            }
        }
    }

    fn add(&mut self, row: &OutboxEntry) -> Result<()> {
        let kind = match row.event.kind.as_str() {
            "orders.OrderPlaced.v1" => &mut self.placed,
            "orders.OrderPaid.v1" => &mut self.paid,
            "orders.OrderShipped.v1" => &mut self.shipped,
            _ => &mut self.catalogue,
        };
        kind.push(invocation(&row.event, row.position)?);
        Ok(())
    }
}
