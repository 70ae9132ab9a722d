//! Who is asked: the stand-in, or the host that `HOST_URL` or `HOST_COMMAND` name.
//! Never starts the same host twice for rows that need nothing of their own.

use std::{
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use crate::{
    host::{Host, KEY, Start},
    row::{Check, common},
};

/// A host, by where it is or how it starts.
pub(crate) struct Subject {
    url: Option<String>,
    start: Option<Start>,
    /// The one that rows over HTTP share.
    shared: Mutex<Option<Host>>,
}

impl Subject {
    /// Without App Service authentication before it, as the real host ran.
    pub(crate) fn stand_in() -> Self {
        let program = env!("CARGO_BIN_EXE_devstack");
        let command = format!(
            "'{program}' host --port \"$PORT\" --script-root \"$SCRIPT_ROOT\" --no-easy-auth --master-key {KEY}"
        );
        Self {
            url: None,
            start: Some(Start::stand_in(command)),
            shared: Mutex::new(None),
        }
    }

    /// The host that the environment names; its app folder is written where it is asked for by its address.
    pub(crate) fn from_environment() -> Option<Self> {
        let folder = folder();
        common().write(&folder);
        let (url, command) = (std::env::var("HOST_URL").ok(), std::env::var("HOST_COMMAND").ok());
        if url.is_none() && command.is_none() {
            eprintln!(
                "HOST_URL and HOST_COMMAND name no other host; one may run {}",
                folder.display()
            );
            return None;
        }
        Some(Self {
            url,
            start: command.map(Start::by),
            shared: Mutex::new(None),
        })
    }

    /// True when this host can be asked so.
    pub(crate) fn can(&self, check: &Check) -> bool {
        match check {
            Check::Http(_) => true,
            Check::Process(_) => self.start.is_some(),
            Check::StandIn(_) => false,
        }
    }

    /// Asks; panics where the answer is another than the real host's.
    pub(crate) fn ask(&self, check: &Check) {
        match (check, &self.start) {
            (Check::Http(check), _) => check(&self.shared()),
            (Check::Process(check) | Check::StandIn(check), Some(start)) => check(start),
            (Check::Process(_) | Check::StandIn(_), None) => panic!("this host cannot be started"),
        }
    }

    fn shared(&self) -> Host {
        let mut shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        let host = shared.get_or_insert_with(|| match (&self.url, &self.start) {
            (Some(url), _) => Host::at(url),
            (None, Some(start)) => start.start(&common()),
            (None, None) => panic!("there is no host"),
        });
        host.clone()
    }

    /// Ends the shared host, if it was started.
    pub(crate) fn stop(&self) {
        drop(self.shared.lock().unwrap_or_else(PoisonError::into_inner).take());
    }
}

/// Where the app folder for `HOST_URL` is written.
fn folder() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("host_conformance")
}
