//! The order of the house: what the sources, their names and the files around them must keep to.
//! Never looks at behaviour: it reads files.

mod circles;
mod circles_tests;
mod functions;
mod glossary;
mod names;
mod parts;
mod settings;
mod sources;

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use devstack::app_folder::workspace_root;
use serde_json::Value;

/// Every file below this path.
fn files_below(path: &Path, into: &mut Vec<PathBuf>) {
    if path.is_dir() {
        for entry in fs::read_dir(path).unwrap() {
            files_below(&entry.unwrap().path(), into);
        }
    } else {
        into.push(path.to_owned());
    }
}

/// Every package of the workspace, as cargo describes it.
fn packages() -> Vec<Value> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--offline", "--format-version", "1"])
        .current_dir(workspace_root())
        .output()
        .unwrap();
    let mut metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    serde_json::from_value(metadata["packages"].take()).unwrap()
}
