//! The read model in PostgreSQL: what queries ask, answered from the schema `read_model` and the event log.
//! Never writes, but for having sales brought up to date; and never shows a part for all when nobody keeps the tables.

mod rows;
pub mod statements;

use std::{collections::HashMap, time::Duration};

use time::Date;
use tokio_postgres::{Config, Row, Statement, types::ToSql};
use uuid::Uuid;

use super::{
    store::StoreError,
    view::{DaySales, HistoryEvent, OrderRow, Page, ProductView, Seen, Slice},
};
use crate::{
    domain::{
        customer::Customer,
        order::{Order, Status},
        value::Sku,
    },
    postgres::{Fault, Pool},
};

/// The oldest schema with a read model in it.
const NEEDED_SCHEMA: i32 = 4;
/// Connections of this process for queries.
const CONNECTIONS: usize = 2;
/// Longest that bringing sales up to date may take; a little more than its statement_timeout.
const REFRESHING: Duration = Duration::from_secs(63);

/// The read model in PostgreSQL.
#[derive(Debug)]
pub struct Tables {
    pool: Pool<Prepared>,
}

/// What is prepared on a connection, by its SQL.
#[derive(Debug, Default)]
struct Prepared(HashMap<&'static str, Statement>);

impl Tables {
    /// Connects when first used.
    #[must_use]
    pub fn new(config: Config) -> Self {
        Self {
            pool: Pool::of_schema(NEEDED_SCHEMA, config, CONNECTIONS),
        }
    }

    /// One order.
    ///
    /// # Errors
    /// [`StoreError::Away`] or [`StoreError::Refused`], here and below.
    pub async fn order(&self, id: Uuid) -> Result<Option<Seen<Order>>, StoreError> {
        let found = self.kept(statements::ORDER, &[&id]).await?;
        found.first().map(rows::order).transpose()
    }

    /// An order's events by version.
    ///
    /// # Errors
    /// See [`Self::order`].
    pub async fn history(&self, id: Uuid, slice: &Slice<i64>) -> Result<Page<HistoryEvent>, StoreError> {
        let parameters: [&(dyn ToSql + Sync); 3] =
            [&id.to_string(), &slice.after.unwrap_or(0), &one_more(slice)];
        let found = self.rows(statements::HISTORY, &parameters).await?;
        page(slice, &found, rows::history_event)
    }

    /// One customer.
    ///
    /// # Errors
    /// See [`Self::order`].
    pub async fn customer(&self, id: Uuid) -> Result<Option<Seen<Customer>>, StoreError> {
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
        status: Option<Status>,
        slice: &Slice<Uuid>,
    ) -> Result<Page<OrderRow>, StoreError> {
        let (before, limit) = (slice.after.unwrap_or(Uuid::max()), one_more(slice));
        let found = match status {
            None => {
                let parameters: [&(dyn ToSql + Sync); 3] = [&customer, &before, &limit];
                self.kept(statements::CUSTOMER_ORDERS, &parameters).await?
            }
            Some(status) => {
                let parameters: [&(dyn ToSql + Sync); 4] = [&customer, &before, &limit, &status.name()];
                self.kept(statements::CUSTOMER_ORDERS_BY_STATUS, &parameters)
                    .await?
            }
        };
        page(slice, &found, rows::order_row)
    }

    /// Everybody's orders, newest first.
    ///
    /// # Errors
    /// See [`Self::order`].
    pub async fn orders(
        &self,
        status: Option<Status>,
        slice: &Slice<Uuid>,
    ) -> Result<Page<OrderRow>, StoreError> {
        let (before, limit) = (slice.after.unwrap_or(Uuid::max()), one_more(slice));
        let found = match status {
            None => self.kept(statements::ORDERS, &[&before, &limit]).await?,
            Some(status) => {
                let parameters: [&(dyn ToSql + Sync); 3] = [&before, &limit, &status.name()];
                self.kept(statements::ORDERS_BY_STATUS, &parameters).await?
            }
        };
        page(slice, &found, rows::order_row)
    }

    /// One product with what is left of it.
    ///
    /// # Errors
    /// See [`Self::order`].
    pub async fn product(&self, sku: &Sku) -> Result<Option<Seen<ProductView>>, StoreError> {
        let found = self.rows(statements::PRODUCT, &[&sku.as_str()]).await?;
        let product = found.first().map(rows::product).transpose()?;
        Ok(product.map(|value| Seen {
            etag: format!("{}-{}", value.product.version, value.seq),
            value,
            changed_at: None,
        }))
    }

    /// The catalogue by SKU, in the order of its bytes.
    ///
    /// # Errors
    /// See [`Self::order`].
    pub async fn products(&self, slice: &Slice<Sku>) -> Result<Page<ProductView>, StoreError> {
        let after = slice.after.as_ref().map_or("", Sku::as_str);
        let found = self
            .rows(statements::PRODUCTS, &[&after, &one_more(slice)])
            .await?;
        page(slice, &found, rows::product)
    }

    /// What was sold from the first to the last of these days, by day and currency.
    ///
    /// # Errors
    /// See [`Self::order`].
    pub async fn sales(&self, from: Date, to: Date) -> Result<Vec<DaySales>, StoreError> {
        // Sales that were never summed up cannot even be asked for.
        self.check_kept().await?;
        let found = self.rows(statements::SALES, &[&from, &to]).await?;
        found.iter().map(rows::day_sales).collect()
    }

    /// Brings sales up to date; readers see the old sums meanwhile.
    ///
    /// # Errors
    /// See [`Self::order`].
    pub async fn refresh_sales(&self) -> Result<(), StoreError> {
        let mut lease = self.pool.lease().await?;
        // It reads all that was ever paid or cancelled, which takes longer than a query may.
        lease.begin("begin; set local statement_timeout = '60s'").await?;
        lease
            .ask_within(REFRESHING, async |client, _| {
                client.batch_execute("select read_model.refresh_sales()").await
            })
            .await?;
        Ok(lease.end("commit").await?)
    }

    /// True when a connection answers now, and the tables are kept.
    pub async fn answers(&self) -> bool {
        self.pool.finds(statements::FILLED).await
    }

    /// Rows of what `handler migrate --read-model postgres` keeps. That there are none is only believed when it is kept.
    async fn kept(
        &self,
        sql: &'static str,
        parameters: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<Row>, StoreError> {
        let found = self.rows(sql, parameters).await?;
        if found.is_empty() {
            self.check_kept().await?;
        }
        Ok(found)
    }

    async fn check_kept(&self) -> Result<(), StoreError> {
        if !self.rows(statements::FILLED, &[]).await?.is_empty() {
            return Ok(());
        }
        Err(StoreError::Away {
            why: "nobody keeps the read model: run `handler migrate --read-model postgres`".to_owned(),
            retry_after: None,
        })
    }

    /// Rows of one statement. Reading can be done again, so a connection that has become useless is tried once each.
    async fn rows(
        &self,
        sql: &'static str,
        parameters: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<Row>, StoreError> {
        for _ in 0..CONNECTIONS {
            match self.ask(sql, parameters).await {
                Err(fault) if fault.is_outdated() || matches!(fault, Fault::Lost(_)) => {}
                answer => return Ok(answer?),
            }
        }
        Ok(self.ask(sql, parameters).await?)
    }

    async fn ask(&self, sql: &'static str, parameters: &[&(dyn ToSql + Sync)]) -> Result<Vec<Row>, Fault> {
        let mut lease = self.pool.lease().await?;
        lease
            .ask(async |client, Prepared(prepared)| {
                let statement = match prepared.get(sql) {
                    Some(known) => known,
                    None => {
                        let new = client.prepare(sql).await?;
                        prepared.entry(sql).or_insert(new)
                    }
                };
                client.query(statement, parameters).await
            })
            .await
    }
}

impl From<Fault> for StoreError {
    fn from(fault: Fault) -> Self {
        let why = fault.to_string();
        if fault.passes() {
            Self::Away {
                why,
                retry_after: None,
            }
        } else {
            Self::Refused(why)
        }
    }
}

/// One row more than is asked for shows whether there are more.
fn one_more<K>(slice: &Slice<K>) -> i64 {
    i64::try_from(slice.limit).unwrap_or(i64::MAX - 1) + 1
}

fn page<K, T>(
    slice: &Slice<K>,
    rows: &[Row],
    read: impl Fn(&Row) -> Result<T, StoreError>,
) -> Result<Page<T>, StoreError> {
    let items = rows.iter().map(read).collect::<Result<_, _>>()?;
    Ok(slice.page(items))
}
