//! The application's database: made on our own server or a shared one, and migrated by the handler itself.
//! It never changes a schema; only `handler migrate` does.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;

use anyhow::{Context as _, Result, bail};
use tokio::process::Command;
use url::Url;

use super::create::create;
use super::{PostgresChoice, ReadModel};
use crate::postgres::{Server, Shutdown};

/// The database on a server of our own, and on a shared one whose URL names none.
const NAME: &str = "orders";

/// A database that is ready to be migrated.
#[derive(Debug)]
pub(super) struct Database {
    /// Kept because dropping it ends it; `None` when the server is not ours.
    server: Option<Arc<Server>>,
    /// The administrator's connection, to this database.
    url: Url,
    /// The role that the app connects as, with its own name as password: it guards nothing beyond this machine.
    role: String,
}

impl Database {
    pub(super) async fn start(choice: &PostgresChoice, port: u16) -> Result<Self> {
        let (server, admin_url) = match choice {
            PostgresChoice::Shared(admin_url) => (None, admin_url.clone()),
            PostgresChoice::Own | PostgresChoice::Kept(_) => {
                let choice = choice.clone();
                let start = move || match &choice {
                    PostgresChoice::Kept(folder) => Server::start_kept(port, folder),
                    _ => Server::start(port),
                };
                let server = tokio::task::spawn_blocking(start).await?;
                let server = server.context("PostgreSQL")?;
                let url = server.admin_url(NAME);
                (Some(Arc::new(server)), url)
            }
        };
        let mut url = Url::parse(&admin_url).context("DATABASE_URL is no URL")?;
        let named = url.path().trim_start_matches('/').to_owned();
        let name = if named.is_empty() || named == "postgres" {
            NAME
        } else {
            &named
        };
        // A role for each database, so that stacks on one server do not alter each other's.
        let role = format!("{name}_app");
        url.set_path("/postgres");
        create(url.as_str(), name, &role).await?;
        url.set_path(&format!("/{name}"));
        Ok(Self { server, url, role })
    }

    pub(super) fn url(&self) -> &str {
        self.url.as_str()
    }

    pub(super) async fn address(&self) -> Result<SocketAddr> {
        let name = (self.host(), self.port());
        let mut addresses = tokio::net::lookup_host(name)
            .await
            .context("cannot find the database's host")?;
        addresses.next().context("the database's host has no address")
    }

    /// True when nothing has happened in it yet.
    pub(super) async fn is_new(&self) -> Result<bool> {
        let (client, connection) = tokio_postgres::connect(self.url.as_str(), tokio_postgres::NoTls).await?;
        let connection = tokio::spawn(connection);
        let row = client
            .query_one("select not exists (select from write_model.events)", &[])
            .await?;
        let new = row.try_get(0)?;
        drop(client);
        connection.await??;
        Ok(new)
    }

    /// Stops the server.
    pub(super) async fn stop(&self, how: Shutdown) -> Result<()> {
        let server = self.server()?;
        Ok(tokio::task::spawn_blocking(move || server.stop(how)).await??)
    }

    /// Starts the server again.
    pub(super) async fn start_again(&self) -> Result<()> {
        let server = self.server()?;
        Ok(tokio::task::spawn_blocking(move || server.start_again()).await??)
    }

    fn server(&self) -> Result<Arc<Server>> {
        let server = self.server.clone();
        server.context("the PostgreSQL server is shared with others")
    }

    /// What the app connects with.
    pub(super) fn app_environment(&self) -> BTreeMap<String, String> {
        self.environment(&self.role, &self.role)
    }

    /// Brings the schema to the handler's version, as the database's owner.
    pub(super) async fn migrate(&self, handler: &Path, read_model: ReadModel) -> Result<()> {
        let config: tokio_postgres::Config = self.url.as_str().parse()?;
        let user = config.get_user().unwrap_or("postgres").to_owned();
        let password = String::from_utf8_lossy(config.get_password().unwrap_or_default()).into_owned();
        let tables: &[&str] = match read_model {
            ReadModel::Cosmos => &[],
            ReadModel::Postgres => &["--read-model", "postgres"],
        };
        // Only what a migration needs: a stray setting of the shell could make the handler refuse to start.
        let output = Command::new(handler)
            .args(["migrate", "--app-role", &self.role])
            .args(tables)
            .env_clear()
            .envs(self.environment(&user, &password))
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output()
            .await
            .with_context(|| format!("cannot run {}", handler.display()))?;
        if !output.status.success() {
            let said = [output.stdout, output.stderr].concat();
            bail!(
                "`handler migrate` failed ({}): {}",
                output.status,
                String::from_utf8_lossy(&said).trim()
            );
        }
        Ok(())
    }

    fn environment(&self, user: &str, password: &str) -> BTreeMap<String, String> {
        let settings = [
            ("PGHOST", self.host().to_owned()),
            ("PGPORT", self.port().to_string()),
            ("PGUSER", user.to_owned()),
            ("PGPASSWORD", password.to_owned()),
            ("PGDATABASE", self.url.path().trim_start_matches('/').to_owned()),
        ];
        settings.map(|(name, value)| (name.to_owned(), value)).into()
    }

    fn host(&self) -> &str {
        self.url.host_str().unwrap_or("127.0.0.1")
    }

    fn port(&self) -> u16 {
        self.url.port().unwrap_or(5432)
    }
}
