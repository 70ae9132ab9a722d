//! A process that serves one part of the system: what it does, what it refuses in words, and what it never connects to.
//! Never trusts a list of its own: which function is whose part's, the handler's one table says.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use devstack::{app_folder::workspace_root, stack::PartsLayout};
use handler::{
    config::Part,
    http::api::{TRIGGERS, endpoints, functions},
};
use hyper::StatusCode;
use serde_json::{Value, json};
use tokio::{net::TcpListener, process::Command};

use crate::{
    projections::account,
    support::{App, Call, Database, binary},
    system::System,
};

type Settings = BTreeMap<String, String>;

/// A service that takes connections, counts them, and says nothing.
struct SilentService {
    port: u16,
    connections: Arc<AtomicUsize>,
}

impl SilentService {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (port, connections) = (listener.local_addr().unwrap().port(), Arc::default());
        let counted: Arc<AtomicUsize> = Arc::clone(&connections);
        tokio::spawn(async move {
            while listener.accept().await.is_ok() {
                counted.fetch_add(1, Ordering::Relaxed);
            }
        });
        Self { port, connections }
    }

    fn was_reached(&self) -> bool {
        self.connections.load(Ordering::Relaxed) > 0
    }
}

fn owned(pairs: &[(&str, &str)]) -> Settings {
    let pairs = pairs.iter().map(|(name, value)| (*name, *value));
    pairs.map(|(name, value)| (name.into(), value.into())).collect()
}

/// Settings for everything, and this part.
fn settings(part: &str, postgres: u16, bus: u16, cosmos: u16) -> Settings {
    let bus = format!(
        "Endpoint=sb://127.0.0.1:{bus};SharedAccessKeyName=n;SharedAccessKey=k;UseDevelopmentEmulator=true"
    );
    owned(&[
        ("PARTS", part),
        ("PGHOST", "127.0.0.1"),
        ("PGPORT", &postgres.to_string()),
        ("PGUSER", "u"),
        ("PGDATABASE", "d"),
        ("PGSSLMODE", "disable"),
        ("ServiceBusConnection", &bus),
        ("ServiceBusTopic", "t"),
        ("COSMOS_ENDPOINT", &format!("http://127.0.0.1:{cosmos}/")),
        ("COSMOS_KEY", "a2V5"),
        ("COSMOS_DATABASE", "d"),
        ("AUTH", "development"),
        ("AZURE_FUNCTIONS_ENVIRONMENT", "Development"),
        ("FUNCTIONS_CUSTOMHANDLER_PORT", "0"),
    ])
}

/// One of the calls that the handler's table has.
fn call(method: &str, path: &str) -> Call {
    let path = path
        .replace("{id}", "0198c9c1-0000-7000-8000-000000000001")
        .replace("{sku}", "NONE")
        .replace("{sequence}", "1");
    Call::new(method, &format!("/api{path}"), json!({}))
}

#[test]
fn every_function_has_its_part_in_the_handlers_table() {
    let folders = fs::read_dir(workspace_root().join("functions")).unwrap();
    let mut defined = BTreeSet::new();
    for folder in folders.map(Result::unwrap) {
        let text = fs::read_to_string(folder.path().join("function.json")).unwrap();
        let definition: Value = serde_json::from_str(&text).unwrap();
        // The catch-all is everybody's.
        if definition["bindings"][0]["route"] != "{*path}" {
            defined.insert(folder.file_name().into_string().unwrap());
        }
    }
    let known: Vec<String> = functions().iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(known.iter().cloned().collect::<BTreeSet<_>>(), defined);
    assert_eq!(known.len(), defined.len(), "one is there twice: {known:?}");
}

#[test]
fn the_table_of_parts_in_the_docs_is_the_handlers() {
    let docs = fs::read_to_string(workspace_root().join("docs/architecture.md")).unwrap();
    let rows: Vec<Vec<&str>> = docs
        .lines()
        .map(|line| line.split('|').map(str::trim).collect())
        .skip_while(|cells: &Vec<&str>| !cells.starts_with(&["", "part", "functions"]))
        .skip(2)
        .take_while(|cells| cells.len() > 3)
        .collect();
    let listed: BTreeSet<(String, &str)> = rows
        .iter()
        .flat_map(|cells| {
            let names = cells[2]
                .split([',', ';'])
                .map(|name| name.trim().trim_matches('`'));
            names.map(|name| (cells[1].trim_matches('`').to_owned(), name))
        })
        .filter(|(_, name)| *name != "the catch-all")
        .collect();
    let word = |part: Option<Part>| part.map_or("all", Part::name).to_owned();
    let functions = functions();
    let known: BTreeSet<(String, &str)> = functions
        .iter()
        .map(|(name, part)| (word(*part), *name))
        .collect();
    assert_eq!(listed, known);
}

#[tokio::test]
async fn a_part_serves_its_own_functions_and_refuses_the_others_in_words() {
    for part in Part::ALL {
        // Nobody is there: what is served answers so, at once.
        let app = App::start_alone(settings(part.name(), 1, 1, 1)).await;
        for endpoint in endpoints() {
            let answer = app.call(&call(endpoint.method, endpoint.path)).await;
            let refused = answer.body["type"] == "urn:problem:orders:part-not-served";
            let other = endpoint.part.filter(|its| *its != part);
            assert_eq!(refused, other.is_some(), "{part}: {}: {answer:?}", endpoint.name);
            if let Some(other) = other {
                let words = format!(
                    "{} belongs to the part {other}, which this process does not serve",
                    endpoint.name
                );
                assert_eq!(
                    (answer.status, &answer.body["detail"]),
                    (StatusCode::NOT_FOUND, &json!(words))
                );
            }
        }
        for (name, its) in TRIGGERS {
            // Held, as if the documents were away.
            if its == Part::Projector || its == part {
                continue;
            }
            let answer = app.post(&format!("/{name}"), json!({})).await;
            assert_eq!(answer.status, StatusCode::OK, "{part}: {name}");
        }
    }
}

#[tokio::test]
async fn a_part_names_settings_of_no_use_and_never_connects_with_them() {
    for (part, unused, used) in [
        (
            "command",
            "COSMOS_DATABASE, COSMOS_ENDPOINT, COSMOS_KEY",
            [true, true, false],
        ),
        (
            "query",
            "PGDATABASE, PGHOST, PGPORT, PGSSLMODE, PGUSER, ServiceBusConnection, ServiceBusTopic",
            [false, false, true],
        ),
        (
            "projector",
            "PGDATABASE, PGHOST, PGPORT, PGSSLMODE, PGUSER",
            // Its host receives for it, and nobody lets it send: there is no link to try.
            [false, false, true],
        ),
    ] {
        let services = [
            SilentService::start().await,
            SilentService::start().await,
            SilentService::start().await,
        ];
        let [postgres, bus, cosmos] = services.each_ref().map(|service| service.port);
        let app = App::start_alone(settings(part, postgres, bus, cosmos)).await;
        app.logged(&format!("settings=\"{unused}\"")).await;
        for path in ["/RelayOutbox", "/RunJobs"] {
            app.post(path, json!({})).await;
        }
        app.post("/api/customers", json!({ "name": "Ada", "email": "a@b.c" }))
            .await;
        app.get("/api/products").await;
        let health = app.get("/api/health").await.body["components"].clone();
        let parts = ["writeModel", "bus", "readModel"];
        for ((name, service), used) in parts.iter().zip(&services).zip(used) {
            assert_eq!(health[name] != "off", used, "{part}: {health}");
            assert_eq!(service.was_reached(), used, "{part}: {name}");
        }
    }
}

#[tokio::test]
async fn a_part_is_ready_by_what_it_needs_alone() {
    let (cosmos, account) = account().await;
    let port: u16 = cosmos
        .endpoint()
        .rsplit(':')
        .next()
        .unwrap()
        .trim_matches('/')
        .parse()
        .unwrap();
    for (part, ready) in [
        ("query", true),
        ("projector", true),
        ("command", false),
        ("operator", false),
    ] {
        let mut all = settings(part, 1, 1, port);
        all.extend(account.clone());
        let app = App::start_alone(all).await;
        let answer = app.get("/api/health/ready").await;
        assert_eq!(answer.status == StatusCode::OK, ready, "{part}: {answer:?}");
    }
}

#[tokio::test]
async fn queries_never_turn_to_the_write_model() {
    let commands = App::start().await;
    let customer = commands.seed(&[("MUG", 3)]).await;
    let placed = commands.place(&customer, &[("MUG", 1)]).await;
    let (_cosmos, account) = account().await;
    let mut all = commands.database().settings(Database::server_address());
    all.extend(account);
    all.insert("PARTS".into(), "query".into());
    let queries = App::start_alone(all).await;
    let token = placed.headers["consistency-token"].to_str().unwrap();
    let ask = [("consistency-token", token), ("prefer", "wait=0")];
    let path = format!("/api/orders/{}", placed.id());
    let behind = queries.send("GET", &path, "", &ask).await;
    assert_eq!(
        (behind.status, &behind.body["type"]),
        (
            StatusCode::SERVICE_UNAVAILABLE,
            &json!("urn:problem:orders:read-model-behind")
        )
    );
}

#[tokio::test]
async fn a_part_without_its_settings_does_not_start() {
    for (parts, missing) in [
        ("command", "PGHOST"),
        ("query", "COSMOS_ENDPOINT"),
        ("projector", "ServiceBusConnection"),
        ("command,query", "PGHOST"),
        ("command,relay", "relay"),
        ("query,query", "query"),
        ("", "empty"),
    ] {
        let mut command = Command::new(binary());
        let output = command.env_clear().env("PARTS", parts).output().await.unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        assert_eq!(output.status.code(), Some(1), "{parts}: {said}");
        assert!(said.contains(missing) && said.contains("PARTS"), "{said}");
        assert_eq!(said.lines().count(), 1, "{said}");
    }
}

#[tokio::test]
async fn a_message_at_the_wrong_part_is_held_and_said_once() {
    // One process, whose host has not been told to leave that function alone.
    let system = System::start_changed(|options, _| {
        options.parts = PartsLayout::Together;
        options.environment = owned(&[("PARTS", "command,query,operator")]);
    })
    .await;
    system.client.seed(&[("MUG", 3)]).await;
    // The product, its stock, the customer.
    system
        .logged(&["message_of_another_part", "part=projector"])
        .await;
    system.relayed().await;
    let bus = system.stack.servicebus_switches();
    assert_eq!(
        bus.held("order-events/Subscriptions/read-model"),
        Some(3),
        "all are held"
    );
    // Each once: the handler answers none of them for minutes.
    assert_eq!(bus.counts().deliveries, 3);
    let log = fs::read_to_string(&system.log).unwrap();
    assert!(log.matches("message_of_another_part").count() <= 3, "{log}");
}
