//! Which stacks run on this machine: each writes down, under its name, what the handler's tools need to reach it.
//! Never takes a stack that was killed for one that runs: a file counts while its stack holds the lock on it.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use serde::{Deserialize, Serialize};

/// Another process may just be looking whether the file's stack runs.
const TRIES: u32 = 20;
const PAUSE: Duration = Duration::from_millis(10);

/// The start of a stack's handler, so that its tools reach the same services.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Launch {
    /// The app folder.
    pub(crate) app_dir: PathBuf,
    /// Settings over all others.
    pub(crate) environment: BTreeMap<String, String>,
    /// Settings that are taken from nowhere else.
    pub(crate) without: Vec<String>,
}

/// A name that is this stack's as long as it lives; the file goes with it.
#[derive(Debug)]
pub(crate) struct StackEntry {
    path: PathBuf,
    file: File,
}

/// The folder in which the stacks of this target folder are written down.
pub(crate) fn folder() -> Result<PathBuf> {
    let program = std::env::current_exe()?;
    let target = program.ancestors().nth(2);
    Ok(target
        .context("this program is in no target folder")?
        .join("stacks"))
}

impl StackEntry {
    /// Takes this name, and clears away what killed stacks have left.
    pub(crate) fn claim(folder: &Path, name: &str) -> Result<Self> {
        let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "-_".contains(letter);
        if name.is_empty() || !name.chars().all(is_plain) {
            bail!("--stack '{name}': a name has letters, digits, - and _ only");
        }
        std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
        for (path, file) in files(folder)? {
            if file.try_lock().is_ok() && is_at(&file, &path) {
                std::fs::remove_file(path)?;
            }
        }
        let path = folder.join(format!("{name}.json"));
        for _ in 0..TRIES {
            let mut options = OpenOptions::new();
            // Passwords are in it.
            let options = options.write(true).create(true).truncate(false).mode(0o600);
            let file = options
                .open(&path)
                .with_context(|| format!("cannot write {}", path.display()))?;
            if file.try_lock().is_ok() && is_at(&file, &path) {
                return Ok(Self { path, file });
            }
            sleep(PAUSE);
        }
        bail!("a stack named {name} runs already; --stack chooses another name")
    }

    /// Lets others find the stack.
    pub(crate) fn write(&mut self, launch: &Launch) -> Result<()> {
        self.file.set_len(0)?;
        Ok(self.file.write_all(&serde_json::to_vec_pretty(launch)?)?)
    }
}

impl Drop for StackEntry {
    fn drop(&mut self) {
        let _gone = std::fs::remove_file(&self.path);
    }
}

/// The running stack of this name; without a name the only one there is.
pub(crate) fn find(folder: &Path, name: Option<&str>) -> Result<Launch> {
    let mut running: BTreeMap<String, PathBuf> = BTreeMap::new();
    for (path, file) in files(folder)? {
        let name = path
            .file_stem()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        // One that is only starting has not written anything yet.
        if file.try_lock_shared().is_err() && file.metadata()?.len() > 0 {
            running.insert(name, path);
        }
    }
    let names = running.keys().cloned().collect::<Vec<_>>().join(", ");
    let path = match (name, running.len()) {
        (_, 0) => bail!("no stack is running; `cargo up` starts one"),
        (None, 1) => running.into_values().next(),
        (None, _) => bail!("several stacks are running: {names}; say which with --stack NAME"),
        (Some(name), _) => running.remove(name),
    };
    let path = path.with_context(|| {
        format!(
            "no stack named {} is running; there is: {names}",
            name.unwrap_or_default()
        )
    })?;
    let written = std::fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
    serde_json::from_slice(&written).with_context(|| format!("{} is not a stack's", path.display()))
}

/// Every file there is, open.
fn files(folder: &Path) -> Result<Vec<(PathBuf, File)>> {
    let entries = match std::fs::read_dir(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.with_context(|| format!("cannot read {}", folder.display()))?,
    };
    let mut files = Vec::new();
    for entry in entries {
        let path = entry?.path();
        // Gone meanwhile, or another stack's.
        if let Ok(file) = File::open(&path) {
            files.push((path, file));
        }
    }
    Ok(files)
}

/// True while the open file is still the one at this path.
fn is_at(file: &File, path: &Path) -> bool {
    let same = || Some(file.metadata().ok()?.ino() == std::fs::metadata(path).ok()?.ino());
    same().unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn launch(port: &str) -> Launch {
        Launch {
            app_dir: "/app".into(),
            environment: [("PGPORT".to_owned(), port.to_owned())].into(),
            without: vec!["COSMOS_KEY".to_owned()],
        }
    }

    fn why(found: Result<Launch>) -> String {
        format!("{:#}", found.expect_err("none is meant"))
    }

    #[test]
    fn one_running_stack_needs_no_name_and_of_two_the_named_is_found() {
        let folder = tempfile::tempdir().expect("a folder");
        let folder = folder.path().join("stacks");
        assert!(why(find(&folder, None)).contains("no stack is running"));
        let mut one = StackEntry::claim(&folder, "7071").expect("it is free");
        assert!(
            why(find(&folder, None)).contains("no stack is running"),
            "it is only starting"
        );
        one.write(&launch("5432")).expect("it is written");
        assert_eq!(find(&folder, None).expect("one"), launch("5432"));
        let mut other = StackEntry::claim(&folder, "shop").expect("it is free");
        other.write(&launch("6432")).expect("it is written");
        assert!(why(find(&folder, None)).contains("7071, shop"));
        assert_eq!(find(&folder, Some("shop")).expect("the other"), launch("6432"));
        assert!(why(find(&folder, Some("none"))).contains("7071, shop"));
        let taken = StackEntry::claim(&folder, "shop").expect_err("it runs");
        assert!(taken.to_string().contains("shop runs already"), "{taken}");
        drop(other);
        assert_eq!(find(&folder, None).expect("one again"), launch("5432"));
        drop(StackEntry::claim(&folder, "shop").expect("it is free again"));
    }

    #[test]
    fn a_killed_stack_is_not_found_and_leaves_its_name_to_the_next() {
        let folder = tempfile::tempdir().expect("a folder");
        let left = serde_json::to_vec(&launch("1")).expect("JSON");
        std::fs::write(folder.path().join("7071.json"), &left).expect("a file");
        std::fs::write(folder.path().join("7072.json"), &left).expect("a file");
        assert!(why(find(folder.path(), None)).contains("no stack is running"));
        let _again = StackEntry::claim(folder.path(), "7071").expect("it is free");
        assert!(!folder.path().join("7072.json").exists());
    }

    #[test]
    fn a_name_is_no_path() {
        let folder = tempfile::tempdir().expect("a folder");
        for name in ["", "../7071", "a b", "a/b", "a.b"] {
            let refused = StackEntry::claim(folder.path(), name).expect_err(name);
            assert!(refused.to_string().contains("--stack"), "{refused}");
        }
    }
}
