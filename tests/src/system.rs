//! The whole system: handler behind the host stand-in, database, bus and documents, with wires that can be broken.
//! Never shares anything but the PostgreSQL server, where it has a database of its own.

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use devstack::{
    app_folder,
    azurite::Azurite,
    host::{HostTimes, HttpMode, HttpOptions, Log},
    servicebus::Entities,
    stack::{
        Faults, LikeAzure, PartsLayout, Ports, PostgresChoice, ReadModel, Stack, StackOptions, StorageChoice,
    },
    tls::CertificateAuthority,
};
use hyper::StatusCode;
use serde_json::Value;
use tokio::{
    sync::OnceCell,
    time::{interval, timeout},
};
use uuid::Uuid;

use crate::{
    support::{Answer, Client, DEADLINE, admin_url, binary, connect, layout},
    topic::LISTENER,
};

/// Runs a test in a system with each read model: what is read must not depend on where it is read from.
pub(crate) async fn both(settings: &[(&str, &str)], test: impl AsyncFn(System)) {
    for read_model in [ReadModel::Cosmos, ReadModel::Postgres] {
        test(System::start_reading(read_model, settings).await).await;
    }
}

/// With `TEST_STORAGE=azurite` the hosts of all systems lock their timers in one Azurite.
async fn storage() -> StorageChoice {
    static AZURITE: OnceCell<Azurite> = OnceCell::const_new();
    match std::env::var("TEST_STORAGE").as_deref() {
        Err(_) => StorageChoice::Inner,
        Ok("azurite") => {
            let azurite = AZURITE
                .get_or_init(async || Azurite::start().await.unwrap())
                .await;
            StorageChoice::Shared(azurite.address().port())
        }
        Ok(other) => panic!("TEST_STORAGE is azurite or nothing, and not {other}"),
    }
}

/// Runs a test behind a host that proxies, and behind an older one that can only forward. Commands alone are looked at, so the
/// read model is the one that needs no other service.
pub(crate) async fn in_both_modes(test: impl AsyncFn(System)) {
    for knows in [HttpMode::Proxying, HttpMode::Forwarding] {
        let system = System::start_changed(|options, _| {
            options.read_model = ReadModel::Postgres;
            options.http.knows = knows;
        });
        test(system.await).await;
    }
}

/// The newest mode of every host of this run: `HOST_KNOWS=forwarding cargo test -p tests` is a run behind an older one.
pub(crate) fn known_mode() -> HttpMode {
    match std::env::var("HOST_KNOWS").as_deref() {
        Err(_) | Ok("proxying") => HttpMode::Proxying,
        Ok("forwarding") => HttpMode::Forwarding,
        Ok(other) => panic!("HOST_KNOWS={other}: write proxying or forwarding"),
    }
}

/// A running system; it ends when dropped.
pub(crate) struct System {
    pub(crate) stack: Stack,
    pub(crate) client: Client,
    pub(crate) log: PathBuf,
    _folder: tempfile::TempDir,
}

impl System {
    pub(crate) async fn start() -> Self {
        Self::start_with(&[]).await
    }

    /// Starts one process for all parts, in a split run too: for what they do together.
    pub(crate) async fn start_whole() -> Self {
        Self::start_changed(|options, _| options.parts = PartsLayout::Together).await
    }

    /// Starts with these settings over the usual ones.
    pub(crate) async fn start_with(settings: &[(&str, &str)]) -> Self {
        Self::start_reading(ReadModel::Cosmos, settings).await
    }

    async fn start_reading(read_model: ReadModel, settings: &[(&str, &str)]) -> Self {
        let environment: BTreeMap<String, String> = settings
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        Self::start_changed(|options, _| {
            options.read_model = read_model;
            options.environment = environment;
        })
        .await
    }

    /// Starts with what `change` makes of the usual options and of the bus's Config.json.
    pub(crate) async fn start_changed(change: impl FnOnce(&mut StackOptions, &mut Value)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (app_dir, log) = (folder.path().join("app"), folder.path().join("host.log"));
        let root = app_folder::workspace_root();
        app_folder::assemble(&root, binary(), &app_dir).unwrap();
        let database = format!("t{}", Uuid::now_v7().simple());
        let bus = std::fs::read_to_string(root.join("devstack/servicebus/Config.json")).unwrap();
        let mut bus: Value = serde_json::from_str(&bus).unwrap();
        let mut options = StackOptions {
            like_azure: None,
            root,
            ports: Ports::default(),
            app_dir,
            log: Log::File(log.clone()),
            faults: true,
            environment: BTreeMap::new(),
            read_model: ReadModel::Cosmos,
            parts: layout(),
            postgres: PostgresChoice::Shared(admin_url(&database)),
            storage: storage().await,
            times: HostTimes::default(),
            http: HttpOptions {
                knows: known_mode(),
                ..HttpOptions::default()
            },
        };
        change(&mut options, &mut bus);
        let parts = options.parts;
        let entities = Entities::from_json(&bus.to_string()).unwrap();
        let stack = Stack::start_with(options, entities.with_listener(LISTENER))
            .await
            .unwrap();
        stack.check_health().await.unwrap();
        if parts == PartsLayout::Split && stack.azure().is_none() {
            let known: tokio_postgres::Config = stack.postgres_url().parse().unwrap();
            let database = known.get_dbname().unwrap();
            // Where each part has a role of its own, that of `settings`; without settings of its own, as where nobody may make them.
            let role = format!(
                "create role {database}_app login password '{database}_app'
                    in role orders_command, orders_query, orders_operator"
            );
            connect(stack.postgres_url())
                .await
                .batch_execute(&role)
                .await
                .unwrap();
        }
        let client = Client::of(&stack);
        Self {
            stack,
            client,
            log,
            _folder: folder,
        }
    }

    pub(crate) fn faults(&self) -> &Faults {
        self.stack.faults().expect("it was started with them")
    }

    /// The settings of another process of the same deployment, which writes and sends but reads no documents.
    pub(crate) fn settings(&self) -> BTreeMap<String, String> {
        let config: tokio_postgres::Config = self.stack.postgres_url().parse().unwrap();
        let (database, port) = (config.get_dbname().unwrap(), config.get_ports()[0]);
        let settings = [
            ("PGHOST", "127.0.0.1".to_owned()),
            ("PGPORT", port.to_string()),
            ("PGUSER", format!("{database}_app")),
            ("PGPASSWORD", format!("{database}_app")),
            ("PGDATABASE", database.to_owned()),
            ("PGSSLMODE", "disable".to_owned()),
            ("ServiceBusConnection", self.stack.servicebus_connection_string()),
            ("ServiceBusTopic", "order-events".to_owned()),
            ("AUTH", "development".to_owned()),
            ("AZURE_FUNCTIONS_ENVIRONMENT", "Development".to_owned()),
            ("FUNCTIONS_CUSTOMHANDLER_PORT", "0".to_owned()),
        ];
        settings.map(|(name, value)| (name.to_owned(), value)).into()
    }

    /// Starts as in Azure: a process for each part, each with an identity of its own, and no key anywhere.
    pub(crate) async fn start_like_azure() -> Self {
        Self::start_changed(|options, _| {
            options.like_azure = Some(LikeAzure(CertificateAuthority::new().unwrap()));
            options.postgres = PostgresChoice::Own;
            options.parts = PartsLayout::Split;
        })
        .await
    }

    /// A session of the database's owner.
    async fn owner(&self) -> tokio_postgres::Client {
        let Some(azure) = self.stack.azure() else {
            return connect(self.stack.postgres_url()).await;
        };
        let session = tokio_postgres::connect(self.stack.postgres_url(), azure.postgres_tls());
        let (client, connection) = session.await.unwrap();
        tokio::spawn(connection);
        client
    }

    /// Rows of a query, asked as the owner.
    pub(crate) async fn rows(&self, sql: &str) -> Vec<tokio_postgres::Row> {
        self.owner().await.query(sql, &[]).await.unwrap()
    }

    /// The one number that `sql` selects.
    pub(crate) async fn number(&self, sql: &str) -> i64 {
        self.rows(sql).await[0].get(0)
    }

    /// Waits until the read model shows this version of the order.
    pub(crate) async fn shown(&self, id: &Value, version: i64) -> Answer {
        let path = format!("/api/orders/{}", id.as_str().unwrap());
        let mut last = None;
        let looking = async {
            let mut again = interval(Duration::from_millis(20));
            loop {
                again.tick().await;
                let answer = self.client.send("GET", &path, "", &[]).await;
                if answer.status == StatusCode::OK && answer.body["version"] == version {
                    return answer;
                }
                last = Some(answer);
            }
        };
        match timeout(DEADLINE, looking).await {
            Ok(answer) => answer,
            Err(_) => panic!(
                "version {version} did not come; last seen: {last:?}; {}",
                self.tail()
            ),
        }
    }

    /// Waits until the outbox is empty.
    pub(crate) async fn relayed(&self) {
        let relaying = async {
            let mut again = interval(Duration::from_millis(20));
            // Over one connection: a password is checked at some cost.
            let owner = self.owner().await;
            let waiting = "select count(*) from write_model.outbox";
            while owner.query_one(waiting, &[]).await.unwrap().get::<_, i64>(0) > 0 {
                again.tick().await;
            }
        };
        timeout(DEADLINE, relaying).await.expect("the outbox is emptied");
    }

    /// Waits until the log has a line with all these words, and returns it.
    pub(crate) async fn logged(&self, words: &[&str]) -> String {
        let looking = async {
            let mut again = interval(Duration::from_millis(20));
            loop {
                again.tick().await;
                let text = std::fs::read_to_string(&self.log).unwrap_or_default();
                if let Some(line) = text
                    .lines()
                    .find(|line| words.iter().all(|word| line.contains(word)))
                {
                    return line.to_owned();
                }
            }
        };
        match timeout(DEADLINE, looking).await {
            Ok(line) => line,
            Err(_) => panic!("no line with {words:?}; {}", self.tail()),
        }
    }

    /// How many lines of the log say this so far.
    pub(crate) fn lines(&self, words: &str) -> usize {
        let text = std::fs::read_to_string(&self.log).unwrap_or_default();
        text.lines().filter(|line| line.contains(words)).count()
    }

    /// Waits until more than so many lines of the log say this.
    pub(crate) async fn logged_more_than(&self, count: usize, words: &str) {
        let looking = async {
            let mut again = interval(Duration::from_millis(20));
            while self.lines(words) <= count {
                again.tick().await;
            }
        };
        let found = timeout(DEADLINE, looking).await;
        assert!(found.is_ok(), "no more lines with {words:?}; {}", self.tail());
    }

    /// The end of the host's log.
    pub(crate) fn tail(&self) -> String {
        let text = std::fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = text.lines().rev().take(20).collect();
        lines.into_iter().rev().collect::<Vec<_>>().join("\n")
    }
}
