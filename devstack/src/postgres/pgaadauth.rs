//! The functions by which Azure's PostgreSQL maps roles to principals of Microsoft Entra, for a server of our own.
//! Never in another database than `postgres`: Azure has them there alone.

use tokio_postgres::{Client, Error};

/// Puts them there, anew where they are; the client is the superuser's, in the database `postgres`.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn install(client: &Client) -> Result<(), Error> {
    client.batch_execute(include_str!("pgaadauth.sql")).await
}
