//! Looks for PostgreSQL's programs: `PG_BIN`, then PATH, then the usual folders of Debian and Homebrew.
//! Never takes a version below 14; where there is none it asks `fetch` to get one.

use std::{
    io,
    path::{Path, PathBuf},
    process::Command,
};

use super::fetch;

/// Oldest major version whose features the write model uses.
const OLDEST: u32 = 14;

/// The folder with `initdb` and `postgres`, of the newest version there is.
///
/// # Errors
/// One line that says what to install.
pub(super) fn bin_folder() -> io::Result<PathBuf> {
    if let Some(folder) = std::env::var_os("PG_BIN").map(PathBuf::from) {
        let sound = major(&folder).is_some_and(|version| version >= OLDEST);
        let wrong = || {
            io::Error::other(format!(
                "PG_BIN: no PostgreSQL {OLDEST} or newer in {}",
                folder.display()
            ))
        };
        return if sound { Ok(folder) } else { Err(wrong()) };
    }
    if let Some(folder) = newest() {
        return Ok(folder);
    }
    let fetched = fetch::install().then(newest).flatten();
    fetched.ok_or_else(|| {
        io::Error::other(format!(
            "no PostgreSQL {OLDEST} or newer, and neither npm nor apt could get it: install it (Debian: apt-get install \
             postgresql; macOS: brew install postgresql@17) or set PG_BIN to the folder of its programs"
        ))
    })
}

/// The folder of this major version, which npm may have to bring.
pub(super) fn of_version(wanted: u32) -> io::Result<PathBuf> {
    let find = || {
        let mut all = installed().into_iter().chain(by_npm());
        all.find(|(version, _)| *version == wanted)
    };
    let missing = || io::Error::other(format!("no PostgreSQL {wanted} on this machine"));
    let folder = find().or_else(|| fetch::by_npm(wanted).unwrap_or(false).then(find).flatten());
    folder.map(|(_, folder)| folder).ok_or_else(missing)
}

/// The newest sound version on this machine; npm's only where there is no other.
fn newest() -> Option<PathBuf> {
    installed().pop().or_else(by_npm).map(|(_, folder)| folder)
}

/// Every sound version on this machine, the newest last.
fn installed() -> Vec<(u32, PathBuf)> {
    let on_path = std::env::var_os("PATH").map(|path| std::env::split_paths(&path).collect::<Vec<_>>());
    let mut found: Vec<(u32, PathBuf)> = on_path
        .unwrap_or_default()
        .into_iter()
        .chain(versions_in(Path::new("/usr/lib/postgresql"), "bin"))
        .chain(versions_in(Path::new("/opt/homebrew/opt"), "bin"))
        .chain(versions_in(Path::new("/usr/local/opt"), "bin"))
        .filter_map(sound)
        .collect();
    found.sort();
    found
}

/// What npm has brought.
fn by_npm() -> Option<(u32, PathBuf)> {
    fetch::npm_folder().and_then(sound)
}

/// The folder with its version, where that is new enough.
fn sound(folder: PathBuf) -> Option<(u32, PathBuf)> {
    let version = major(&folder).filter(|version| *version >= OLDEST)?;
    Some((version, folder))
}

fn versions_in(folder: &Path, below: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.path().join(below)).collect()
}

/// Major version of the server in this folder: `postgres (PostgreSQL) 15.14 (Debian …)` is 15.
pub(super) fn major(folder: &Path) -> Option<u32> {
    let (server, initdb) = (folder.join("postgres"), folder.join("initdb"));
    if !server.is_file() || !initdb.is_file() {
        return None;
    }
    let output = Command::new(server).arg("--version").output().ok()?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    said.split_whitespace().nth(2)?.split('.').next()?.parse().ok()
}
