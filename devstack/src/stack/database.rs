//! The application's database: made on our own server or a shared one, and migrated by the handler itself.
//! It never changes a schema; only `handler migrate` does.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;

use anyhow::{Context as _, Result, bail};
use tokio::process::Command;
use tokio::task::JoinHandle;
use tokio_postgres::{Client, Error, Row};
use url::Url;
use uuid::Uuid;

use super::azure::AzureSide;
use super::create::create;
use super::database_url::DatabaseUrl;
use super::logins::AppLogins;
use super::session::connect;
use super::{Part, PartsLayout, PostgresChoice, ReadModel};
use crate::postgres::{Server, Shutdown, install_pgaadauth};
use crate::tls::PostgresTls;

/// The database on a server of our own, and on a shared one whose URL names none.
const NAME: &str = "orders";

/// A database that is ready to be migrated.
#[derive(Debug)]
pub(super) struct Database {
    /// Kept because dropping it ends it; `None` when the server is not ours.
    server: Option<Arc<Server>>,
    /// The administrator's connection, to this database.
    url: Url,
    /// The parts of that text.
    read: DatabaseUrl,
    /// The roles that the app connects as.
    logins: AppLogins,
    /// How it is reached, where nobody is let in without TLS.
    tls: Option<PostgresTls>,
}

/// The database's name on the server of this choice.
pub(super) fn name(choice: &PostgresChoice) -> Result<String> {
    let PostgresChoice::Shared(url) = choice else {
        return Ok(NAME.to_owned());
    };
    let named = DatabaseUrl::parse(url)?.database;
    Ok(named
        .filter(|name| name != "postgres")
        .unwrap_or_else(|| NAME.to_owned()))
}

impl Database {
    pub(super) async fn start(
        choice: &PostgresChoice,
        port: u16,
        (parts, read_model): (PartsLayout, ReadModel),
        azure: Option<&AzureSide>,
    ) -> Result<Self> {
        let (server, admin_url) = match choice {
            PostgresChoice::Shared(admin_url) => (None, admin_url.clone()),
            PostgresChoice::Own | PostgresChoice::Kept(_) => {
                let choice = choice.clone();
                let certificate = azure.map(|azure| azure.certificate().clone());
                let start = move || match (&choice, &certificate) {
                    (PostgresChoice::Kept(folder), None) => Server::start_kept(port, folder),
                    (_, None) => Server::start(port),
                    (PostgresChoice::Kept(_), Some(_)) => Err(std::io::Error::other(
                        "a kept server is not like Azure's: its roles would be those of another directory",
                    )),
                    (_, Some(certificate)) => Server::start_like_azure(port, certificate),
                };
                let server = tokio::task::spawn_blocking(start).await?;
                let server = server.context("PostgreSQL")?;
                // As on Azure's servers.
                let tls = azure.map(AzureSide::postgres_tls);
                let (client, connection) = connect(&server.admin_url("postgres"), tls.as_ref()).await?;
                install_pgaadauth(&client).await.context("pgaadauth")?;
                drop(client);
                let _ended = connection.await;
                let url = server.admin_url(NAME);
                (Some(Arc::new(server)), url)
            }
        };
        let read = DatabaseUrl::parse(&admin_url)?;
        let name = name(choice)?;
        let tls = azure.map(AzureSide::postgres_tls);
        let logins = match azure {
            None => AppLogins::new(&name, parts, read_model),
            Some(azure) => azure.logins(),
        };
        create(read.of("postgres").as_str(), tls.as_ref(), &name, &logins.names()).await?;
        if let Some(azure) = azure {
            azure.write_passwords(read.of("postgres").as_str()).await?;
        }
        let url = read.of(&name);
        let read = DatabaseUrl::parse(url.as_str())?;
        Ok(Self {
            server,
            url,
            read,
            logins,
            tls,
        })
    }

    pub(super) fn url(&self) -> &str {
        self.url.as_str()
    }

    pub(super) async fn address(&self) -> Result<SocketAddr> {
        let name = (self.read.host.as_str(), self.read.port);
        let mut addresses = tokio::net::lookup_host(name)
            .await
            .context("cannot find the database's host")?;
        addresses.next().context("the database's host has no address")
    }

    /// True when nothing has happened in it yet.
    pub(super) async fn is_new(&self) -> Result<bool> {
        let first = self.first("select 1 from write_model.events limit 1").await?;
        Ok(first.is_none())
    }

    /// The customer who came first.
    pub(super) async fn customer(&self) -> Result<Option<Uuid>> {
        // Ids begin with the time.
        let first = self
            .first("select id from write_model.customers order by id limit 1")
            .await?;
        Ok(first.map(|row| row.try_get(0)).transpose()?)
    }

    /// A session of the administrator's.
    pub(super) async fn connect(&self) -> Result<(Client, JoinHandle<Result<(), Error>>)> {
        connect(self.url.as_str(), self.tls.as_ref()).await
    }

    async fn first(&self, query: &str) -> Result<Option<Row>> {
        let (client, connection) = self.connect().await?;
        let row = client.query_opt(query, &[]).await?;
        drop(client);
        connection.await??;
        Ok(row)
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

    /// The settings for the connections of an app with all parts, or where each has a process of its own, of the operators' tools.
    pub(super) fn app_environment(&self) -> BTreeMap<String, String> {
        let tools = self.logins.of(Part::Operator).unwrap_or_default();
        let mut environment = self.environment(tools, tools);
        if self.tls.is_some() {
            // Which role it is, each part's identity says.
            environment.retain(|name, _| !["PGUSER", "PGPASSWORD"].contains(&name.as_str()));
            environment.insert("PG_AUTH".to_owned(), "entra".to_owned());
        }
        environment
    }

    /// The roles that the app connects as.
    pub(super) fn logins(&self) -> &AppLogins {
        &self.logins
    }

    /// Brings the schema to the handler's version, as the database's owner.
    ///
    /// It trusts the authorities in `roots`, where there is TLS.
    pub(super) async fn migrate(
        &self,
        handler: &Path,
        read_model: ReadModel,
        roots: Option<&Path>,
    ) -> Result<()> {
        let tables: &[&str] = match read_model {
            ReadModel::Cosmos => &[],
            ReadModel::Postgres => &["--read-model", "postgres"],
        };
        // Only what a migration needs: a stray setting of the shell could make the handler refuse to start.
        let output = Command::new(handler)
            .arg("migrate")
            .args(self.logins.arguments())
            .args(tables)
            .env_clear()
            .envs(self.environment(&self.read.user, &self.read.password))
            .envs(roots.map(|roots| ("SSL_CERT_FILE", roots)))
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
            ("PGHOST", self.read.host.clone()),
            ("PGPORT", self.read.port.to_string()),
            ("PGUSER", user.to_owned()),
            ("PGPASSWORD", password.to_owned()),
            ("PGDATABASE", self.read.database.clone().unwrap_or_default()),
            (
                "PGSSLMODE",
                if self.tls.is_some() {
                    "verify-full"
                } else {
                    "disable"
                }
                .to_owned(),
            ),
        ];
        settings.map(|(name, value)| (name.to_owned(), value)).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn names_and_passwords_of_a_shared_server_may_need_encoding() {
        let server = Server::start(0).expect("PostgreSQL starts");
        let url = server.admin_url("postgres");
        let (client, connection) = tokio_postgres::connect(&url, tokio_postgres::NoTls)
            .await
            .expect("a client");
        tokio::spawn(connection);
        let role = "create role \"ad min\" superuser login password 'p@ss/w%rd'";
        client.batch_execute(role).await.expect("it is made");
        let address = server.address();
        let url = format!("postgres://ad%20min:p%40ss%2Fw%25rd@{address}/my%20shop%3F?sslmode=disable");
        let parts = (PartsLayout::Together, ReadModel::Cosmos);
        let database = Database::start(&PostgresChoice::Shared(url), 0, parts, None)
            .await
            .expect("it is made");

        let settings = database.app_environment();
        assert_eq!(settings["PGDATABASE"], "my shop?");
        let mut config = tokio_postgres::Config::new();
        config
            .host(&settings["PGHOST"])
            .port(address.port())
            .dbname(&settings["PGDATABASE"]);
        config.user(&settings["PGUSER"]).password(&settings["PGPASSWORD"]);
        let _app = config
            .connect(tokio_postgres::NoTls)
            .await
            .expect("the app gets in");
        let _administrator = tokio_postgres::connect(database.url(), tokio_postgres::NoTls)
            .await
            .expect("the administrator gets in");
    }
}
