//! A database of a test's own on the server of all tests.
//! Never shares one: what a test leaves in it no other one sees.

use std::{collections::BTreeMap, net::SocketAddr};

use tokio::process::Command;
use uuid::Uuid;

use handler::postgres::PostgresTarget;

use super::{binary, connect, server};

/// The role for all parts; one for a part alone has the part's name behind it.
const APP_ROLE: &str = "orders_app";
const APP_PASSWORD: &str = "app";
/// The parts that have a database.
const PARTS: [&str; 3] = ["command", "query", "operator"];

/// A database with the schema in it.
pub(crate) struct Database {
    pub(crate) name: String,
}

impl Database {
    pub(crate) async fn create() -> Self {
        let database = Self::empty().await;
        database.migrate().await;
        database
    }

    /// A database with nothing in it.
    pub(crate) async fn empty() -> Self {
        let name = format!("t{}", Uuid::now_v7().simple());
        let admin = connect(&server().admin_url("postgres")).await;
        // Roles belong to the whole server, so tests that start together may both try to make them.
        for role in app_roles() {
            let make = format!(
                "do $$ begin create role {role} login password '{APP_PASSWORD}';
                 exception when duplicate_object or unique_violation then null; end $$"
            );
            admin.batch_execute(&make).await.unwrap();
        }
        admin
            .batch_execute(&format!("create database {name}"))
            .await
            .unwrap();
        Self { name }
    }

    /// Runs `handler migrate` as the owner; twice in a row must be harmless.
    pub(crate) async fn migrate(&self) {
        self.migrate_with(&[]).await;
    }

    pub(crate) async fn try_migrate(&self) -> std::process::Output {
        self.try_migrate_with(&[]).await
    }

    /// Like [`Self::migrate`], and keeps the read model in the database from then on.
    pub(crate) async fn keep_read_model(&self) {
        self.migrate_with(&["--read-model", "postgres"]).await;
    }

    /// And does not any more.
    pub(crate) async fn leave_read_model(&self) {
        self.migrate_with(&["--read-model", "cosmos"]).await;
    }

    async fn migrate_with(&self, arguments: &[&str]) {
        let output = self.try_migrate_with(arguments).await;
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stdout)
        );
    }

    async fn try_migrate_with(&self, arguments: &[&str]) -> std::process::Output {
        self.try_migrate_set(arguments, &[]).await
    }

    /// Runs it with these arguments and these settings besides.
    pub(crate) async fn try_migrate_set(
        &self,
        arguments: &[&str],
        set: &[(&str, &str)],
    ) -> std::process::Output {
        let mut settings = self.settings(server().address());
        settings.insert("PGUSER".into(), "postgres".into());
        settings.insert("PGPASSWORD".into(), "postgres".into());
        let mut command = Command::new(binary());
        command
            .args(["migrate", "--app-role", APP_ROLE])
            .args(PARTS.map(|part| format!("--app-role={APP_ROLE}_{part}={part}")))
            .args(arguments)
            .env_clear()
            .envs(settings)
            .envs(set.iter().copied());
        command.output().await.unwrap()
    }

    /// How this process connects as the app.
    pub(crate) fn target(&self) -> PostgresTarget {
        let mut config = tokio_postgres::Config::new();
        let address = server().address();
        config.host(address.ip().to_string()).port(address.port());
        config.user(APP_ROLE).password(APP_PASSWORD).dbname(&self.name);
        PostgresTarget::in_plain_text(config)
    }

    /// Settings of the app's own role, reaching the server through `address`.
    pub(crate) fn settings(&self, address: SocketAddr) -> BTreeMap<String, String> {
        let pairs = [
            ("PGHOST", "127.0.0.1".to_owned()),
            ("PGPORT", address.port().to_string()),
            ("PGUSER", APP_ROLE.to_owned()),
            ("PGPASSWORD", APP_PASSWORD.to_owned()),
            ("PGDATABASE", self.name.clone()),
            ("PGSSLMODE", "disable".to_owned()),
            ("AUTH", "development".to_owned()),
            ("AZURE_FUNCTIONS_ENVIRONMENT", "Development".to_owned()),
            ("FUNCTIONS_CUSTOMHANDLER_PORT", "0".to_owned()),
        ];
        pairs
            .into_iter()
            .map(|(key, value)| (key.to_owned(), value))
            .collect()
    }

    pub(crate) fn server_address() -> SocketAddr {
        server().address()
    }

    /// The one number that `sql` selects, asked as the owner.
    pub(crate) async fn number(&self, sql: &str) -> i64 {
        connect(&server().admin_url(&self.name))
            .await
            .query_one(sql, &[])
            .await
            .unwrap()
            .get(0)
    }

    /// A connection with the app's rights and no more.
    pub(crate) async fn as_app(&self) -> tokio_postgres::Client {
        let (name, address) = (&self.name, server().address());
        connect(&format!("postgres://{APP_ROLE}:{APP_PASSWORD}@{address}/{name}")).await
    }
}

/// The role of a part alone, as the database's user instead of the one for all parts.
pub(super) fn role_of_part(settings: &mut BTreeMap<String, String>, part: &str) {
    if let Some(user) = settings.get_mut("PGUSER").filter(|user| *user == APP_ROLE) {
        *user = format!("{APP_ROLE}_{part}");
    }
}

/// All roles that the app connects as.
pub(crate) fn app_roles() -> Vec<String> {
    let parts = PARTS.map(|part| format!("{APP_ROLE}_{part}"));
    [vec![APP_ROLE.to_owned()], parts.to_vec()].concat()
}
