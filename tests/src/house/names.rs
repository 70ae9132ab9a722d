//! Names of tests are short sentences.
//! Never looks at prose.

use std::{fs, path::Path};

use regex::Regex;

use super::{packages, rust_files};

/// A sentence that is longer is read twice.
const MOST_WORDS: usize = 14;

/// File and text of each source below this path.
fn texts(path: &Path) -> Vec<(String, String)> {
    let mut files = Vec::new();
    rust_files(path, &mut files);
    files
        .into_iter()
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
