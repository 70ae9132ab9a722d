//! The words of docs/architecture.md's glossary are the words of the sources.
//! Never judges the meaning that stands beside a word.

use std::fs;

use devstack::app_folder::workspace_root;
use regex::Regex;

/// The rows below `| word | meaning | item | file |`.
fn rows(text: &str) -> Vec<[String; 4]> {
    let cells = |line: &str| -> Vec<String> {
        let line = line.trim().trim_matches('|');
        line.split('|')
            .map(|cell| cell.trim().trim_matches('`').to_owned())
            .collect()
    };
    text.lines()
        .map(cells)
        .skip_while(|cells| {
            cells
                .iter()
                .map(|cell| cell.to_lowercase())
                .ne(["word", "meaning", "item", "file"])
        })
        .skip(2)
        .map_while(|cells| cells.try_into().ok())
        .collect()
}

#[test]
fn each_word_of_the_glossary_is_declared_in_the_file_it_names() {
    let root = workspace_root();
    let rows = rows(&fs::read_to_string(root.join("docs/architecture.md")).unwrap());
    assert!(rows.len() >= 20, "{rows:?}");
    for [word, _, item, file] in rows {
        let text =
            fs::read_to_string(root.join(&file)).unwrap_or_else(|error| panic!("{word}: {file}: {error}"));
        let name = item.rsplit("::").next().unwrap();
        let kinds = "struct|enum|trait|type|fn|const|static|mod|table|view|function|column|index";
        let declared = format!(
            r"(?i-u:\b(?:{kinds})\s+(?:if not exists )?(?:\w+\.)?){}(?-u:\b)",
            regex::escape(name)
        );
        assert!(
            Regex::new(&declared).unwrap().is_match(&text),
            "{word}: {file} declares no {name}"
        );
    }
}
