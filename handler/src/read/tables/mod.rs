//! The read model in PostgreSQL: answers queries from the schema `read_model` and the event log.
//! Never writes, but for having sales summed up, and never shows half-filled tables: then it answers with an error.

mod probe;
mod rows;
pub mod statements;

use std::{collections::HashMap, sync::Arc, time::Instant};

use time::Date;
use tokio_postgres::Row;
use uuid::Uuid;

pub use probe::probe;

use super::{
    store::StoreError,
    view::{DaySales, HistoryEvent, OrderRow, Page, PageRequest, ProductView, Versioned},
};
use crate::{
    condition::StoreCondition,
    domain::{
        customer::Customer,
        order::{Order, OrderStatus},
        value::Sku,
    },
    error_chain::cause,
    postgres::{
        ConnectionPool, NeededSchema, PoolerMode, PostgresError, PostgresTarget, PreparedStatement,
        SqlParameters,
    },
};

/// The oldest schema whose read model has all that is read here.
pub const NEEDED_SCHEMA: NeededSchema = NeededSchema::ReadModel(8);
/// Connections of this process for queries.
const CONNECTIONS: usize = 2;
/// The read model in PostgreSQL.
#[derive(Debug)]
pub struct TableReadModel {
    pool: ConnectionPool<PreparedStatements>,
}

/// Statements prepared on a connection, by their SQL.
#[derive(Debug, Default)]
struct PreparedStatements(HashMap<&'static str, PreparedStatement>);

impl TableReadModel {
    /// Connects when first used.
    #[must_use]
    pub fn new(target: PostgresTarget, pooler: PoolerMode) -> Self {
        Self {
            pool: ConnectionPool::for_schema(NEEDED_SCHEMA, target, CONNECTIONS).through(pooler),
        }
    }

    /// Reports its troubles to this condition.
    #[must_use]
    pub fn reporting_to(self, condition: &Arc<StoreCondition>) -> Self {
        let pool = self.pool.reporting_to(condition);
        Self { pool }
    }

    /// One order.
    ///
    /// # Errors
    /// [`StoreError::Away`] or [`StoreError::Refused`], here and below.
    pub async fn order(&self, id: Uuid) -> Result<Option<Versioned<Order>>, StoreError> {
        let found = self.kept_rows(statements::ORDER, &[&id]).await?;
        found.first().map(rows::order).transpose()
    }

    /// An order's events by version.
    ///
    /// # Errors
    /// See [`Self::order`].
    pub async fn history(
        &self,
        id: Uuid,
        request: &PageRequest<i64>,
    ) -> Result<Page<HistoryEvent>, StoreError> {
        let (stream, after) = (id.to_string(), request.after.unwrap_or(0));
        let parameters: SqlParameters<'_> = &[&stream, &after, &one_more(request)];
        let found = self.rows(statements::HISTORY, parameters).await?;
        page(request, &found, rows::history_event)
    }

    /// One customer.
    ///
    /// # Errors
    /// See [`Self::order`].
    pub async fn customer(&self, id: Uuid) -> Result<Option<Versioned<Customer>>, StoreError> {
        let found = self.rows(statements::CUSTOMER, &[&id]).await?;
        found.first().map(rows::customer).transpose()
    }

    /// A customer's orders, newest first.
    ///
    /// # Errors
    /// See [`Self::order`].
    pub async fn customer_orders(
        &self,
        customer: Uuid,
        status: Option<OrderStatus>,
        request: &PageRequest<Uuid>,
    ) -> Result<Page<OrderRow>, StoreError> {
        let (before, limit) = (request.after.unwrap_or(Uuid::max()), one_more(request));
        let found = match status {
            None => {
                let parameters: SqlParameters<'_> = &[&customer, &before, &limit];
                self.kept_rows(statements::CUSTOMER_ORDERS, parameters).await?
            }
            Some(status) => {
                let parameters: SqlParameters<'_> = &[&customer, &before, &limit, &status.name()];
                self.kept_rows(statements::CUSTOMER_ORDERS_BY_STATUS, parameters)
                    .await?
            }
        };
        page(request, &found, rows::order_row)
    }

    /// Everybody's orders, newest first.
    ///
    /// # Errors
    /// See [`Self::order`].
    pub async fn orders(
        &self,
        status: Option<OrderStatus>,
        request: &PageRequest<Uuid>,
    ) -> Result<Page<OrderRow>, StoreError> {
        let (before, limit) = (request.after.unwrap_or(Uuid::max()), one_more(request));
        let found = match status {
            None => self.kept_rows(statements::ORDERS, &[&before, &limit]).await?,
            Some(status) => {
                let parameters: SqlParameters<'_> = &[&before, &limit, &status.name()];
                self.kept_rows(statements::ORDERS_BY_STATUS, parameters).await?
            }
        };
        page(request, &found, rows::order_row)
    }

    /// One product with what is left of it.
    ///
    /// # Errors
    /// See [`Self::order`].
    pub async fn product(&self, sku: &Sku) -> Result<Option<Versioned<ProductView>>, StoreError> {
        let found = self.rows(statements::PRODUCT, &[&sku.as_str()]).await?;
        let product = found.first().map(rows::product).transpose()?;
        Ok(product.map(|value| Versioned {
            etag: format!("{}-{}", value.product.version, value.seq),
            value,
            changed_at: None,
        }))
    }

    /// The catalogue by SKU, in the order of its bytes.
    ///
    /// # Errors
    /// See [`Self::order`].
    pub async fn products(&self, request: &PageRequest<Sku>) -> Result<Page<ProductView>, StoreError> {
        let after = request.after.as_ref().map_or("", Sku::as_str);
        let found = self
            .rows(statements::PRODUCTS, &[&after, &one_more(request)])
            .await?;
        page(request, &found, rows::product)
    }

    /// Sales from the first to the last of these days, by day and currency.
    ///
    /// # Errors
    /// See [`Self::order`].
    pub async fn sales(&self, from: Date, to: Date) -> Result<Vec<DaySales>, StoreError> {
        let found = self.kept_rows(statements::SALES, &[&from, &to]).await?;
        found.iter().map(rows::day_sales).collect()
    }

    /// Adds what was sold since the last time to the sums, in small steps until it is late; how many sales those were.
    ///
    /// # Errors
    /// The database cannot be reached; the next call goes on.
    pub async fn sum_up_sales(&self, until: Instant) -> Result<i64, PostgresError> {
        let mut sales = 0;
        while Instant::now() < until {
            let found = self.query(statements::SUM_UP, &[]).await?;
            match found.first().map_or(Ok(0), |row| row.try_get(0))? {
                0 => break,
                more => sales += more,
            }
        }
        Ok(sales)
    }

    /// Rows of what `handler migrate --read-model postgres` keeps: of a join with `filled`, which has one row as long as that
    /// is so, and then the row of nothing where nothing is found.
    async fn kept_rows(
        &self,
        sql: &'static str,
        parameters: SqlParameters<'_>,
    ) -> Result<Vec<Row>, StoreError> {
        let mut found = self.rows(sql, parameters).await?;
        if found.is_empty() {
            let why = "nobody keeps the read model: run `handler migrate --read-model postgres`";
            return Err(StoreError::away(why));
        }
        found.retain(rows::is_something);
        Ok(found)
    }

    /// Rows of one statement. Reading can be done again, so a connection that has become useless is tried once each.
    async fn rows(&self, sql: &'static str, parameters: SqlParameters<'_>) -> Result<Vec<Row>, StoreError> {
        for _ in 0..CONNECTIONS {
            match self.query(sql, parameters).await {
                Err(fault) if fault.is_outdated() || matches!(fault, PostgresError::Lost(_)) => {}
                answer => return Ok(answer?),
            }
        }
        Ok(self.query(sql, parameters).await?)
    }

    async fn query(
        &self,
        sql: &'static str,
        parameters: SqlParameters<'_>,
    ) -> Result<Vec<Row>, PostgresError> {
        let mut lease = self.pool.acquire().await?;
        lease
            .run(async |connection, PreparedStatements(prepared)| {
                let statement = match prepared.get(sql) {
                    Some(known) => known,
                    None => {
                        let new = connection.prepare(sql).await?;
                        prepared.entry(sql).or_insert(new)
                    }
                };
                connection.query_prepared(statement, parameters).await
            })
            .await
            .inspect(|_| self.pool.report_success())
    }
}

impl From<PostgresError> for StoreError {
    fn from(fault: PostgresError) -> Self {
        if fault.is_transient() {
            Self::away(fault)
        } else {
            Self::Refused(cause(fault))
        }
    }
}

/// One row more than is asked for shows whether there are more.
fn one_more<K>(request: &PageRequest<K>) -> i64 {
    i64::try_from(request.limit).unwrap_or(i64::MAX - 1) + 1
}

fn page<K, T>(
    request: &PageRequest<K>,
    rows: &[Row],
    read: impl Fn(&Row) -> Result<T, StoreError>,
) -> Result<Page<T>, StoreError> {
    let items = rows.iter().map(read).collect::<Result<_, _>>()?;
    Ok(request.page(items))
}
