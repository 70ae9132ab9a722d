//! A PostgreSQL server of each version, with Azure's functions and group of administrators.
//! Never the one of the other tests: roles belong to a whole server.

use std::{io, process::Output};

use devstack::postgres::{Server, install_pgaadauth};
use tokio::{process::Command, sync::OnceCell};
use tokio_postgres::Client;
use uuid::Uuid;

use crate::support::{binary, connect};

/// The oldest that Debian still has, and npm's, which is one after that in which roles need ADMIN OPTION for each other.
pub(super) const VERSIONS: [u32; 2] = [15, 17];
/// Everybody's password.
pub(super) const PASSWORD: &str = "p";

/// A server of one version.
pub(super) struct Cluster {
    server: Server,
    pub(super) version: u32,
}

/// Does the test on a server of each version, one after the other.
pub(super) async fn on_each(test: impl AsyncFn(&Cluster)) {
    static CLUSTERS: OnceCell<Vec<Cluster>> = OnceCell::const_new();
    let start = || async {
        let mut clusters = Vec::new();
        for version in VERSIONS {
            clusters.extend(Cluster::start(version).await);
        }
        clusters
    };
    for cluster in CLUSTERS.get_or_init(start).await {
        eprintln!("PostgreSQL {}", cluster.version);
        test(cluster).await;
    }
}

/// A name that nobody has.
pub(super) fn unique(what: &str) -> String {
    format!("{what}_{}", Uuid::now_v7().simple())
}

/// What a process said.
pub(super) fn said(output: &Output) -> String {
    String::from_utf8_lossy(&[&*output.stdout, &*output.stderr].concat()).into_owned()
}

impl Cluster {
    /// `None` where this version cannot be had, which is said; with `CI=true` that is a failure.
    pub(super) async fn start(version: u32) -> Option<Self> {
        let cluster = Self::start_bare(version).await?;
        let administrator = connect(&cluster.server.admin_url("postgres")).await;
        install_pgaadauth(&administrator).await.unwrap();
        Some(cluster)
    }

    /// Without anything of Azure's.
    pub(super) async fn start_bare(version: u32) -> Option<Self> {
        let start = tokio::task::spawn_blocking(move || Server::start_version(version, 0));
        match start.await.unwrap() {
            Ok(server) => Some(Self { server, version }),
            Err(error) if error.kind() == io::ErrorKind::Other => {
                let line = format!("not run: PostgreSQL {version}: {error}");
                assert!(std::env::var("CI").as_deref() != Ok("true"), "{line}");
                eprintln!("{line}");
                None
            }
            Err(error) => panic!("PostgreSQL {version}: {error}"),
        }
    }

    pub(super) async fn superuser(&self, database: &str) -> Client {
        connect(&self.server.admin_url(database)).await
    }

    pub(super) fn config(&self, user: &str, database: &str) -> tokio_postgres::Config {
        let (mut config, address) = (tokio_postgres::Config::new(), self.server.address());
        config.host(address.ip().to_string()).port(address.port());
        config.user(user).password(PASSWORD).dbname(database);
        config
    }

    pub(super) async fn client(&self, user: &str, database: &str) -> Client {
        let config = self.config(user, database);
        let (client, connection) = config.connect(tokio_postgres::NoTls).await.unwrap();
        tokio::spawn(connection);
        client
    }

    /// Does this as the superuser.
    pub(super) async fn execute(&self, database: &str, sql: &str) {
        self.superuser(database).await.batch_execute(sql).await.unwrap();
    }

    /// An administrator of another name each time, as Azure makes them where it is Azure.
    pub(super) async fn administrator(&self) -> String {
        let name = unique("admin");
        let create = format!(
            "create role {name} login createrole createdb password '{PASSWORD}';
             do $$ begin
                if to_regrole('azure_pg_admin') is not null then grant azure_pg_admin to {name}; end if;
             end $$"
        );
        self.execute("postgres", &create).await;
        name
    }

    /// A role that may log in, made by this administrator.
    pub(super) async fn login(&self, administrator: &str, what: &str) -> String {
        let name = unique(what);
        let create = format!("create role {name} login password '{PASSWORD}'");
        let client = self.client(administrator, "postgres").await;
        client.batch_execute(&create).await.unwrap();
        name
    }

    /// Runs `handler migrate` as this user.
    pub(super) async fn try_migrate(&self, user: &str, database: &str, arguments: &[String]) -> Output {
        let mut command = Command::new(binary());
        command.arg("migrate").args(arguments).env_clear().envs([
            ("PGHOST", "127.0.0.1"),
            ("PGPORT", &self.server.address().port().to_string()),
            ("PGUSER", user),
            ("PGPASSWORD", PASSWORD),
            ("PGDATABASE", database),
            ("PGSSLMODE", "disable"),
        ]);
        command.output().await.unwrap()
    }

    pub(super) async fn migrate(&self, user: &str, database: &str, arguments: &[String]) {
        let output = self.try_migrate(user, database, arguments).await;
        assert!(output.status.success(), "{}", said(&output));
    }

    /// A migrated database, and a login role for each part in it that has a database.
    pub(super) async fn shop(&self) -> Shop<'_> {
        let (administrator, database) = (self.administrator().await, unique("shop"));
        let mut logins = Vec::new();
        for part in ["command", "query", "operator"] {
            logins.push((part, self.login(&administrator, part).await));
        }
        let mut arguments: Vec<String> = logins
            .iter()
            .map(|(part, name)| format!("--app-role={name}={part}"))
            .collect();
        arguments.push("--read-model=postgres".to_owned());
        self.migrate(&administrator, &database, &arguments).await;
        Shop {
            cluster: self,
            administrator,
            database,
            logins,
        }
    }
}

/// A database with its roles.
pub(super) struct Shop<'a> {
    pub(super) cluster: &'a Cluster,
    pub(super) administrator: String,
    pub(super) database: String,
    /// Parts and their login roles.
    pub(super) logins: Vec<(&'static str, String)>,
}

impl Shop<'_> {
    pub(super) async fn client(&self, user: &str) -> Client {
        self.cluster.client(user, &self.database).await
    }

    /// The owner of everything in it that is not orders_migrator, and what he owns.
    pub(super) async fn strangers_property(&self) -> Vec<String> {
        strangers_property(&self.cluster.superuser(&self.database).await).await
    }
}

/// What belongs to anybody but orders_migrator: the database, the schemas, and what is in them.
pub(super) async fn strangers_property(client: &Client) -> Vec<String> {
    let owned = "
        select format('%s %s', what, owner::regrole) from (
            select datname::text as what, datdba as owner from pg_database where datname = current_database()
            union all select nspname, nspowner from pg_namespace where nspname in ('write_model', 'read_model')
            union all select oid::regclass::text, relowner from pg_class
                where relnamespace in ('write_model'::regnamespace, 'read_model'::regnamespace) and relkind <> 'i'
            union all select oid::regprocedure::text, proowner from pg_proc
                where pronamespace in ('write_model'::regnamespace, 'read_model'::regnamespace)) o
        where owner <> 'orders_migrator'::regrole";
    let rows = client.query(owned, &[]).await.unwrap();
    rows.iter().map(|row| row.get(0)).collect()
}
