//! Installs a package by npm into a folder below the target folder.
//! Never chooses what to install: whoever needs a package names it, pinned.

use std::{
    io,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// Cargo's target folder.
pub(crate) fn target_folder() -> PathBuf {
    let default = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../target");
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(default, PathBuf::from)
}

/// Installs `package`; `scripts` says what npm makes of its scripts. True when npm said that it worked.
///
/// # Errors
/// When npm cannot be run.
pub(crate) fn install(prefix: &Path, package: &str, scripts: &str) -> io::Result<bool> {
    let mut npm = Command::new("npm");
    npm.args([
        "install",
        "--no-audit",
        "--no-fund",
        "--no-save",
        "--loglevel=error",
    ])
    .arg(scripts)
    .arg("--prefix")
    .arg(prefix)
    .arg(package);
    let status = npm.stdin(Stdio::null()).stdout(Stdio::null()).status()?;
    Ok(status.success())
}
