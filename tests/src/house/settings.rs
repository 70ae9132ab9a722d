//! The table of settings in docs/settings.md, and what the code, the settings file and the functions name.
//! Never says what a setting means: the documents do.

use std::{collections::BTreeSet, fs, path::Path};

use devstack::app_folder::workspace_root;
use regex::Regex;

use super::files_below;

/// Names that the code reads as signs of where it runs, or knows in order to refuse or to leave alone.
const NO_SETTINGS: [&str; 5] = [
    "WEBSITE_",
    "CONTAINER_APP_",
    "LEGION_",
    "MANAGED_ENV",
    "KUBERNETES_",
];

fn names(pattern: &str, text: &str) -> BTreeSet<String> {
    let pattern = Regex::new(pattern).unwrap();
    let found = pattern.captures_iter(text).map(|found| found[1].to_owned());
    found.collect()
}

/// The names in the table's first column.
fn documented() -> BTreeSet<String> {
    let page = fs::read_to_string(workspace_root().join("docs/settings.md")).unwrap();
    let rows = page.lines().filter(|line| line.starts_with("| `"));
    let first = rows.filter_map(|row| row.split('|').nth(1));
    first.flat_map(|cell| names("`([A-Za-z_]+)`", cell)).collect()
}

/// The names that the code of the settings holds as whole texts, its tests left out.
fn read_by_the_code() -> BTreeSet<String> {
    let mut files = Vec::new();
    files_below(&workspace_root().join("handler/src/config"), &mut files);
    let text: String = files.iter().map(|file| without_tests(file)).collect();
    let mut found = names(
        r#""([A-Z][A-Z0-9]*_[A-Z0-9_]*[A-Z]|PG[A-Z]{3,}|PARTS|AUTH|OUTBOX)""#,
        &text,
    );
    found.extend(names(r#""(ServiceBus[A-Za-z_]*[A-Za-z])""#, &text));
    found.remove("PGDATA");
    found.retain(|name| !NO_SETTINGS.iter().any(|prefix| name.starts_with(prefix)));
    found
}

fn without_tests(file: &Path) -> String {
    let text = fs::read_to_string(file).unwrap();
    let end = text.find("#[cfg(test)]").unwrap_or(text.len());
    text[..end].to_owned()
}

#[test]
fn the_table_of_settings_names_those_that_the_code_reads() {
    let schedules = ["JobsSchedule", "RelaySchedule"].map(str::to_owned);
    let mut read = read_by_the_code();
    assert!(read.len() > 25, "{read:?}");
    read.extend(schedules);
    assert_eq!(documented(), read);
}

#[test]
fn the_settings_file_and_the_functions_name_documented_settings_only() {
    let documented = documented();
    let root = workspace_root();
    let file = fs::read_to_string(root.join("local.settings.json")).unwrap();
    let file: serde_json::Value = serde_json::from_str(&file).unwrap();
    let of_the_host = ["FUNCTIONS_WORKER_RUNTIME", "AzureWebJobsStorage"];
    for name in file["Values"].as_object().unwrap().keys() {
        let known = of_the_host.contains(&name.as_str()) || documented.contains(name);
        assert!(known, "local.settings.json: {name}");
    }
    let mut functions = Vec::new();
    for folder in fs::read_dir(root.join("functions")).unwrap() {
        let text = fs::read_to_string(folder.unwrap().path().join("function.json")).unwrap();
        functions.extend(names("%([A-Za-z_]+)%", &text));
        functions.extend(names(r#""connection": "([A-Za-z_]+)""#, &text));
    }
    assert!(functions.contains(&"RelaySchedule".to_owned()), "{functions:?}");
    for name in functions {
        assert!(documented.contains(&name), "function.json: {name}");
    }
}
