//! Writes the log of the host and of the handler, one line at a time, to the terminal or a file.
//! It never filters: what the handler writes is what the reader sees, with what a terminal would obey written out.

use std::{
    fs::{File, OpenOptions},
    io::Write,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};

use time::{OffsetDateTime, macros::format_description};

use super::error::Error;
use crate::escape;

/// The place of the log.
#[derive(Clone, Debug, Default)]
pub enum Log {
    /// The standard output of this process.
    #[default]
    Terminal,
    /// A file, to which lines are appended.
    File(PathBuf),
}

/// The severity of a line.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Level {
    Debug,
    Information,
    Warning,
    Error,
}

/// The open log; clones write to the same place.
#[derive(Clone, Debug)]
pub(crate) struct Logger(Option<Arc<Mutex<File>>>);

impl Logger {
    pub(crate) fn open(log: &Log) -> Result<Self, Error> {
        let Log::File(path) = log else {
            return Ok(Self(None));
        };
        let file = OpenOptions::new().create(true).append(true).open(path);
        let file = file.map_err(|source| Error::Log {
            path: path.display().to_string(),
            source,
        })?;
        Ok(Self(Some(Arc::new(Mutex::new(file)))))
    }

    pub(crate) fn write(&self, level: Level, category: &str, text: &str) {
        let format = format_description!("[hour]:[minute]:[second].[subsecond digits:3]");
        let now = OffsetDateTime::now_utc().format(format).unwrap_or_default();
        let level = match level {
            Level::Debug => "DBG",
            Level::Information => "INF",
            Level::Warning => "WRN",
            Level::Error => "ERR",
        };
        // What others have written must not look like a line of ours, nor do anything to a terminal.
        let line = format!("{now} {level} {category}: {}\n", escape::line(text));
        // A log that cannot be written must not take the host down with it.
        let _ = match &self.0 {
            None => std::io::stdout().lock().write_all(line.as_bytes()),
            Some(file) => file
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .write_all(line.as_bytes()),
        };
    }

    pub(crate) fn debug(&self, text: impl AsRef<str>) {
        self.write(Level::Debug, "Host", text.as_ref());
    }

    pub(crate) fn info(&self, text: impl AsRef<str>) {
        self.write(Level::Information, "Host", text.as_ref());
    }

    pub(crate) fn warning(&self, text: impl AsRef<str>) {
        self.write(Level::Warning, "Host", text.as_ref());
    }

    pub(crate) fn error(&self, text: impl AsRef<str>) {
        self.write(Level::Error, "Host", text.as_ref());
    }
}
