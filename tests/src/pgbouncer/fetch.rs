//! Gets PgBouncer where there is none: by apt's download, unpacked and not installed, which needs no root; on macOS by brew.
//! Never silently, and never half: what is in its folder in the end runs.

use std::{
    collections::{BTreeSet, VecDeque},
    ffi::{OsStr, OsString},
    fs,
    io::{self, Write as _},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// Installs it, as Homebrew's users do.
pub(super) fn by_brew(brew: &OsStr) -> Result<(), String> {
    say("no PgBouncer found: brew install pgbouncer");
    let mut command = Command::new(brew);
    output(command.args(["install", "--quiet", "pgbouncer"])).map(|_said| ())
}

/// Puts it and those of its libraries that are not installed into this folder.
pub(super) fn by_apt(apt: &OsStr, folder: &Path) -> Result<(), String> {
    say(&format!(
        "no PgBouncer found: apt-get download pgbouncer, unpacked into {}",
        folder.display()
    ));
    let beside = folder.parent().unwrap_or(folder);
    fs::create_dir_all(beside).map_err(|error| format!("{}: {error}", beside.display()))?;
    let work = tempfile::tempdir_in(beside).map_err(|error| format!("{}: {error}", beside.display()))?;
    let packages = Packages {
        apt: apt.to_owned(),
        work: work.path().to_owned(),
    };
    let unpacked = packages.unpack_all("pgbouncer")?;
    let flat = work.path().join("flat");
    gather(&unpacked, &flat).map_err(|error| error.to_string())?;
    if !runs(&flat) {
        return Err(format!(
            "what apt-get downloaded does not run: {}",
            missing(&flat)
        ));
    }
    // Another test process may have been faster, or an older one left one that does not run.
    if !runs(folder) {
        let _absent = fs::remove_dir_all(folder);
        fs::rename(&flat, folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    }
    Ok(())
}

/// What the distribution has, as its own tools say.
struct Packages {
    apt: OsString,
    work: PathBuf,
}

impl Packages {
    /// Unpacks this package, and the libraries that it and they depend on unless they are installed, into one folder.
    fn unpack_all(&self, package: &str) -> Result<PathBuf, String> {
        let unpacked = self.work.join("unpacked");
        let mut known = BTreeSet::from([package.to_owned()]);
        let mut next = VecDeque::from([package.to_owned()]);
        while let Some(package) = next.pop_front() {
            let file = self.download(&package)?;
            output(Command::new("dpkg-deb").arg("-x").arg(&file).arg(&unpacked))?;
            let depends = output(Command::new("dpkg-deb").arg("-f").arg(&file).arg("Depends"))?;
            for library in missing_libraries(&depends, is_installed) {
                if known.insert(library.clone()) {
                    say(&format!("PgBouncer needs a library: apt-get download {library}"));
                    next.push_back(library);
                }
            }
        }
        Ok(unpacked)
    }

    /// The package's file: with the machine's lists of packages, or where it has none with lists of our own.
    fn download(&self, package: &str) -> Result<PathBuf, String> {
        let folder = self.work.join(package);
        fs::create_dir(&folder).map_err(|error| error.to_string())?;
        let download = |options: &[String]| {
            let mut command = Command::new(&self.apt);
            command.arg("-q").args(options).args(["download", package]);
            output(command.current_dir(&folder))
        };
        if download(&[]).is_err() {
            download(&self.own_lists()?)?;
        }
        let mut files = fs::read_dir(&folder).map_err(|error| error.to_string())?;
        let file = files.next().and_then(Result::ok).map(|file| file.path());
        file.ok_or_else(|| format!("apt-get download {package} left no file"))
    }

    /// Options for lists of packages below our own folder, which are fetched once.
    fn own_lists(&self) -> Result<[String; 6], String> {
        let (lists, cache) = (self.work.join("lists"), self.work.join("cache"));
        let options = [
            format!("Dir::State::lists={}", lists.display()),
            format!("Dir::Cache={}", cache.display()),
            // Else root would fetch as a user who may not come here.
            "APT::Sandbox::User=root".to_owned(),
        ];
        let [a, b, c] = options;
        let options = ["-o".to_owned(), a, "-o".to_owned(), b, "-o".to_owned(), c];
        if !lists.exists() {
            for folder in [lists.join("partial"), cache.join("archives/partial")] {
                fs::create_dir_all(folder).map_err(|error| error.to_string())?;
            }
            output(Command::new(&self.apt).args(&options).args(["-q", "update"]))?;
        }
        Ok(options)
    }
}

/// Of a package's dependencies the libraries of which no alternative is installed; the first alternative of each.
fn missing_libraries(depends: &str, is_installed: impl Fn(&str) -> bool) -> Vec<String> {
    let dependencies = depends.trim().split(',');
    let alternatives = dependencies.map(|dependency| {
        let names = dependency.split('|').map(|one| {
            let end = one.trim().find([' ', '(', ':']).unwrap_or(one.trim().len());
            &one.trim()[..end]
        });
        names.collect::<Vec<_>>()
    });
    alternatives
        .filter(|names| names.iter().any(|name| name.starts_with("lib")))
        .filter(|names| !names.iter().any(|name| is_installed(name)))
        .map(|names| names[0].to_owned())
        .collect()
}

fn is_installed(package: &str) -> bool {
    let query = ["-W", "-f=${db:Status-Status} ", package];
    output(Command::new("dpkg-query").args(query)).is_ok_and(|said| said.contains("installed"))
}

/// Copies the program and the libraries, wherever they were unpacked, into one flat folder.
fn gather(from: &Path, into: &Path) -> std::io::Result<()> {
    fs::create_dir_all(into)?;
    for entry in fs::read_dir(from)? {
        let path = entry?.path();
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        if path.is_dir() {
            gather(&path, into)?;
            continue;
        }
        let is_library = name.ends_with(".so") || name.contains(".so.");
        if path.is_file() && (is_library || from.ends_with("usr/sbin") && name == "pgbouncer") {
            fs::copy(&path, into.join(name))?;
        }
    }
    Ok(())
}

/// Whether the one in this folder says its version.
pub(super) fn runs(folder: &Path) -> bool {
    let asked = Command::new(folder.join("pgbouncer"))
        .arg("--version")
        .env("LD_LIBRARY_PATH", folder)
        .output();
    asked.is_ok_and(|output| output.status.success())
}

/// What the program's loader says of it.
fn missing(folder: &Path) -> String {
    let mut asked = Command::new(folder.join("pgbouncer"));
    let asked = asked.arg("--version").env("LD_LIBRARY_PATH", folder);
    output(asked).unwrap_or_else(|error| error)
}

/// What it printed; or, where it failed, one line that says so.
fn output(command: &mut Command) -> Result<String, String> {
    let program = command.get_program().to_string_lossy().into_owned();
    let run = command.stdin(Stdio::null()).output();
    let run = run.map_err(|error| format!("{program}: {error}"))?;
    if run.status.success() {
        return Ok(String::from_utf8_lossy(&run.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&run.stderr).into_owned();
    let last = said.lines().last().unwrap_or_default();
    Err(format!("{program}: {}: {last}", run.status))
}

/// Says it on stderr at once.
fn say(line: &str) {
    let _closed = writeln!(io::stderr(), "{line}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_libraries_without_a_present_alternative_are_missing_dependencies() {
        let depends = "lsb-base | sysvinit-utils (>= 3.05-4~), postgresql-common, libc-ares2 (>= 1.18.1), libc6:any (>= 2.34), \
                       libsystemd0 | libelogind0, libgone1t64 | libgone1";
        let is_installed = |name: &str| ["libc6", "libelogind0"].contains(&name);
        assert_eq!(
            missing_libraries(depends, is_installed),
            ["libc-ares2", "libgone1t64"]
        );
        assert!(missing_libraries("", is_installed).is_empty());
    }
}
