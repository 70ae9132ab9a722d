//! How safe the server keeps its data: not at all for tests, as it comes for measuring.
//! Never changes anything else about the server.

use std::path::{Path, PathBuf};

/// The fate of commits when the machine fails, and with it the price of a commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// Nothing is kept safe: quick, for data that is thrown away.
    Off,
    /// As PostgreSQL comes: every commit is on the disk before it is answered. For measuring.
    Stock,
}

impl Durability {
    /// Settings that differ from what `initdb` wrote.
    pub(super) fn settings(self) -> Vec<String> {
        let settings: &[&str] = match self {
            Self::Off => &[
                "-cfsync=off",
                "-csynchronous_commit=off",
                "-cfull_page_writes=off",
                "-cshared_buffers=64MB",
                "-cmax_connections=200",
            ],
            Self::Stock => &[],
        };
        settings.iter().map(|setting| (*setting).to_owned()).collect()
    }

    /// The folder for the cluster. The temporary folder may be memory; `/var/tmp` outlives a restart, so it is a disk.
    pub(super) fn folder(self) -> PathBuf {
        let disk = Path::new("/var/tmp");
        match self {
            Self::Stock if disk.is_dir() => disk.to_path_buf(),
            Self::Stock | Self::Off => std::env::temp_dir(),
        }
    }
}
