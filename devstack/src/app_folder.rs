//! Builds the handler and lays out the app folder: what the Functions host runs and what is deployed.
//! It never builds the workspace: features of the local stack would then reach into the shipped binary.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};
use serde::Deserialize;

/// The notice goes wherever the binary goes.
const FILES: [&str; 3] = ["host.json", "local.settings.json", "NOTICE.txt"];

/// The part of cargo's messages that tells where a binary went.
#[derive(Deserialize)]
struct CargoMessage {
    reason: String,
    target: Option<CargoTarget>,
    executable: Option<PathBuf>,
}

#[derive(Deserialize)]
struct CargoTarget {
    name: String,
}

/// The workspace this program was built from.
pub fn workspace_root() -> PathBuf {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package.parent().unwrap_or(package).to_path_buf()
}

/// Builds the handler alone, as it is shipped, in cargo's profile `dev` or `release`, and says where it is.
pub fn build_handler(profile: &str) -> Result<PathBuf> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args([
            "build",
            "--quiet",
            "--locked",
            "--profile",
            profile,
            "-p",
            "handler",
            "--message-format=json-render-diagnostics",
        ])
        .current_dir(workspace_root())
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .context("cannot run cargo")?;
    if !output.status.success() {
        bail!("cargo could not build the handler");
    }
    let messages = String::from_utf8_lossy(&output.stdout);
    messages
        .lines()
        .find_map(executable)
        .context("cargo built no binary called handler")
}

/// Puts `host.json`, `local.settings.json`, the handler and one folder for each function into `into`.
pub fn assemble(root: &Path, handler: &Path, into: &Path) -> Result<()> {
    make(into)?;
    for file in FILES {
        replace(&root.join(file), &into.join(file))?;
    }
    replace(handler, &into.join("handler"))?;
    let functions = root.join("functions");
    let entries =
        std::fs::read_dir(&functions).with_context(|| format!("cannot read {}", functions.display()))?;
    let mut names = HashSet::new();
    for entry in entries {
        let entry = entry?;
        let definition = entry.path().join("function.json");
        if definition.is_file() {
            let folder = into.join(entry.file_name());
            std::fs::create_dir_all(&folder)?;
            replace(&definition, &folder.join("function.json"))?;
            names.insert(entry.file_name());
        }
    }
    // A function taken out of the source is not served any longer.
    for entry in std::fs::read_dir(into)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() && !names.contains(&entry.file_name()) {
            std::fs::remove_dir_all(entry.path())?;
        }
    }
    Ok(())
}

/// The folder, if it is an app's or can become one.
fn make(folder: &Path) -> Result<()> {
    std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let entries: Vec<_> = std::fs::read_dir(folder)?.collect::<std::io::Result<_>>()?;
    // Half of one is one as well: its maker may have been killed.
    let is_app = entries.iter().any(|entry| {
        entry.file_name() == OsStr::new("host.json") || entry.path().join("function.json").is_file()
    });
    // Another process may have begun: what it has not finished has a hidden name.
    let is_empty = entries
        .iter()
        .all(|entry| entry.file_name().as_encoded_bytes().starts_with(b"."));
    if !is_app && !is_empty {
        bail!("{} is not an app folder, and is not emptied", folder.display());
    }
    Ok(())
}

/// Puts a copy in the place of what is there, at one moment: another process may be running it.
fn replace(from: &Path, to: &Path) -> Result<()> {
    let folder = to.parent().unwrap_or(to);
    let copy = tempfile::NamedTempFile::new_in(folder)?.into_temp_path();
    std::fs::copy(from, &copy).with_context(|| format!("cannot copy {}", from.display()))?;
    Ok(copy.persist(to)?)
}

fn executable(line: &str) -> Option<PathBuf> {
    let message: CargoMessage = serde_json::from_str(line).ok()?;
    let ours = message.reason == "compiler-artifact"
        && message.target.is_some_and(|target| target.name == "handler");
    // The library of the same name is an artifact too, but not an executable.
    message.executable.filter(|_| ours)
}
