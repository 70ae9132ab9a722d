//! The `operate` command: the handler's own tools, with the settings of the local stack.
//! It never changes them: they are those of the app folder, and the environment's where that has others.

use std::collections::BTreeMap;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result};
use serde_json::Value;

use crate::app_folder;

/// What an operator does, such as `status`, `replay` or `dead-letters list`, on the local stack.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// What the handler is told; `--help` shows what there is.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    pub handler: Vec<String>,
}

/// Becomes the handler of the app folder.
pub fn run(args: Args) -> Result<()> {
    let app = app_folder::workspace_root().join("target/app");
    let settings = settings(&app.join("local.settings.json"))
        .context("there is no app folder yet; `cargo up` makes it")?;
    let mut command = Command::new(app.join("handler"));
    command.args(args.handler).envs(settings);
    // Only comes back when it could not be started.
    Err(command.exec()).context("the handler")
}

/// The values that the environment has no others for, as the Functions host takes them.
fn settings(file: &Path) -> Result<BTreeMap<String, String>> {
    let read: Value = serde_json::from_slice(&std::fs::read(file)?)?;
    let values = read["Values"].as_object().context("no Values")?;
    let text = |(name, value): (&String, &Value)| Some((name.clone(), value.as_str()?.to_owned()));
    let ours = |(name, _): &(String, String)| std::env::var_os(name).is_none();
    Ok(values.iter().filter_map(text).filter(ours).collect())
}
