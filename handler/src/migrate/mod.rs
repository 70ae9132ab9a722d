//! Brings a database to this binary's version: makes it where it is missing, the groups that hold the rights, and the schemas
//! `write_model` and `read_model`; gives login roles what they need and no more; turns the upkeep of the read model on or off.
//! Never runs while serving: `handler migrate` is the only thing that changes schemas.

mod app_role;
mod entra;
mod error;
mod identifier;
mod races;
mod read_model;
mod schema;

use tokio_postgres::{Client, error::SqlState};

pub use app_role::AppRole;
pub use entra::EntraRole;
pub use error::MigrateError;
use identifier::quoted;
use races::settle;

use crate::postgres::PostgresTarget;

/// The advisory lock by which two deployments at once take turns.
const LOCK: i64 = 0x6f72_6465_7273;
/// The database that every server has, and in which Azure's own functions are.
const FIRST_DATABASE: &str = "postgres";

/// What is wanted besides the schema.
#[derive(Debug, Default)]
pub struct MigrationRequest {
    /// Login roles to be made for principals of Microsoft Entra.
    pub entra_roles: Vec<EntraRole>,
    /// Login roles, which then must exist, that get the groups of their parts, and settings.
    pub app_roles: Vec<AppRole>,
    /// Whether the read model in PostgreSQL is kept from now on or left; `None` leaves that as it is.
    pub keep_read_model: Option<bool>,
}

/// Brings the database to this version, and returns the schema's.
///
/// # Errors
/// See [`MigrateError`]; what was done before stays done, and the next run goes on.
pub async fn migrate(target: &PostgresTarget, wanted: &MigrationRequest) -> Result<i32, MigrateError> {
    if !wanted.entra_roles.is_empty() {
        let (server, wire) = target.to_database(FIRST_DATABASE).connect().await?;
        for role in &wanted.entra_roles {
            entra::ensure(&server, role).await?;
        }
        drop(server);
        let _ended = wire.await;
    }
    let (mut client, wire) = match target.connect().await {
        Err(error) if error.code() == Some(SqlState::INVALID_CATALOG_NAME.code()) => {
            create_database(target).await?;
            target.connect().await
        }
        connected => connected,
    }?;
    let version = bring_up(&mut client, wanted).await?;
    drop(client);
    let _ended = wire.await;
    Ok(version)
}

async fn bring_up(client: &mut Client, wanted: &MigrationRequest) -> Result<i32, MigrateError> {
    make_groups(client).await?;
    // Of the session, not of a transaction: each migration commits by itself.
    client.execute("select pg_advisory_lock($1)", &[&LOCK]).await?;
    client
        .batch_execute(include_str!("ownership.sql"))
        .await
        .map_err(MigrateError::explained(
            "what is in the database belongs to another role: run `handler migrate` once as that one, or as a member of it",
        ))?;
    // Whatever is made belongs to the group, so that the next administrator can change it.
    client.batch_execute("set role orders_migrator").await?;
    let version = schema::apply(client).await.map_err(MigrateError::explained(
        "orders_migrator may not make schemas in this database: say `alter database … owner to orders_migrator` as its owner",
    ))?;
    client.batch_execute(include_str!("rights.sql")).await?;
    for role in &wanted.app_roles {
        app_role::join_groups(client, role).await?;
    }
    match wanted.keep_read_model {
        Some(true) => read_model::keep(client).await?,
        Some(false) => read_model::leave(client).await?,
        None => {}
    }
    client.batch_execute("reset role").await?;
    for role in &wanted.app_roles {
        app_role::set_settings(client, role).await?;
    }
    Ok(version)
}

/// Makes the groups where they are missing, and whoever runs this a member of orders_migrator.
async fn make_groups(client: &Client) -> Result<(), MigrateError> {
    settle(async || client.batch_execute(include_str!("groups.sql")).await)
        .await
        .map_err(MigrateError::explained(
            "run `handler migrate` as an administrator (CREATEROLE); where another one has run it before, he says \
             `grant orders_migrator to … with admin option`",
        ))
}

async fn create_database(target: &PostgresTarget) -> Result<(), MigrateError> {
    let name = target.database();
    let (server, wire) = target.to_database(FIRST_DATABASE).connect().await?;
    make_groups(&server).await?;
    let create = format!("create database {} owner orders_migrator", quoted(name));
    let created = settle(async || match server.batch_execute(&create).await {
        Err(error) if error.code() == Some(&SqlState::DUPLICATE_DATABASE) => Ok(()),
        created => created,
    });
    created.await.map_err(MigrateError::explained(
        "the database is missing, and this role may not make it (CREATEDB)",
    ))?;
    tracing::info!(database = name, "database_made");
    drop(server);
    let _ended = wire.await;
    Ok(())
}
