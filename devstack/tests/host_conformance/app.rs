//! An app folder with the probe as its handler, as a host takes it: host.json, functions, local.settings.json.
//! Never starts anything.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

/// The handler of the suite, among the examples of this package.
const PROBE: &str = "probe_handler";

/// What a folder will hold.
#[derive(Clone)]
pub(crate) struct App {
    host: Value,
    functions: Vec<(String, Value)>,
    settings: Map<String, Value>,
}

impl App {
    /// One that proxies, and has no function yet.
    pub(crate) fn new() -> Self {
        let settings = json!({
            "FUNCTIONS_WORKER_RUNTIME": "custom",
            "AzureWebJobsStorage": "UseDevelopmentStorage=true",
        });
        let host = json!({
            "version": "2.0",
            "customHandler": {
                "description": { "defaultExecutablePath": PROBE },
                "enableProxyingHttpRequest": true,
            },
        });
        Self {
            host,
            functions: Vec::new(),
            settings: settings.as_object().cloned().unwrap_or_default(),
        }
    }

    /// One whose HTTP requests all reach the probe.
    pub(crate) fn whole() -> Self {
        Self::new().http("Probe", "{*path}", &[])
    }

    /// Changes a member of host.json, by its path.
    pub(crate) fn host(mut self, pointer: &[&str], value: Value) -> Self {
        let mut place = &mut self.host;
        for name in pointer {
            place = &mut place[*name];
        }
        *place = value;
        self
    }

    /// An HTTP function; without methods it takes all.
    pub(crate) fn http(self, name: &str, route: &str, methods: &[&str]) -> Self {
        let mut trigger = json!({
            "type": "httpTrigger", "direction": "in", "name": "request", "authLevel": "anonymous", "route": route,
        });
        if !methods.is_empty() {
            trigger["methods"] = json!(methods);
        }
        let output = json!({ "type": "http", "direction": "out", "name": "response" });
        self.function(name, json!([trigger, output]))
    }

    pub(crate) fn timer(self, name: &str, schedule: &str) -> Self {
        let timer =
            json!({ "type": "timerTrigger", "direction": "in", "name": "timer", "schedule": schedule });
        self.function(name, json!([timer]))
    }

    pub(crate) fn function(mut self, name: &str, bindings: Value) -> Self {
        let definition = json!({ "bindings": bindings });
        self.functions.push((name.to_owned(), definition));
        self
    }

    /// A setting of the app; the probe reads `PROBE_…`.
    pub(crate) fn setting(mut self, name: &str, value: &str) -> Self {
        self.settings.insert(name.to_owned(), json!(value));
        self
    }

    /// Writes all of it, and the handler, into this folder.
    pub(crate) fn write(&self, folder: &Path) {
        let write = |path: &Path, value: &Value| {
            let parent = path.parent().expect("a parent");
            std::fs::create_dir_all(parent).expect("to make it");
            std::fs::write(path, format!("{value:#}\n")).expect("to write it");
        };
        write(&folder.join("host.json"), &self.host);
        let settings = json!({ "IsEncrypted": false, "Values": self.settings });
        write(&folder.join("local.settings.json"), &settings);
        for (name, definition) in &self.functions {
            write(&folder.join(name).join("function.json"), definition);
        }
        let handler = folder.join(PROBE);
        // Another one may be running: its file is left to it.
        let copy = folder.join(format!(".{PROBE}"));
        std::fs::copy(probe(), &copy).expect("to copy it");
        std::fs::rename(copy, handler).expect("to put it there");
    }
}

fn probe() -> PathBuf {
    let own = std::env::current_exe().expect("a path");
    let target = own.ancestors().nth(2).expect("a target folder");
    let probe = target.join("examples").join(PROBE);
    assert!(
        probe.exists(),
        "build it first: cargo build -p devstack --examples"
    );
    probe
}
