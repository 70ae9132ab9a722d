//! What a stack starts and what it tells the handler, with the probe in the handler's place.
//! Never runs the handler itself: what that makes of its settings is for its own tests.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail the test")]

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use axum::body::Body;
use devstack::app_folder::{assemble, workspace_root};
use devstack::host::{HostTimes, HttpOptions, Log};
use devstack::stack::{
    Part, PartsLayout, Ports, PostgresChoice, ReadModel, Stack, StackOptions, StorageChoice,
};
use http_body_util::BodyExt as _;
use hyper::StatusCode;
use hyper_util::client::legacy::{Client, connect::HttpConnector};
use hyper_util::rt::TokioExecutor;
use tempfile::TempDir;

/// A stack whose handler writes down how it was asked to migrate, and is the probe otherwise.
struct Started {
    stack: Stack,
    client: Client<HttpConnector, Body>,
    folder: TempDir,
}

impl Started {
    async fn start(read_model: ReadModel, ports: Ports) -> Self {
        Self::start_parts(PartsLayout::Together, read_model, ports).await
    }

    async fn start_parts(parts: PartsLayout, read_model: ReadModel, ports: Ports) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let script = format!(
            "#!/bin/sh\ncase \"$1\" in\n  migrate) echo \"$@\" > '{}' ;;\n  *) exec '{}' ;;\nesac\n",
            folder.path().join("migrated").display(),
            probe().display(),
        );
        let handler = folder.path().join("script");
        fs::write(&handler, script).unwrap();
        fs::set_permissions(&handler, fs::Permissions::from_mode(0o755)).unwrap();
        let (root, app_dir) = (workspace_root(), folder.path().join("app"));
        assemble(&root, &handler, &app_dir).unwrap();
        let every_second = ("RelaySchedule".to_owned(), "* * * * * *".to_owned());
        let stack = Stack::start(StackOptions {
            like_azure: None,
            root,
            ports,
            app_dir,
            log: Log::File(folder.path().join("host.log")),
            faults: true,
            environment: [every_second].into(),
            postgres: PostgresChoice::Own,
            read_model,
            storage: StorageChoice::Inner,
            times: HostTimes::default(),
            parts,
            http: HttpOptions::default(),
        });
        let stack = stack.await.unwrap();
        stack.check_health().await.unwrap();
        Self {
            stack,
            client: Client::builder(TokioExecutor::new()).build_http(),
            folder,
        }
    }

    fn wrote(&self, file: &str) -> String {
        fs::read_to_string(self.folder.path().join(file)).unwrap()
    }

    async fn get(&self, path: &str) -> (StatusCode, String) {
        self.get_of(self.stack.url(), path).await
    }

    async fn get_of(&self, host: &str, path: &str) -> (StatusCode, String) {
        let url = format!("{host}/api/{path}");
        let answer = self.client.get(url.parse().unwrap()).await.unwrap();
        let status = answer.status();
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        (status, String::from_utf8(body.to_vec()).unwrap())
    }

    /// What the handler's process has as this variable.
    async fn variable(&self, name: &str) -> String {
        self.get(&format!("environment/{name}")).await.1
    }
}

fn probe() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let target = test.ancestors().nth(2).unwrap();
    target.join("examples/probe_handler")
}

fn taken() -> (TcpListener, u16) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    (listener, port)
}

const PROJECTING: [&str; 6] = [
    "ServiceBusConnection",
    "ServiceBusTopic",
    "ServiceBusSubscription",
    "COSMOS_ENDPOINT",
    "COSMOS_KEY",
    "COSMOS_DATABASE",
];

#[tokio::test]
async fn a_read_model_in_postgresql_needs_neither_bus_nor_documents() {
    let ((_bus, servicebus), (_account, cosmos)) = (taken(), taken());
    let ports = Ports {
        servicebus,
        cosmos,
        ..Ports::default()
    };
    let started = Started::start(ReadModel::Postgres, ports).await;
    assert!(
        started
            .wrote("migrated")
            .ends_with("_app --read-model postgres\n")
    );
    assert_eq!(started.variable("READ_MODEL").await, "postgres");
    for name in PROJECTING {
        assert_eq!(started.variable(name).await, "", "{name}");
    }
    let wires = started.stack.faults().unwrap();
    let wire = wires.postgres.address().port().to_string();
    assert_eq!(started.variable("PGPORT").await, wire);
    assert!(
        started
            .wrote("host.log")
            .contains("Disabled function ProjectEvent")
    );
    assert_eq!(started.get("calls/RelayOutbox/1").await.0, StatusCode::OK);
    started.stack.stop().await.unwrap();
}

#[tokio::test]
async fn a_read_model_in_cosmos_db_has_both_behind_wires() {
    let started = Started::start(ReadModel::Cosmos, Ports::default()).await;
    assert!(!started.wrote("migrated").contains("--read-model"));
    assert_eq!(started.variable("READ_MODEL").await, "");
    for name in PROJECTING {
        assert_ne!(started.variable(name).await, "", "{name}");
    }
    let wires = started.stack.faults().unwrap();
    let bus = started.variable("ServiceBusConnection").await;
    assert!(bus.contains(&wires.servicebus.address().to_string()), "{bus}");
    let account = started.variable("COSMOS_ENDPOINT").await;
    assert!(account.contains(&wires.cosmos.address().to_string()), "{account}");
    assert!(started.wrote("host.log").contains("Found function ProjectEvent"));
    started.stack.stop().await.unwrap();
}

#[tokio::test]
async fn each_part_of_a_split_stack_has_a_host_and_only_its_own_settings() {
    for read_model in [ReadModel::Cosmos, ReadModel::Postgres] {
        let started = Started::start_parts(PartsLayout::Split, read_model, Ports::default()).await;
        let urls = started.stack.urls();
        let parts: Vec<Part> = urls.iter().filter_map(|(part, _)| *part).collect();
        let tables = read_model == ReadModel::Postgres;
        let all = [Part::Command, Part::Query, Part::Operator, Part::Projector];
        assert_eq!(parts, all[..if tables { 3 } else { 4 }]);
        for (part, url) in urls {
            let part = part.unwrap();
            let said = started.get_of(url, "environment/PARTS").await.1;
            assert_eq!(said, part.name());
            for (name, users) in [
                ("PGHOST", &[Part::Command, Part::Operator][..]),
                (
                    "ServiceBusConnection",
                    &[Part::Command, Part::Operator, Part::Projector],
                ),
                ("COSMOS_KEY", &[Part::Query, Part::Operator, Part::Projector]),
            ] {
                let expected = if tables {
                    name == "PGHOST"
                } else {
                    users.contains(&part)
                };
                let (_, value) = started.get_of(url, &format!("environment/{name}")).await;
                assert_eq!(!value.is_empty(), expected, "{}: {name}", part.name());
            }
        }
        let listening = started
            .wrote("host.log")
            .matches("Found function ProjectEvent")
            .count();
        assert_eq!(listening, usize::from(!tables), "only the projector listens");
        started.stack.stop().await.unwrap();
    }
}
