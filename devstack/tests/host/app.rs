//! An app folder with the probe as its handler, a host that runs it and a client that calls it.
//! Never shares anything between tests: each has its folder, its ports and its processes.

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use axum::body::Body;
use devstack::host::{Error, Host, HostOptions, HostTimes, HttpOptions, InnerStorage, Log, SignIn};
use http_body_util::BodyExt;
use hyper::{Request, Response, StatusCode, body::Incoming};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use serde_json::{Value, json};
use tempfile::TempDir;

pub(crate) use crate::broker::within;

/// Asks again and again, until there is an answer or the deadline has passed.
pub(crate) async fn eventually<T>(mut ask: impl FnMut() -> Option<T>) -> T {
    let mut again = tokio::time::interval(Duration::from_millis(10));
    within(async {
        loop {
            again.tick().await;
            if let Some(answer) = ask() {
                return answer;
            }
        }
    })
    .await
}

/// An app folder that is being written.
pub(crate) struct App {
    pub(crate) folder: TempDir,
    pub(crate) environment: BTreeMap<String, String>,
    pub(crate) without: Vec<String>,
    pub(crate) sign_in: SignIn,
    pub(crate) storage: InnerStorage,
    pub(crate) times: HostTimes,
    pub(crate) http: HttpOptions,
}

impl App {
    /// host.json and the functions to look into the probe.
    pub(crate) fn new() -> Self {
        let app = Self {
            folder: tempfile::tempdir().expect("a folder"),
            environment: BTreeMap::new(),
            without: Vec::new(),
            sign_in: SignIn::default(),
            storage: InnerStorage::default(),
            times: HostTimes::default(),
            http: HttpOptions::default(),
        };
        let probe = std::env::current_exe().expect("a path");
        let probe = probe
            .parent()
            .and_then(|deps| deps.parent())
            .expect("a target folder");
        let probe = probe.join("examples").join("probe_handler");
        assert!(
            probe.exists(),
            "build it first: cargo build -p devstack --examples"
        );
        app.host_json(json!({
            "version": "2.0",
            "customHandler": {
                "description": { "defaultExecutablePath": probe },
                "enableProxyingHttpRequest": true,
            },
        }))
        .http("Calls", "calls/{name}/{count}")
        .http("Exit", "exit/{code}")
        .http("Release", "release")
        .setting("FUNCTIONS_WORKER_RUNTIME", "custom")
        .setting("AzureWebJobsStorage", "UseDevelopmentStorage=true")
    }

    pub(crate) fn write(self, path: &str, text: impl ToString) -> Self {
        let path = self.folder.path().join(path);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("to create it");
        std::fs::write(path, text.to_string()).expect("to write it");
        self
    }

    pub(crate) fn host_json(self, value: Value) -> Self {
        self.write("host.json", value)
    }

    /// A setting that overrides a key of host.json.
    pub(crate) fn host(self, key: &str, value: &str) -> Self {
        self.setting(&format!("AzureFunctionsJobHost__{key}"), value)
    }

    pub(crate) fn setting(mut self, name: &str, value: &str) -> Self {
        self.environment.insert(name.to_owned(), value.to_owned());
        self
    }

    /// A setting that only `setting` gives, from here on or before.
    pub(crate) fn without(mut self, name: &str) -> Self {
        self.without.push(name.to_owned());
        self
    }

    pub(crate) fn function(self, name: &str, bindings: Value) -> Self {
        self.write(&format!("{name}/function.json"), json!({ "bindings": bindings }))
    }

    pub(crate) fn http(self, name: &str, route: &str) -> Self {
        let trigger = json!({ "type": "httpTrigger", "direction": "in", "name": "request", "route": route });
        self.function(
            name,
            json!([trigger, { "type": "http", "direction": "out", "name": "response" }]),
        )
    }

    pub(crate) fn timer(self, name: &str, schedule: &str) -> Self {
        let timer = json!({ "type": "timerTrigger", "direction": "in", "name": "timer", "schedule": schedule, "useMonitor": false });
        self.function(name, json!([timer]))
    }

    pub(crate) fn times(mut self, change: impl FnOnce(&mut HostTimes)) -> Self {
        change(&mut self.times);
        self
    }

    fn log(&self) -> PathBuf {
        self.folder.path().join("host.log")
    }

    /// Waits until the log has a line with all these words.
    pub(crate) async fn logged(&self, words: &[&str]) {
        eventually(|| {
            let text = std::fs::read_to_string(self.log()).unwrap_or_default();
            text.lines()
                .any(|line| words.iter().all(|word| line.contains(word)))
                .then_some(())
        })
        .await;
    }

    pub(crate) fn options(&self) -> HostOptions {
        HostOptions {
            script_root: self.folder.path().to_owned(),
            listen: "127.0.0.1:0".parse().expect("an address"),
            environment: self.environment.clone(),
            without: self.without.clone(),
            log: Log::File(self.log()),
            sign_in: self.sign_in.clone(),
            storage: self.storage.clone(),
            times: self.times,
            http: self.http.clone(),
        }
    }

    pub(crate) async fn start(self) -> Running {
        let host = within(Host::start(self.options()))
            .await
            .expect("the host starts");
        Running {
            host,
            app: self,
            client: Client::builder(TokioExecutor::new()).build_http(),
        }
    }

    /// The error with which the host refuses this folder.
    pub(crate) async fn refused(self) -> String {
        match within(Host::start(self.options())).await {
            Ok(_) => panic!("the host started"),
            Err(error @ Error::Handler(_)) => error.to_string(),
            Err(error) => error.to_string(),
        }
    }
}

/// A running host.
pub(crate) struct Running {
    pub(crate) host: Host,
    pub(crate) app: App,
    pub(crate) client: Client<HttpConnector, Body>,
}

impl Running {
    pub(crate) async fn send(&self, request: Request<Body>) -> Response<Incoming> {
        within(self.client.request(request))
            .await
            .expect("the host answers")
    }

    pub(crate) fn request(&self, method: &str, path: &str) -> hyper::http::request::Builder {
        Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.host.url()))
    }

    pub(crate) async fn call(&self, method: &str, path: &str) -> (StatusCode, Vec<u8>) {
        let request = self.request(method, path).body(Body::empty()).expect("a request");
        let (head, body) = self.send(request).await.into_parts();
        let body = within(body.collect())
            .await
            .map(|body| body.to_bytes().to_vec())
            .unwrap_or_default();
        (head.status, body)
    }

    pub(crate) async fn json(&self, method: &str, path: &str) -> Value {
        let (_, body) = self.call(method, path).await;
        serde_json::from_slice(&body).expect("JSON")
    }

    /// Waits until the function has been called so often by this process of the probe.
    pub(crate) async fn calls(&self, name: &str, count: usize) -> Vec<Value> {
        let calls = self.json("GET", &format!("/api/calls/{name}/{count}")).await;
        calls.as_array().expect("a list").clone()
    }

    /// Waits until the log has a line with all these words.
    pub(crate) async fn logged(&self, words: &[&str]) {
        self.app.logged(words).await;
    }

    /// How many lines of the log say this so far.
    pub(crate) fn lines(&self, words: &str) -> usize {
        let text = std::fs::read_to_string(self.app.log()).unwrap_or_default();
        text.lines().filter(|line| line.contains(words)).count()
    }

    /// Waits for a process other than this one.
    pub(crate) async fn another_pid(&self, than: u32) -> u32 {
        eventually(|| self.host.handler_pid().filter(|pid| *pid != than)).await
    }

    pub(crate) async fn stop(self) {
        within(self.host.stop()).await;
    }
}
