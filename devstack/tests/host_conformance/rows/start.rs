//! The start of the handler: what it finds around it, and what waits until it is ready.
//! Never lets a handler get ready by a pause: a file that it waits for is made.

use std::{fs, thread};

use serde_json::json;
use tempfile::TempDir;

use crate::{
    app::App,
    bus::{Bus, FUNCTION},
    host::{Host, eventually},
    probe::{self, calls, kill_handler, pid},
    row::Row,
};

const TIMEOUT: [&str; 2] = ["customHandler", "initializationTimeout"];

fn variable(host: &Host, name: &str) -> String {
    probe::text(host, &format!("/api/environment/{name}"))
}

/// A file without which this app's handler does not get ready.
struct Gate(TempDir);

impl Gate {
    fn of(app: App) -> (Self, App) {
        let gate = Self(tempfile::tempdir().expect("a folder"));
        let app = app.setting(
            "PROBE_WAITS_FOR",
            &gate.0.path().join("open").display().to_string(),
        );
        (gate, app)
    }

    fn open(&self) {
        fs::write(self.0.path().join("open"), "").expect("to write it");
    }

    fn close(&self) {
        fs::remove_file(self.0.path().join("open")).expect("to remove it");
    }
}

pub(crate) const ROWS: &[Row] = &[
    Row::http(
        "the handler has the host's variables, and the app's folder",
        "5, environment",
        "the two names of its port, the two of its id, the app's root, which is the current folder too",
        |host| {
            let folder = probe::text(host, "/api/folder");
            assert_eq!(variable(host, "FUNCTIONS_APP_ROOT_PATH"), folder);
            let port = variable(host, "FUNCTIONS_CUSTOMHANDLER_PORT");
            assert!(port.parse::<u16>().is_ok_and(|port| port > 0), "{port}");
            assert_eq!(variable(host, "FUNCTIONS_HTTPWORKER_PORT"), port);
            let id = variable(host, "FUNCTIONS_CUSTOMHANDLER_WORKER_ID");
            assert!(!id.is_empty());
            assert_eq!(variable(host, "FUNCTIONS_HTTPWORKER_ID"), id);
        },
    ),
    Row::process(
        "the handler has all variables of the host's own",
        "5, environment",
        "all of the host's own",
        |start| {
            let host = start.start(&App::whole().setting("PROBE_OF_THE_APP", "yes"));
            assert_eq!(variable(&host, "SCRIPT_ROOT"), probe::text(&host, "/api/folder"));
            assert_eq!(variable(&host, "PROBE_OF_THE_APP"), "yes");
        },
    ),
    Row::process(
        "a request waits for a handler that is not ready",
        "5, not ready",
        "requests wait",
        |start| {
            let (gate, app) = Gate::of(App::whole());
            gate.open();
            let host = start.start(&app);
            let before = pid(&host);
            gate.close();
            kill_handler(before);
            host.logged(&["Language Worker Process exited"]);
            let asking = host.clone();
            let asking = thread::spawn(move || pid(&asking));
            eventually("the next handler starts", || {
                (host.lines("probe writes to stderr") == 2).then_some(())
            });
            assert!(!asking.is_finished(), "nobody is there to answer");
            gate.open();
            assert_ne!(asking.join().expect("an answer"), before);
        },
    ),
    Row::process(
        "a message waits for a handler that is not ready",
        "5, not ready",
        "messages wait",
        |start| {
            let bus = Bus::start("PT1M", 50);
            let (gate, app) = Gate::of(bus.app());
            gate.open();
            let host = start.start(&app);
            gate.close();
            kill_handler(pid(&host));
            eventually("the next handler starts", || {
                (host.lines("probe writes to stderr") == 2).then_some(())
            });
            bus.send("m-1", "{}");
            gate.open();
            let calls = calls(&host, FUNCTION, 1);
            assert_eq!(calls[0]["Metadata"]["DeliveryCount"], "1");
        },
    ),
    Row::process(
        "a handler that does not get ready has three tries, which end the host",
        "5, not ready",
        "three InitializationTimeouts end the host",
        |start| {
            // It runs and never listens; or it ends with 0, which hosts do not notice.
            for (setting, value) in [("PROBE_DEAF", "yes"), ("PROBE_EXIT_AT_ONCE", "0")] {
                let app = App::whole()
                    .setting(setting, value)
                    .host(&TIMEOUT, json!("00:00:00.3"));
                let host = start.launch(&app);
                host.ended();
                host.logged(&["Initializing HttpWorker timed out"]);
            }
        },
    ),
];
