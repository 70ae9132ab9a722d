//! Turns rows of PostgreSQL into answers of queries.
//! Never repairs a row: one that cannot be read is an error that says so.

use std::error::Error;

use serde::de::DeserializeOwned;
use time::OffsetDateTime;
use tokio_postgres::{
    Row,
    types::{FromSql, Json, Type},
};

use crate::{
    domain::{
        customer::Customer,
        order::Order,
        timestamp::{self, Timestamp},
        value::Currency,
    },
    error_chain::cause,
    json::JsonTree,
    read::{
        store::StoreError,
        view::{DaySales, HistoryEvent, OrderRow, ProductView, Versioned},
    },
};

/// Bytes of a column's value, whatever they mean.
struct AnyValue;

impl<'a> FromSql<'a> for AnyValue {
    fn from_sql(_: &Type, _: &'a [u8]) -> Result<Self, Box<dyn Error + Sync + Send>> {
        Ok(Self)
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}

/// False for the row of nulls that an outer join makes where it finds nothing.
pub(super) fn is_something(row: &Row) -> bool {
    matches!(row.try_get::<_, Option<AnyValue>>(0), Ok(Some(AnyValue)))
}

/// A column's value.
fn get<'a, T: FromSql<'a>>(row: &'a Row, column: &str) -> Result<T, StoreError> {
    row.try_get(column).map_err(|error| unreadable(column, error))
}

/// A column's JSON.
fn get_json<T: DeserializeOwned>(row: &Row, column: &str) -> Result<T, StoreError> {
    let Json(json): Json<JsonTree> = get(row, column)?;
    T::deserialize(json).map_err(|error| unreadable(column, error))
}

fn unreadable(column: &str, error: impl Into<Box<dyn Error + Send + Sync>>) -> StoreError {
    StoreError::Unreadable {
        what: format!("in column {column} of a row"),
        source: cause(error),
    }
}

/// A sum, which came as text.
fn sum(row: &Row, column: &str) -> Result<i128, StoreError> {
    let text: &str = get(row, column)?;
    text.parse()
        .map_err(|error| unreadable(column, format!("{text}: {error}")))
}

fn version(row: &Row) -> Result<String, StoreError> {
    Ok(get::<i64>(row, "version")?.to_string())
}

pub(super) fn order(row: &Row) -> Result<Versioned<Order>, StoreError> {
    Ok(Versioned {
        value: get_json(row, "state")?,
        etag: version(row)?,
        changed_at: Timestamp::try_from(get::<OffsetDateTime>(row, "changed_at")?).ok(),
    })
}

pub(super) fn order_row(row: &Row) -> Result<OrderRow, StoreError> {
    get_json(row, "row")
}

pub(super) fn history_event(row: &Row) -> Result<HistoryEvent, StoreError> {
    let at = Timestamp::try_from(get::<OffsetDateTime>(row, "occurred_at")?);
    Ok(HistoryEvent {
        version: get(row, "version")?,
        r#type: get(row, "type")?,
        at: at.map_err(|why| unreadable("occurred_at", why))?,
        data: timestamp::normalised(get(row, "data")?),
    })
}

pub(super) fn customer(row: &Row) -> Result<Versioned<Customer>, StoreError> {
    Ok(Versioned {
        value: get_json(row, "customer")?,
        etag: version(row)?,
        changed_at: Timestamp::try_from(get::<OffsetDateTime>(row, "changed_at")?).ok(),
    })
}

pub(super) fn product(row: &Row) -> Result<ProductView, StoreError> {
    Ok(ProductView {
        product: get_json(row, "product")?,
        available: get(row, "available")?,
        seq: get(row, "seq")?,
    })
}

pub(super) fn day_sales(row: &Row) -> Result<DaySales, StoreError> {
    let currency = Currency::try_from(get::<String>(row, "currency")?);
    Ok(DaySales {
        day: get(row, "day")?,
        currency: currency.map_err(|why| unreadable("currency", why.to_string()))?,
        paid_orders: get(row, "paid_orders")?,
        paid: sum(row, "paid")?,
        cancelled_orders: get(row, "cancelled_orders")?,
        cancelled: sum(row, "cancelled")?,
    })
}
