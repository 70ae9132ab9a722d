//! Connections for commands: S1 and the shapes of S2 that were needed, prepared on each.
//! Never retries a statement.

use std::collections::{HashMap, hash_map::Entry};

use tokio_postgres::{
    Row,
    types::{Json, ToSql},
};
use uuid::Uuid;

use super::{
    change::ChangeSet,
    snapshot::{ReadSet, Snapshot},
    statement::{StatementShape, Template, WriteStatement},
};
use crate::{
    domain::{event::StockLevel, value::Sku},
    error_chain::cause,
    json::Strict,
    postgres::{
        self, NeededSchema, PoolerMode, PostgresError, PostgresTarget, PreparedStatement, SqlParameters,
    },
};

/// The oldest schema that commands run on; a newer one only ever adds to it.
pub const NEEDED_SCHEMA: NeededSchema = NeededSchema::WriteModel(3);

/// S1.
pub(super) const READ: &str = include_str!("read.sql");

/// Most shapes of S2 that a connection keeps prepared: each plan takes memory of the server. A shop needs some twenty.
const MOST_SHAPES: usize = 64;

/// Connections of this process for commands; opened when first needed.
pub type CommandPool = postgres::ConnectionPool<CommandStatements>;
/// One of them.
pub(super) type CommandConnection<'a> = postgres::PooledConnection<'a, CommandStatements>;

/// The statements that are prepared on a connection.
#[derive(Debug, Default)]
pub struct CommandStatements {
    read: Option<PreparedStatement>,
    /// S2 in the shapes that were needed so far.
    writes: HashMap<StatementShape, (WriteStatement, PreparedStatement)>,
}

impl CommandPool {
    /// A pool of at most `size` connections; opens none.
    #[must_use]
    pub fn new(target: PostgresTarget, pooler: PoolerMode, size: usize) -> Self {
        Self::for_schema(NEEDED_SCHEMA, target, size).through(pooler)
    }
}

impl CommandConnection<'_> {
    /// S1.
    pub(super) async fn read(&mut self, reads: &ReadSet) -> Result<Snapshot, PostgresError> {
        let ReadSet {
            orders,
            customers,
            skus,
            callers,
            keys,
            changed,
        } = reads;
        let changed: Vec<String> = changed.iter().map(ToString::to_string).collect();
        let parameters: SqlParameters<'_> = &[orders, customers, skus, callers, keys, &changed];
        let rows = self
            .run(async |connection, CommandStatements { read, .. }| {
                let prepared = match read {
                    Some(known) => known,
                    None => read.insert(connection.prepare(READ).await?),
                };
                connection.query_prepared(prepared, parameters).await
            })
            .await?;
        let [row] = rows.as_slice() else {
            return Err(PostgresError::Lost(cause(format!(
                "S1 has one row, and {} came",
                rows.len()
            ))));
        };
        Ok(Snapshot::from_row(row, reads)?)
    }

    /// S2; answers with the stock levels after it.
    pub(super) async fn write(
        &mut self,
        template: &Template,
        changes: &ChangeSet,
    ) -> Result<Vec<StockLevel>, PostgresError> {
        let shape = template.shape(changes);
        let rows = self
            .run(async |connection, CommandStatements { writes, .. }| {
                if writes.len() >= MOST_SHAPES && !writes.contains_key(&shape) {
                    writes.clear();
                }
                let (statement, prepared) = match writes.entry(shape) {
                    Entry::Occupied(known) => known.into_mut(),
                    Entry::Vacant(new) => {
                        let statement = template.statement(shape);
                        let prepared = connection.prepare(&statement.sql).await?;
                        new.insert((statement, prepared))
                    }
                };
                let values = statement.values(changes);
                let values: Vec<&(dyn ToSql + Sync)> = values.iter().map(|value| &**value as _).collect();
                connection.query_prepared(prepared, &values).await
            })
            .await?;
        rows.iter().map(level).collect()
    }

    /// Stock levels of those of these events that are in the log.
    pub(super) async fn stock_of(
        &mut self,
        events: &[Uuid],
    ) -> Result<HashMap<Uuid, Vec<StockLevel>>, PostgresError> {
        const FIND: &str =
            "select event_id, coalesce(stock, '[]') from write_model.events where event_id = any($1::uuid[])";
        let rows = self.query(FIND, &[&events]).await?;
        let entry = |row: &Row| {
            let Json(Strict(stock)) = row.try_get(1)?;
            Ok((row.try_get(0)?, stock))
        };
        rows.iter().map(entry).collect()
    }
}

/// A row of what S2 returns. It has happened by then: what cannot be read is a lost answer.
fn level(row: &Row) -> Result<StockLevel, PostgresError> {
    let lost = |error: tokio_postgres::Error| PostgresError::Lost(cause(error));
    let sku: String = row.try_get("sku").map_err(lost)?;
    Ok(StockLevel {
        sku: Sku::try_from(sku)
            .map_err(|why| PostgresError::Lost(cause(format!("a SKU that cannot be: {why}"))))?,
        available: row.try_get("available").map_err(lost)?,
        seq: row.try_get("seq").map_err(lost)?,
    })
}
