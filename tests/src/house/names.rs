//! Names: of tests, which are sentences, and of types, which are the field's.
//! Never looks at prose.

use std::{fs, path::Path};

use devstack::app_folder::workspace_root;
use regex::Regex;

use super::{files_below, packages};

/// A sentence that is longer is read twice.
const MOST_WORDS: usize = 14;

/// Names that words of the field have replaced: of types, of functions as they are declared, and of files.
const OLD_TYPES: &str = "Wish|Mark|Given|Named|Reach|Who|Word|Back|Once|Expected|Pending|Verdict|Rows|Working|Cut|Lost|Look|\
    Seen|Shelf|Shared|Place|Recorded|Anew|Removal|Comparison|Came|Left|Failed|Unfit|Whose|Trail|Letter|Fate|Tally|\
    Tell|Told|Heard|Invalid|Missing|Offer|Unkept|Creation|Reading|Late|Due|Compared|Reached|Open|Emulator|Switches|Args";
const OLD_FUNCTIONS: &str = r"(?:takes|refuses|asks|accepts)\(mut self|passes\(&self\)|look\(";
/// Functions of the host, by the names that they had: settings that name one would switch nothing off.
const OLD_HOST_FUNCTIONS: &str = r"(?-u)\b(?:AnythingElse|GetOperation|SteerOperation|ListOperations|TraceOrder|RetireReadModel|PlanReplay|PlanProjection)\b";
const OLD_FILES: [&str; 7] = [
    "fresh.rs",
    "asking.rs",
    "looking.rs",
    "plain.rs",
    "utc.rs",
    "s1_read.sql",
    "s2_write.sql",
];

/// File and text of each source below this path.
fn texts(path: &Path) -> Vec<(String, String)> {
    let mut files = Vec::new();
    files_below(path, &mut files);
    files
        .into_iter()
        .filter(|file| file.extension().is_some_and(|extension| extension == "rs"))
        .map(|file| (file.display().to_string(), fs::read_to_string(&file).unwrap()))
        .collect()
}

#[test]
fn the_name_of_a_test_is_a_short_sentence() {
    let test =
        Regex::new(r"#\[(?:tokio::)?test(?:\([^)]*\))?\]\s*(?:#\[[^\]]*\]\s*)*(?:async )?fn (\w+)").unwrap();
    let (mut tests, mut refused) = (0, Vec::new());
    for package in packages() {
        let manifest = Path::new(package["manifest_path"].as_str().unwrap());
        for (file, text) in texts(manifest.parent().unwrap()) {
            for found in test.captures_iter(&text) {
                tests += 1;
                let words = found[1].split('_').count();
                if words > MOST_WORDS || found[1].starts_with("test_") {
                    refused.push(format!("{words} words: {} in {file}", &found[1]));
                }
            }
        }
    }
    assert!(tests > 500, "only {tests} are found");
    assert!(refused.is_empty(), "\n{}", refused.join("\n"));
}

#[test]
fn no_type_function_or_file_has_an_old_name() {
    let declared = format!(r"(?-u)\b(?:struct|enum|trait|type) (?:{OLD_TYPES})\b|\bfn (?:{OLD_FUNCTIONS})");
    let declared = Regex::new(&declared).unwrap();
    let mut refused = Vec::new();
    for part in ["handler/src", "devstack/src"] {
        let (mut files, folder) = (Vec::new(), workspace_root().join(part));
        files_below(&folder, &mut files);
        assert!(files.len() > 10, "{}", folder.display());
        for file in files {
            let is_old = OLD_FILES.iter().any(|name| file.ends_with(name));
            if is_old {
                refused.push(file.display().to_string());
            }
        }
        for (file, text) in texts(&folder) {
            for found in declared.find_iter(&text) {
                refused.push(format!("{} in {file}", found.as_str()));
            }
        }
    }
    assert!(refused.is_empty(), "\n{}", refused.join("\n"));
}

#[test]
fn no_function_of_the_host_has_an_old_name() {
    let old = Regex::new(OLD_HOST_FUNCTIONS).unwrap();
    let mut files = Vec::new();
    for part in [
        "functions",
        "handler",
        "devstack/src",
        "tests/src",
        "docs",
        "README.md",
        "CONTRIBUTING.md",
    ] {
        files_below(&workspace_root().join(part), &mut files);
    }
    let mut refused = Vec::new();
    // This file has to name them.
    for file in files.iter().filter(|file| !file.ends_with("house/names.rs")) {
        let path = file.display().to_string();
        let text = fs::read_to_string(file).unwrap_or_default();
        let found = old.find(&path).or_else(|| old.find(&text));
        refused.extend(found.map(|name| format!("{} in {path}", name.as_str())));
    }
    assert!(files.len() > 200, "{}", files.len());
    assert!(refused.is_empty(), "\n{}", refused.join("\n"));
}
