//! The handler as a process.
//! Never outlives its test.

use std::{collections::BTreeMap, process::Stdio};

use devstack::stack::PartsLayout;
use futures_util::future::join_all;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
    sync::watch,
    time::timeout,
};

use super::{Client, DEADLINE, Database, binary, layout, parts::divided};

/// A running handler; the requests of [`Client`] go to it.
pub(crate) struct App {
    database: Option<Database>,
    pub(crate) process: Child,
    /// In a split run, those of the other parts.
    _others: Vec<Child>,
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
        let mut app = match layout() {
            PartsLayout::Together => Self::start_alone(settings).await,
            PartsLayout::Split => Self::start_split(&settings).await,
        };
        app.database = Some(database);
        app
    }

    /// Like [`Self::start_with`], and one process in a split run too: for what is about a process.
    pub(crate) async fn start_whole(database: Database, settings: BTreeMap<String, String>) -> Self {
        let mut app = Self::start_alone(settings).await;
        app.database = Some(database);
        app
    }

    pub(crate) fn database(&self) -> &Database {
        self.database.as_ref().expect("it was started with one")
    }

    /// Starts with these settings and no database of its own.
    pub(crate) async fn start_alone(settings: BTreeMap<String, String>) -> Self {
        let (said, log) = watch::channel(String::new());
        let (process, url) = start(&settings, said).await;
        Self {
            database: None,
            process,
            _others: Vec::new(),
            client: Client::new(url),
            log,
        }
    }

    /// A process for each part; the first is that of commands.
    async fn start_split(settings: &BTreeMap<String, String>) -> Self {
        let (said, log) = watch::channel(String::new());
        let parts = divided(settings);
        let started = join_all(parts.iter().map(|(_, settings)| start(settings, said.clone()))).await;
        let (mut processes, urls): (Vec<Child>, Vec<String>) = started.into_iter().unzip();
        let urls: Vec<_> = parts.into_iter().map(|(part, _)| part).zip(urls).collect();
        Self {
            database: None,
            process: processes.remove(0),
            _others: processes,
            client: Client::over(urls, ""),
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

/// Starts a handler; where it listens. What it says from then on is appended.
async fn start(settings: &BTreeMap<String, String>, said: watch::Sender<String>) -> (Child, String) {
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
    (process, format!("http://{address}"))
}
