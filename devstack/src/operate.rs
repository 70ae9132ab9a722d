//! The `operate` command: the handler's own tools, with the settings of a stack that runs.
//! It never guesses where that is: `up` has written it down.

use std::os::unix::process::CommandExt as _;
use std::process::Command;

use anyhow::{Context as _, Result};

use crate::{host, running};

/// Runs a tool of the handler, such as `status`, `replay` or `dead-letters list`, on the running stack.
#[derive(Debug, Clone, clap::Args)]
pub struct OperateArguments {
    /// Stack, where several are running: the name that it was given, or else the port of its host.
    #[arg(long, value_name = "NAME")]
    pub stack: Option<String>,
    /// Arguments of the handler; `--help` after the first word shows what there is.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, required = true)]
    pub handler: Vec<String>,
}

/// Becomes the handler of the stack's app folder.
pub fn run(args: OperateArguments) -> Result<()> {
    let launch = running::find(&running::folder()?, args.stack.as_deref())?;
    let settings = host::settings(&launch.app_dir, &launch.without, &launch.environment)?;
    let mut command = Command::new(launch.app_dir.join("handler"));
    command.args(args.handler).env_clear().envs(settings);
    // Only comes back when it could not be started.
    Err(command.exec()).context("the handler")
}
