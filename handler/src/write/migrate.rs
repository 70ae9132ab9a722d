//! Brings the schema `write_model` to this binary's version, and gives the app's role what it needs and no more.
//! Never runs while serving: `handler migrate` is the only thing that changes schemas.

use tokio_postgres::{Client, Config, NoTls};

/// Every migration in order; its position, from 1, is the schema's version.
const MIGRATIONS: [(&str, &str); 3] = [
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
];

/// The oldest schema that this binary runs on; a newer one only ever adds to it.
pub(super) const NEEDED_SCHEMA: i32 = 3;

/// Two deployments at once take turns by this advisory lock.
const LOCK: i64 = 0x6f72_6465_7273;

/// Applies what is missing, each migration in a transaction of its own, and returns the version reached.
///
/// `app_role`, when given, gets `USAGE` and row rights on the schema, and timeouts of 2 s; the role must exist.
///
/// # Errors
/// Whatever PostgreSQL refuses; migrations before the failing one stay applied.
pub async fn migrate(config: &Config, app_role: Option<&str>) -> Result<i32, tokio_postgres::Error> {
    let (mut client, connection) = config.connect(NoTls).await?;
    let driver = tokio::spawn(connection);
    client.execute("select pg_advisory_lock($1)", &[&LOCK]).await?;
    let applied = applied(&client).await?;
    let mut version = 0;
    for (name, sql) in MIGRATIONS {
        version += 1;
        if version > applied {
            let step = client.transaction().await?;
            // Behind somebody who reads for long, everybody's commands would queue behind us.
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
        client.batch_execute(&grants(role, &database)).await?;
    }
    drop(client);
    let _ended = driver.await;
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

/// The log is append-only for the app: it may read and add events, never change or delete them. Its statements are short
/// and always the same, so they are planned once, for an index in memory, and never compiled.
fn grants(role: &str, database: &str) -> String {
    let quoted = |name: &str| format!("\"{}\"", name.replace('"', "\"\""));
    let role = quoted(role);
    // For this database only: a role that several databases share would be altered by several migrations at once.
    let alter = format!("alter role {role} in database {}", quoted(database));
    format!(
        "grant usage on schema write_model to {role};
         grant select on all tables in schema write_model to {role};
         grant insert, update on write_model.customers, write_model.products, write_model.stock, write_model.orders to {role};
         grant insert, update, delete on write_model.order_lines to {role};
         grant insert on write_model.events to {role};
         grant insert, delete on write_model.idempotency_keys to {role};
         grant insert, update, delete on write_model.outbox to {role};
         grant execute on function write_model.refuse() to {role};
         {alter} set statement_timeout = '2s';
         {alter} set lock_timeout = '2s';
         {alter} set jit = off;
         {alter} set plan_cache_mode = force_generic_plan;
         {alter} set random_page_cost = 1.1;"
    )
}
