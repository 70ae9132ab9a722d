//! Builds the handler the way it is shipped: by `cargo build -p handler`, alone.
//! Never by a workspace build, which would unify the features of other packages into it.

use std::{
    io,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use serde_json::Value;

/// Builds the handler of the workspace at `root` and returns the path of its binary.
///
/// # Errors
/// When cargo cannot be run, or the build fails; cargo's own messages have gone to stderr.
pub fn build(root: &Path) -> io::Result<PathBuf> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args([
            "build",
            "--quiet",
            "--locked",
            "--package",
            "handler",
            "--message-format=json-render-diagnostics",
        ])
        .current_dir(root)
        .stderr(Stdio::inherit())
        .output()?;
    let messages = String::from_utf8_lossy(&output.stdout);
    let executable = messages
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter(|message| message["target"]["name"] == "handler")
        .find_map(|message| message["executable"].as_str().map(PathBuf::from));
    match executable {
        Some(path) if output.status.success() => Ok(path),
        _ => Err(io::Error::other("cargo build -p handler failed")),
    }
}
