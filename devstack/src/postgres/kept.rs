//! Whether a folder can be one that a server's data are kept in.
//! Never changes anything in it: what belongs to others stays as it is.

use std::io::{self, ErrorKind};
use std::path::Path;
use std::process::Command;

use super::find;

/// Passes for a folder that is missing, empty, or holds a cluster of this server's version that does not run.
pub(super) fn ensure_usable(folder: &Path, bin: &Path) -> io::Result<()> {
    let mut entries = match std::fs::read_dir(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        entries => entries.map_err(|error| named(folder, &error))?,
    };
    let shown = folder.display();
    let version = match std::fs::read_to_string(folder.join("PG_VERSION")) {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return match entries.next() {
                None => Ok(()),
                Some(_) => Err(io::Error::other(format!(
                    "{shown} holds something else than PostgreSQL's data: say another folder, or an empty one"
                ))),
            };
        }
        version => version.map_err(|error| named(folder, &error))?,
    };
    let (theirs, ours) = (version.trim(), find::major(bin).unwrap_or_default().to_string());
    if theirs != ours {
        return Err(io::Error::other(format!(
            "{shown} holds data of PostgreSQL {theirs}, and this is {ours}: set PG_BIN to the programs of {theirs}, or say another folder"
        )));
    }
    if let Some(pid) = server_in(folder) {
        return Err(io::Error::other(format!(
            "{shown} is in use by process {pid}: end that, or say another folder"
        )));
    }
    Ok(())
}

/// The error, with the folder that it is about.
pub(super) fn named(folder: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", folder.display()))
}

/// The process that serves this folder. A killed one leaves its pid behind, which another process may have by now.
fn server_in(folder: &Path) -> Option<String> {
    let written = std::fs::read_to_string(folder.join("postmaster.pid")).ok()?;
    let pid = written.lines().next()?.trim().to_owned();
    let asked = Command::new("ps")
        .args(["-o", "args=", "-p", &pid])
        .output()
        .ok()?;
    let command = String::from_utf8_lossy(&asked.stdout).into_owned();
    let ours = command.contains("postgres") && command.contains(folder.to_str()?);
    ours.then_some(pid)
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::super::Server;

    fn refusal(folder: &std::path::Path) -> String {
        let begun = Instant::now();
        let refused = Server::start_kept(0, folder)
            .expect_err("it cannot be used")
            .to_string();
        assert!(begun.elapsed() < Duration::from_secs(10), "at once");
        assert_eq!(refused.lines().count(), 1, "{refused}");
        assert!(refused.contains(folder.to_str().expect("text")), "{refused}");
        refused
    }

    #[test]
    fn an_unusable_folder_is_refused_in_one_line_and_left_as_it_is() {
        let folder = tempfile::tempdir().expect("a folder");
        let other = folder.path().join("other");
        std::fs::create_dir(&other).expect("a folder");
        std::fs::write(other.join("letters.txt"), "dear").expect("a file");
        assert!(refusal(&other).contains("something else"));
        assert!(!other.join("PG_VERSION").exists());

        let old = folder.path().join("old");
        std::fs::create_dir(&old).expect("a folder");
        std::fs::write(old.join("PG_VERSION"), "9\n").expect("a file");
        let said = refusal(&old);
        assert!(said.contains("PostgreSQL 9") && said.contains("PG_BIN"), "{said}");

        let file = folder.path().join("file");
        std::fs::write(&file, "").expect("a file");
        refusal(&file);

        let used = tempfile::tempdir().expect("a folder");
        let server = Server::start_kept(0, used.path()).expect("it starts");
        let said = refusal(used.path());
        assert!(
            said.contains(&format!("in use by process {}", server.pid().expect("a pid"))),
            "{said}"
        );
        assert!(
            std::fs::read_to_string(server.log_file())
                .expect("a log")
                .contains("ready to accept")
        );
    }

    #[test]
    fn a_server_that_ends_at_its_start_is_reported_in_its_own_words() {
        let folder = tempfile::tempdir().expect("a folder");
        drop(Server::start_kept(0, folder.path()).expect("it starts"));
        std::fs::write(folder.path().join("postgresql.conf"), "no_such_setting = on\n").expect("a file");
        let begun = Instant::now();
        let refused = Server::start_kept(0, folder.path())
            .expect_err("it cannot start")
            .to_string();
        assert!(begun.elapsed() < Duration::from_secs(10), "at once");
        assert!(
            refused.lines().count() == 1 && refused.contains("FATAL"),
            "{refused}"
        );
    }
}
