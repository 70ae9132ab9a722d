//! The way to a connection that can be used: to a server that leads, and a schema that is new enough.
//! Never waits: that is for the pool.

use tokio_postgres::Error;

use super::{
    connection::{PoolerMode, PostgresConnection},
    error::PostgresError,
    session::{self, IS_BARE},
    target::PostgresTarget,
};
use crate::error_chain::cause;

/// The oldest version of the database that will do, and the schema that says which version there is: a login role may see no other.
#[derive(Debug, Clone, Copy)]
pub enum NeededSchema {
    /// Of what commands and jobs write.
    WriteModel(i32),
    /// Of the tables that queries read.
    ReadModel(i32),
}

/// A standby that is reached after a failover refuses what is written and shows what is old: it is left at once, so that the
/// next try may find the new leader.
pub(super) async fn connect(
    target: &PostgresTarget,
    pooler: PoolerMode,
    needed: NeededSchema,
) -> Result<PostgresConnection, PostgresError> {
    let (schema, needed) = match needed {
        NeededSchema::WriteModel(version) => ("write_model", version),
        NeededSchema::ReadModel(version) => ("read_model", version),
    };
    let look = format!("select pg_is_in_recovery(), max(version), {IS_BARE} from {schema}.schema_version");
    let fault = |error: Error| match error.as_db_error() {
        Some(_) => PostgresError::Refused(error),
        None => PostgresError::Unreachable(cause(error)),
    };
    let connection = PostgresConnection::open(target, pooler).await?;
    let (found, is_bare) = match connection.query_one(&look, &[]).await {
        Ok(row) if row.try_get(0)? => return Err(PostgresError::Standby),
        Ok(row) => (
            row.try_get::<_, Option<i32>>(1)?.unwrap_or_default(),
            row.try_get(2)?,
        ),
        Err(error) => match fault(error) {
            // There is no such table, or no such schema: the database was never migrated.
            refused if matches!(refused.code(), Some("42P01" | "3F000")) => (0, false),
            other => return Err(other),
        },
    };
    if found < needed {
        return Err(PostgresError::OldSchema { found, needed });
    }
    if is_bare {
        session::complete(&connection, pooler).await.map_err(fault)?;
    }
    Ok(connection)
}
