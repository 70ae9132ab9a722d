//! The handler as a process.
//! Never outlives its test.

use std::{collections::BTreeMap, process::Stdio};

use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
    sync::watch,
    time::timeout,
};

use super::{Client, DEADLINE, Database, binary};

/// A running handler; the requests of [`Client`] go to it.
pub(crate) struct App {
    database: Option<Database>,
    pub(crate) process: Child,
    client: Client,
    log: watch::Receiver<String>,
}

impl std::ops::Deref for App {
    type Target = Client;
    fn deref(&self) -> &Client {
        &self.client
    }
}

impl App {
    pub(crate) async fn start() -> Self {
        let database = Database::create().await;
        let settings = database.settings(Database::server_address());
        Self::start_with(database, settings).await
    }

    pub(crate) async fn start_with(database: Database, settings: BTreeMap<String, String>) -> Self {
        let app = Self::start_alone(settings).await;
        Self {
            database: Some(database),
            ..app
        }
    }

    pub(crate) fn database(&self) -> &Database {
        self.database.as_ref().expect("it was started with one")
    }

    /// Starts with these settings and no database of its own.
    pub(crate) async fn start_alone(settings: BTreeMap<String, String>) -> Self {
        let mut command = Command::new(binary());
        command
            .env_clear()
            .envs(settings)
            .stdout(Stdio::piped())
            .kill_on_drop(true);
        let mut process = command.spawn().unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let listening = async {
            while let Some(line) = lines.next_line().await.unwrap() {
                if let Some((_, address)) = line.split_once("listening address=") {
                    return address.trim().to_owned();
                }
            }
            panic!("the handler ended before it listened");
        };
        let address = timeout(DEADLINE, listening).await.unwrap();
        let (said, log) = watch::channel(String::new());
        tokio::spawn(async move {
            while let Ok(Some(line)) = lines.next_line().await {
                // Why it was a 500, where a test did not expect one.
                if ["request_failed", "panicked"]
                    .iter()
                    .any(|word| line.contains(word))
                {
                    eprintln!("{line}");
                }
                said.send_modify(|log| log.extend([line.as_str(), "\n"]));
            }
        });
        Self {
            database: None,
            process,
            client: Client::new(format!("http://{address}")),
            log,
        }
    }

    /// Waits until the log says this.
    pub(crate) async fn logged(&self, words: &str) {
        let mut log = self.log.clone();
        let found = timeout(DEADLINE, log.wait_for(|log| log.contains(words))).await;
        assert!(matches!(found, Ok(Ok(_))), "{words:?} is not in the log");
    }
}
