//! Assembles the flat folder that the Functions host reads: host.json, local.settings.json, the handler, one folder per function.
//! Never builds anything, and never leaves a function behind that the sources no longer have.

use std::{fs, io, path::Path};

/// Makes `into` the app folder of the workspace at `root`, with `handler` as its executable.
///
/// # Errors
/// When a file cannot be read or written.
pub fn assemble(root: &Path, handler: &Path, into: &Path) -> io::Result<()> {
    if into.exists() {
        fs::remove_dir_all(into)?;
    }
    fs::create_dir_all(into)?;
    for file in ["host.json", "local.settings.json"] {
        fs::copy(root.join(file), into.join(file))?;
    }
    // fs::copy keeps the execute bit, which the real host needs too.
    fs::copy(handler, into.join("handler"))?;
    for function in fs::read_dir(root.join("functions"))? {
        let function = function?;
        let folder = into.join(function.file_name());
        fs::create_dir_all(&folder)?;
        fs::copy(
            function.path().join("function.json"),
            folder.join("function.json"),
        )?;
    }
    Ok(())
}
