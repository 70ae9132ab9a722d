//! Which PgBouncer there is to test with: the machine's own, or one that was got into the target folder.
//! Never installs anything itself, and never fails a test where there is none, except in CI.

use std::{
    ffi::{OsStr, OsString},
    fs, io,
    path::{Path, PathBuf},
    thread,
};

use super::fetch;

/// For a person whose machine gave none.
const HOW: &str = "Debian and Ubuntu: apt-get install pgbouncer; macOS: brew install pgbouncer; elsewhere put it on the PATH";

/// Where to look, and what to get it with.
pub(super) struct Places {
    /// Folders of programs.
    pub(super) folders: Vec<PathBuf>,
    /// Where one is put that is not installed: it and its libraries, and nothing else.
    pub(super) fetched: PathBuf,
    pub(super) apt: OsString,
    pub(super) brew: OsString,
}

impl Places {
    pub(super) fn usual() -> Self {
        let path = std::env::var_os("PATH").unwrap_or_default();
        // Debian and Homebrew put it where users do not always look.
        let more = ["/usr/sbin", "/opt/homebrew/bin", "/usr/local/bin"];
        let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(
            || Path::new(env!("CARGO_MANIFEST_DIR")).join("../target"),
            PathBuf::from,
        );
        Self {
            folders: std::env::split_paths(&path).chain(more.map(Into::into)).collect(),
            fetched: target.join("pgbouncer"),
            apt: "apt-get".into(),
            brew: "brew".into(),
        }
    }

    fn installed(&self) -> Option<Program> {
        let mut files = self.folders.iter().map(|folder| folder.join("pgbouncer"));
        files.find(|file| file.is_file()).map(Program::Installed)
    }
}

/// A PgBouncer that runs.
#[derive(Debug)]
pub(super) enum Program {
    /// This file, whose libraries are installed too.
    Installed(PathBuf),
    /// In this folder, with those of its libraries that are not installed.
    Fetched(PathBuf),
}

impl Program {
    /// The one that is there, or else has been got now; or why there is none.
    pub(super) fn find(places: &Places) -> Result<Self, String> {
        if let Some(program) = places.installed() {
            return Ok(program);
        }
        let fetched = Self::Fetched(places.fetched.clone());
        if fetch::runs(&places.fetched) {
            return Ok(fetched);
        }
        match std::env::consts::OS {
            "macos" => {
                fetch::by_brew(&places.brew)?;
                places.installed().ok_or_else(|| "brew installed none".to_owned())
            }
            _ => fetch::by_apt(&places.apt, &places.fetched).map(|()| fetched),
        }
    }

    /// The file to run, and where its libraries are. One that was got is copied into this folder: its user may not come to the
    /// target folder, for instance below root's home.
    pub(super) fn prepare(&self, folder: &Path) -> io::Result<(PathBuf, PathBuf)> {
        match self {
            Self::Installed(file) => Ok((file.clone(), PathBuf::new())),
            Self::Fetched(from) => {
                let into = folder.join("program");
                if !into.exists() {
                    fs::create_dir(&into)?;
                    for file in fs::read_dir(from)? {
                        let file = file?;
                        fs::copy(file.path(), into.join(file.file_name()))?;
                    }
                }
                Ok((into.join("pgbouncer"), into))
            }
        }
    }
}

/// Whether the running test is to end because there is no PgBouncer; says so, past the test harness, which keeps what is printed.
pub(super) fn is_missing(why: Option<&String>, ci: Option<&OsStr>, mut say: impl io::Write) -> bool {
    let Some(why) = why else { return false };
    let test = thread::current().name().unwrap_or_default().to_owned();
    let line = format!("not run: PgBouncer: {test}: {why}; {HOW}");
    assert!(ci != Some(OsStr::new("true")), "{line}");
    writeln!(say, "{line}").unwrap();
    true
}

#[cfg(test)]
mod tests {
    use std::panic::catch_unwind;

    use super::*;

    fn nowhere(folder: &Path) -> Places {
        Places {
            folders: vec![folder.to_owned()],
            fetched: folder.join("fetched"),
            apt: folder.join("apt-get").into(),
            brew: folder.join("brew").into(),
        }
    }

    #[test]
    fn a_test_without_pgbouncer_says_how_to_get_it_and_fails_in_ci() {
        let folder = tempfile::tempdir().unwrap();
        let why = Program::find(&nowhere(folder.path())).unwrap_err();
        for ci in [None, Some("false"), Some("")] {
            let mut said = Vec::new();
            assert!(is_missing(Some(&why), ci.map(OsStr::new), &mut said));
            let said = String::from_utf8(said).unwrap();
            assert!(said.starts_with("not run: PgBouncer: "), "{said}");
            assert!(
                said.contains("apt-get install pgbouncer") && said.lines().count() == 1,
                "{said}"
            );
        }
        let fails = catch_unwind(|| is_missing(Some(&why), Some(OsStr::new("true")), Vec::new()));
        let said = *fails.unwrap_err().downcast::<String>().unwrap();
        assert!(said.contains("not run: PgBouncer"), "{said}");
    }

    #[test]
    fn a_pgbouncer_that_is_there_is_never_fetched_again() {
        let folder = tempfile::tempdir().unwrap();
        let places = nowhere(folder.path());
        fs::create_dir(&places.fetched).unwrap();
        let script = |file: &Path, text: &str| {
            use std::os::unix::fs::PermissionsExt as _;
            fs::write(file, text).unwrap();
            fs::set_permissions(file, fs::Permissions::from_mode(0o755)).unwrap();
        };
        // One for another system: it is not taken for one that runs.
        let fetched = places.fetched.join("pgbouncer");
        script(&fetched, "#!/bin/sh\nexit 127\n");
        assert!(Program::find(&places).is_err());
        script(
            &fetched,
            "#!/bin/sh\ntest \"$LD_LIBRARY_PATH\" = \"$(dirname \"$0\")\"\n",
        );
        let Ok(Program::Fetched(found)) = Program::find(&places) else {
            panic!("it is not found");
        };
        assert_eq!(found, places.fetched);
        let own = folder.path().join("pgbouncer");
        script(&own, "#!/bin/sh\n");
        assert!(matches!(Program::find(&places), Ok(Program::Installed(file)) if file == own));
    }
}
