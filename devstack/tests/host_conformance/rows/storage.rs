//! The storage account, which holds the timers' locks: an outage, a start without it, and several hosts on it.
//! Never the account of another row; without Node.js these rows say that they did not run.

use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use serde_json::json;

use crate::{
    app::App,
    bus::{Bus, FUNCTION},
    probe::{calls, is_running, pid},
    row::Row,
    storage::StorageAccount,
};

/// A timer on this account that runs as soon as its lock allows, and then each second.
fn ticking(app: App, storage: &StorageAccount) -> App {
    let timer = json!([{
        "type": "timerTrigger", "direction": "in", "name": "timer", "schedule": "* * * * * *", "runOnStartup": true,
    }]);
    // Hosts of one name share their timers.
    app.function("Tick", timer)
        .setting("AzureWebJobsStorage", &storage.connection_string())
        .setting("AzureFunctionsWebHost__hostid", "conformance")
}

pub(crate) const ROWS: &[Row] = &[
    Row::process(
        "a host whose storage account goes away ends itself with 0",
        "2, storage",
        "Azurite killed: the host shut itself down 41 to 43 s later, exit code 0; the stand-in's times are a 20th",
        |start| {
            let Some(storage) = StorageAccount::start() else {
                return;
            };
            let host = start.start_hurried(&ticking(App::whole(), &storage));
            let process = pid(&host);
            calls(&host, "Tick", 1);
            storage.take_away();
            let asked = Instant::now();
            assert_eq!(host.ended(), 0);
            let took = asked.elapsed();
            // From the next renewal of the lock on, which may be due at once.
            let (least, most) = (start.hurried(12), start.hurried(45) + Duration::from_secs(10));
            assert!(took >= least && took < most, "{took:?}");
            assert!(!is_running(process));
            host.logged(&["lock renewal failed"]);
        },
    ),
    Row::process(
        "without storage HTTP and the bus work, and timers wait for it",
        "2, storage",
        "ready after 28 s, RelayOutbox did not run; 12 s after storage was back it ran; the stand-in's times are a 20th",
        |start| {
            let Some(storage) = StorageAccount::start() else {
                return;
            };
            let bus = Bus::start("PT1M", 3);
            storage.take_away();
            let host = start.start_hurried(&ticking(bus.app(), &storage));
            bus.send("m-1", "{}");
            calls(&host, FUNCTION, 1);
            assert!(calls(&host, "Tick", 0).is_empty());
            storage.give_back();
            calls(&host, "Tick", 1);
        },
    ),
    Row::process(
        "of two hosts on one storage account one runs the timer, then the other",
        "6, two hosts",
        "the timer ran on one host only",
        |start| {
            let Some(storage) = StorageAccount::start() else {
                return;
            };
            let app = ticking(App::whole(), &storage);
            let one = start.start_hurried(&app);
            calls(&one, "Tick", 1);
            let other = start.start_hurried(&app);
            let ticks = calls(&one, "Tick", 0).len();
            calls(&one, "Tick", ticks + 3);
            assert!(calls(&other, "Tick", 0).is_empty());
            one.signal(Signal::SIGTERM);
            one.ended();
            calls(&other, "Tick", 1);
        },
    ),
];
