//! The way to a connection that can be used: to a server that leads, and a schema that is new enough.
//! Never waits: that is for the pool.

use tokio_postgres::Error;

use super::{
    connection::{PoolerMode, PostgresConnection},
    error::PostgresError,
    target::PostgresTarget,
};
use crate::error_chain::cause;

/// A standby that is reached after a failover refuses what is written and shows what is old: it is left at once, so that the
/// next try may find the new leader.
pub(super) async fn connect(
    target: &PostgresTarget,
    pooler: PoolerMode,
    needed: i32,
) -> Result<PostgresConnection, PostgresError> {
    const LOOK: &str = "select pg_is_in_recovery(), max(version) from write_model.schema_version";
    let fault = |error: Error| match error.as_db_error() {
        Some(_) => PostgresError::Refused(error),
        None => PostgresError::Unreachable(cause(error)),
    };
    let connection = PostgresConnection::open(target, pooler).await?;
    let found = match connection.query_one(LOOK, &[]).await {
        Ok(row) if row.try_get(0)? => return Err(PostgresError::Standby),
        Ok(row) => row.try_get::<_, Option<i32>>(1)?.unwrap_or_default(),
        Err(error) => match fault(error) {
            // There is no such table, or no such schema: the database was never migrated.
            refused if matches!(refused.code(), Some("42P01" | "3F000")) => 0,
            other => return Err(other),
        },
    };
    if found < needed {
        return Err(PostgresError::OldSchema { found, needed });
    }
    Ok(connection)
}
