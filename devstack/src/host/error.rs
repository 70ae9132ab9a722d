//! Every way in which starting the host can fail, each as one line that names its place.
//! It never describes a failed invocation: those are logged, and answered with 500.

use std::io;

/// A reason for which the host did not start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file of the script root cannot be read, or does not say what it has to say.
    #[error("{file}: {problem}")]
    File {
        /// The file, relative to the script root.
        file: String,
        /// The field and what is wrong with it.
        problem: String,
    },
    /// Valid for the real host, but not something that this stand-in does.
    #[error("{file}: {field} is not supported by the stand-in: {reason}")]
    Unsupported {
        /// The file, relative to the script root.
        file: String,
        /// The field that asks for it.
        field: String,
        /// The stand-in's own way, or the reason that it has none.
        reason: String,
    },
    /// A setting is missing or unusable.
    #[error("setting {name}: {problem}")]
    Setting {
        /// The name of the setting.
        name: String,
        /// The fault in it.
        problem: String,
    },
    /// The address to listen on belongs to another program.
    #[error("port {port} is already in use")]
    PortTaken {
        /// The port.
        port: u16,
    },
    /// The host cannot listen for another reason.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// The address.
        address: std::net::SocketAddr,
        /// The error of the operating system.
        source: io::Error,
    },
    /// The log file cannot be opened.
    #[error("cannot open the log {path}: {source}")]
    Log {
        /// The path of the file.
        path: String,
        /// The error of the operating system.
        source: io::Error,
    },
    /// The handler did not get ready.
    #[error("{0}")]
    Handler(String),
}

impl Error {
    pub(crate) fn file(file: impl Into<String>, problem: impl Into<String>) -> Self {
        Self::File {
            file: file.into(),
            problem: problem.into(),
        }
    }

    pub(crate) fn unsupported(
        file: impl Into<String>,
        field: impl Into<String>,
        reason: impl Into<String>,
    ) -> Self {
        Self::Unsupported {
            file: file.into(),
            field: field.into(),
            reason: reason.into(),
        }
    }
}
