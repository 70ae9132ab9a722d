//! The app folder, as a host and a deployment expect it.
//! It never checks what a function does, only that it is found.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail the test")]

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use devstack::app_folder::{assemble, build_handler, workspace_root};
use tempfile::TempDir;

fn names(folder: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(folder).unwrap();
    entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect()
}

fn some_handler(folder: &TempDir) -> PathBuf {
    let handler = folder.path().join("some-handler");
    fs::write(&handler, "#!/bin/sh\n").unwrap();
    fs::set_permissions(&handler, fs::Permissions::from_mode(0o755)).unwrap();
    handler
}

#[test]
fn every_function_is_a_direct_subfolder_beside_the_handler() {
    let folder = TempDir::new().unwrap();
    let app = folder.path().join("app");
    assemble(&workspace_root(), &some_handler(&folder), &app).unwrap();
    let mut expected = names(&workspace_root().join("functions"));
    for function in &expected {
        assert!(app.join(function).join("function.json").is_file(), "{function}");
    }
    expected.extend(["host.json", "local.settings.json", "NOTICE.txt", "handler"].map(str::to_owned));
    assert_eq!(names(&app), expected);
    assert_ne!(
        fs::metadata(app.join("handler")).unwrap().permissions().mode() & 0o100,
        0
    );
}

#[test]
fn a_function_that_is_gone_from_the_source_is_gone_from_the_app() {
    let folder = TempDir::new().unwrap();
    let app = folder.path().join("app");
    let handler = some_handler(&folder);
    assemble(&workspace_root(), &handler, &app).unwrap();
    fs::create_dir(app.join("Retired")).unwrap();
    assemble(&workspace_root(), &handler, &app).unwrap();
    assert!(!app.join("Retired").exists());
}

#[test]
fn a_folder_that_is_no_app_is_left_alone() {
    let folder = TempDir::new().unwrap();
    let handler = some_handler(&folder);
    let error = assemble(&workspace_root(), &handler, folder.path())
        .unwrap_err()
        .to_string();
    assert!(error.contains("not an app folder"), "{error}");
    assert!(handler.exists());
}

#[test]
fn the_handler_is_built_and_can_be_executed() {
    let handler = build_handler("dev").unwrap();
    assert_eq!(handler.file_name().unwrap(), "handler");
    assert_ne!(fs::metadata(handler).unwrap().permissions().mode() & 0o100, 0);
}
