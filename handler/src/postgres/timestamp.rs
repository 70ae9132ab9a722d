//! Timestamps in columns of type `timestamptz`.
//! Never lets one out of a row that could not be written again: `infinity` is a time for PostgreSQL.

use std::error::Error;

use time::OffsetDateTime;
use tokio_postgres::types::{FromSql, Type};

use crate::domain::timestamp::Timestamp;

impl<'a> FromSql<'a> for Timestamp {
    fn from_sql(column: &Type, bytes: &'a [u8]) -> Result<Self, Box<dyn Error + Sync + Send>> {
        Ok(OffsetDateTime::from_sql(column, bytes)?.try_into()?)
    }

    fn accepts(column: &Type) -> bool {
        <OffsetDateTime as FromSql>::accepts(column)
    }
}
