//! Brings the schemas `write_model` and `read_model` to this binary's version, gives the app's role what it needs and no
//! more, and turns the upkeep of the read model on or off. Never runs while serving: `handler migrate` is the only thing
//! that changes schemas.

mod grants;
mod read_model;

use tokio_postgres::Client;

use crate::postgres::{PostgresError, PostgresTarget};

/// Every migration in order; its position, from 1, is the schema's version.
const MIGRATIONS: &[(&str, &str)] = &[
    (
        "0001_write_model",
        include_str!("../../migrations/0001_write_model.sql"),
    ),
    (
        "0002_order_endings",
        include_str!("../../migrations/0002_order_endings.sql"),
    ),
    (
        "0003_idempotency_keys",
        include_str!("../../migrations/0003_idempotency_keys.sql"),
    ),
    (
        "0004_read_model",
        include_str!("../../migrations/0004_read_model.sql"),
    ),
    (
        "0005_operations",
        include_str!("../../migrations/0005_operations.sql"),
    ),
    (
        "0006_operation_panics",
        include_str!("../../migrations/0006_operation_panics.sql"),
    ),
    ("0007_jobs", include_str!("../../migrations/0007_jobs.sql")),
];

/// The advisory lock by which two deployments at once take turns.
const LOCK: i64 = 0x6f72_6465_7273;

/// The reason why the schemas are not at this version.
#[derive(Debug, thiserror::Error)]
pub enum MigrateError {
    /// The database cannot be reached, or does not let us in.
    #[error(transparent)]
    Connection(#[from] PostgresError),
    /// It refused a statement.
    #[error(transparent)]
    Statement(#[from] tokio_postgres::Error),
}

/// Applies what is missing, each migration in a transaction of its own, and returns the version reached.
///
/// `app_role`, when given, gets `USAGE` and row rights on the schemas, and timeouts of 2 s; the role must exist.
/// `keep_read_model`, when given, says whether the read model in PostgreSQL is kept from now on or left.
///
/// # Errors
/// [`MigrateError`]; what was done before stays done, and the next run goes on.
pub async fn migrate(
    target: &PostgresTarget,
    app_role: Option<&str>,
    keep_read_model: Option<bool>,
) -> Result<i32, MigrateError> {
    let (mut client, wire) = target.connect().await?;
    // Of the session, not of a transaction: each migration commits by itself.
    client.execute("select pg_advisory_lock($1)", &[&LOCK]).await?;
    let applied = applied(&client).await?;
    let mut version = 0;
    for &(name, sql) in MIGRATIONS {
        version += 1;
        if version > applied {
            let step = client.transaction().await?;
            // While this waits for a lock behind a long read, all commands wait behind this.
            step.batch_execute("set local lock_timeout = '5s'").await?;
            step.batch_execute(sql).await?;
            step.execute(
                "insert into write_model.schema_version (version, name) values ($1, $2)",
                &[&version, &name],
            )
            .await?;
            step.commit().await?;
            tracing::info!(migration = name, "migration_applied");
        }
    }
    if let Some(role) = app_role {
        let database: String = client
            .query_one("select current_database()", &[])
            .await?
            .try_get(0)?;
        client.batch_execute(&grants::grants(role, &database)).await?;
    }
    match keep_read_model {
        Some(true) => read_model::keep(&mut client).await?,
        Some(false) => read_model::leave(&mut client).await?,
        None => {}
    }
    drop(client);
    let _ended = wire.await;
    Ok(version.max(applied))
}

async fn applied(client: &Client) -> Result<i32, tokio_postgres::Error> {
    const EXISTS: &str = "select to_regclass('write_model.schema_version') is not null";
    if !client.query_one(EXISTS, &[]).await?.try_get::<_, bool>(0)? {
        return Ok(0);
    }
    client
        .query_one(
            "select coalesce(max(version), 0) from write_model.schema_version",
            &[],
        )
        .await?
        .try_get(0)
}
