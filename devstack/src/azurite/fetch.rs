//! Gets Azurite, Microsoft's emulator of a storage account, by npm into the target folder.
//! Never silently, and never without having been asked for by name.

use std::{
    fs::File,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context as _, Result, ensure};

/// Pinned: an MIT-licensed npm package.
const VERSION: &str = "3.37.0";

/// The program of the blob service, which is installed first where it is not there.
pub(super) fn program() -> Result<PathBuf> {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(default_target, PathBuf::from);
    let folder = target.join(format!("azurite-{VERSION}"));
    let program = folder.join("node_modules/azurite/dist/src/blob/main.js");
    std::fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    // Held until the end: two at once would install it twice, each over the other.
    let lock = File::create(folder.join("lock"))?;
    lock.lock()?;
    let complete = folder.join("complete");
    if !complete.exists() {
        install(&folder)?;
        File::create(complete)?;
    }
    Ok(program)
}

fn default_target() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../target")
}

fn install(folder: &Path) -> Result<()> {
    eprintln!("installing azurite {VERSION} by npm into {}", folder.display());
    let mut npm = Command::new("npm");
    npm.args([
        "install",
        "--no-audit",
        "--no-fund",
        "--no-save",
        "--ignore-scripts",
    ])
    .args(["--loglevel=error", "--prefix"])
    .arg(folder)
    .arg(format!("azurite@{VERSION}"));
    let status = npm.stdin(Stdio::null()).stdout(Stdio::null()).status();
    let status =
        status.context("Azurite comes by npm, and npm cannot be run: install Node.js 20 or newer")?;
    ensure!(status.success(), "npm could not install azurite ({status})");
    Ok(())
}
