//! A row: a sentence about the host, where it comes from, what the real host did, and how to ask.
//! Never a word about the handler of this app: the suite has its own.

use crate::{
    app::App,
    host::{Host, Start},
};

/// One thing that the real host was seen to do.
pub(crate) struct Row {
    /// A sentence about the host.
    pub(crate) name: &'static str,
    /// The section of the notes on the run of 2026-11-27; docs/run-with-core-tools.md says what ran.
    pub(crate) source: &'static str,
    /// What the real host did.
    pub(crate) seen: &'static str,
    pub(crate) check: Check,
}

/// How a host is asked, and so which can be.
pub(crate) enum Check {
    /// Over HTTP alone: any host that runs the suite's app folder.
    Http(fn(&Host)),
    /// A host of the row's own, which a command starts over an app folder.
    Process(fn(&Start)),
    /// What can be asked of the stand-in only.
    StandIn(fn(&Start)),
}

impl Row {
    pub(crate) const fn http(
        name: &'static str,
        source: &'static str,
        seen: &'static str,
        check: fn(&Host),
    ) -> Self {
        Self {
            name,
            source,
            seen,
            check: Check::Http(check),
        }
    }

    pub(crate) const fn process(
        name: &'static str,
        source: &'static str,
        seen: &'static str,
        check: fn(&Start),
    ) -> Self {
        Self {
            name,
            source,
            seen,
            check: Check::Process(check),
        }
    }

    pub(crate) const fn stand_in(
        name: &'static str,
        source: &'static str,
        seen: &'static str,
        check: fn(&Start),
    ) -> Self {
        Self {
            name,
            source,
            seen,
            check: Check::StandIn(check),
        }
    }
}

/// The app folder that rows over HTTP ask for.
pub(crate) fn common() -> App {
    App::new()
        .http("Echo", "echo/{*rest}", &[])
        .http("First", "order/{what}", &["get"])
        .http("Second", "order/fixed", &["get"])
        .http("Calls", "calls/{name}/{count}", &["get"])
        .http("Cut", "cut/{name}", &[])
        .http("Environment", "environment/{name}", &["get"])
        .http("Folder", "folder", &["get"])
        .timer("Yearly", "0 0 0 1 1 *")
        .setting("AzureWebJobs.First.Disabled", "true")
}
