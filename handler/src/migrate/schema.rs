//! The migrations, and the version that they have brought a database to.
//! Never applies one twice, and none half.

use tokio_postgres::{Client, Error};

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
    (
        "0008_read_rights",
        include_str!("../../migrations/0008_read_rights.sql"),
    ),
];

/// Applies what is missing, each migration in a transaction of its own, and returns the version reached.
pub(super) async fn apply(client: &mut Client) -> Result<i32, Error> {
    let applied = applied(client).await?;
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
    Ok(version.max(applied))
}

async fn applied(client: &Client) -> Result<i32, Error> {
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
