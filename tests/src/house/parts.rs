//! Which part of the handler may know which, and that the devstack knows no crate of ours.
//! Never looks inside a part: `circles` does.

use std::{collections::BTreeSet, fs};

use devstack::app_folder::workspace_root;

use super::files_below;

/// What each part of the handler may use of the others; `app` and `cli` put everything together.
const MAY_USE: [(&str, &[&str]); 21] = [
    ("json", &[]),
    ("domain", &["json"]),
    ("condition", &[]),
    ("error_chain", &[]),
    ("panics", &[]),
    ("tls", &[]),
    ("identity", &[]),
    ("postgres", &["condition", "domain", "identity", "tls"]),
    ("log", &["domain", "json", "postgres"]),
    ("write", &["domain", "json", "postgres", "condition", "log"]),
    ("bus", &["domain", "condition", "identity", "tls"]),
    ("relay", &["domain", "postgres", "condition", "log", "bus"]),
    ("read", &["domain", "identity", "json", "postgres", "condition"]),
    (
        "health",
        &["postgres", "write", "read", "bus", "condition", "config"],
    ),
    (
        "http",
        &[
            "write", "read", "bus", "domain", "json", "config", "health", "inspect", "jobs",
        ],
    ),
    (
        "jobs",
        &["domain", "json", "postgres", "log", "bus", "read", "config"],
    ),
    ("inspect", &["domain", "log", "bus", "read", "health", "jobs"]),
    ("timer", &["postgres", "relay", "read", "jobs"]),
    (
        "triggers",
        &["config", "domain", "timer", "jobs", "read", "bus", "http"],
    ),
    ("config", &["bus", "identity", "postgres", "read", "tls"]),
    ("migrate", &["config", "postgres"]),
];

/// What every part may use.
const FOR_ALL: [&str; 2] = ["error_chain", "panics"];

/// The parts named after `crate::`, one by one or in braces.
fn used(text: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (at, _) in text.match_indices("crate::") {
        let rest = &text[at + "crate::".len()..];
        let word = |text: &str| -> String {
            text.chars()
                .take_while(|c| c.is_alphanumeric() || *c == '_')
                .collect()
        };
        let Some(group) = rest.strip_prefix('{') else {
            found.insert(word(rest));
            continue;
        };
        let mut depth = 1;
        let mut start = true;
        for (index, letter) in group.char_indices() {
            match letter {
                '{' => depth += 1,
                '}' => depth -= 1,
                ',' if depth == 1 => start = true,
                letter if start && letter.is_alphabetic() => {
                    found.insert(word(&group[index..]));
                    start = false;
                }
                _ => {}
            }
            if depth == 0 {
                break;
            }
        }
    }
    found
}

#[test]
fn imports_of_the_handler_go_one_way() {
    let root = workspace_root().join("handler/src");
    for (part, allowed) in MAY_USE {
        let mut files = Vec::new();
        files_below(&root.join(part), &mut files);
        files_below(&root.join(format!("{part}.rs")), &mut files);
        files.retain(|file| file.exists());
        assert!(!files.is_empty(), "there is no {part}");
        for file in files {
            for other in used(&fs::read_to_string(&file).unwrap()) {
                let fine =
                    other == part || FOR_ALL.contains(&other.as_str()) || allowed.contains(&other.as_str());
                assert!(fine, "{} may not use {other}", file.display());
            }
        }
    }
}

#[test]
fn imports_in_braces_are_seen_too() {
    let text = "use crate::{\n    a::{b, c},\n    d,\n};\nuse crate::e::f;";
    let names: Vec<String> = used(text).into_iter().collect();
    assert_eq!(names, ["a", "d", "e"]);
}

#[test]
fn the_devstack_depends_on_no_crate_of_ours() {
    let manifest = fs::read_to_string(workspace_root().join("devstack/Cargo.toml")).unwrap();
    let named = |line: &str| {
        ["handler", "tests", "path"]
            .iter()
            .any(|word| line.starts_with(word))
    };
    assert!(!manifest.lines().any(named), "{manifest}");
}
