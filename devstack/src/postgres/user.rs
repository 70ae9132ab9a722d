//! The user that PostgreSQL runs as.
//! Never changes who this process is.

use std::{
    io,
    os::unix::{fs::chown, process::CommandExt},
    path::Path,
    process::Command,
};

use nix::unistd::{User, geteuid};

/// PostgreSQL refuses to run as root: then another user must.
pub(super) fn unprivileged() -> io::Result<Option<User>> {
    if !geteuid().is_root() {
        return Ok(None);
    }
    for name in ["postgres", "nobody"] {
        if let Some(user) = User::from_name(name)? {
            return Ok(Some(user));
        }
    }
    Err(io::Error::other(
        "PostgreSQL does not run as root, and there is no user postgres or nobody to run it as",
    ))
}

/// Makes this file or folder theirs.
pub(super) fn give(path: &Path, user: Option<&User>) -> io::Result<()> {
    let Some(user) = user else { return Ok(()) };
    chown(path, Some(user.uid.as_raw()), Some(user.gid.as_raw()))
}

/// The command as theirs, in a folder that they can read.
pub(super) fn as_user(mut command: Command, user: Option<&User>) -> Command {
    if let Some(user) = user {
        command.uid(user.uid.as_raw()).gid(user.gid.as_raw());
    }
    command.current_dir("/");
    command
}
