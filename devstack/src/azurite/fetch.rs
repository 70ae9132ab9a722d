//! Gets Azurite, Microsoft's emulator of a storage account, by npm into the target folder.
//! Never silently, and never without having been asked for by name.

use std::{
    fs::File,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, ensure};

use crate::npm;

/// Pinned: an MIT-licensed npm package.
const VERSION: &str = "3.37.0";

/// The program of the blob service, which is installed first where it is not there.
pub(super) fn program() -> Result<PathBuf> {
    let folder = npm::target_folder().join(format!("azurite-{VERSION}"));
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

fn install(folder: &Path) -> Result<()> {
    eprintln!("installing azurite {VERSION} by npm into {}", folder.display());
    let installed = npm::install(folder, &format!("azurite@{VERSION}"), "--ignore-scripts")
        .context("Azurite comes by npm, and npm cannot be run: install Node.js 20 or newer")?;
    ensure!(installed, "npm could not install azurite");
    Ok(())
}
