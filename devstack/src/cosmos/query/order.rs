//! Refuses an order that the container has no index for, as Azure does.
//! It never looks at what filters could use of an index: a filter without one is slow and not wrong.

use std::ops::Range;

use serde_json::Value;

use super::clauses::{list, path};
use super::names::BoundNames;
use super::tokens::Token;
use crate::cosmos::refusal::Refusal;

/// One property that is sorted by.
#[derive(Debug)]
pub(super) struct SortKey {
    /// Its tokens, without the direction.
    pub(super) tokens: Range<usize>,
    pub(super) descending: bool,
}

pub(super) fn sorted(tokens: &[Token], order: &Range<usize>) -> Vec<SortKey> {
    if order.is_empty() {
        return Vec::new();
    }
    let sorted = |mut item: Range<usize>| {
        let last = item.clone().next_back().map(|at| &tokens[at]);
        let says = |word: &str| last.is_some_and(|last| last.is_word(word));
        let descending = says("DESC");
        if descending || says("ASC") {
            item.end -= 1;
        }
        SortKey {
            tokens: item,
            descending,
        }
    };
    list(tokens, order.clone()).into_iter().map(sorted).collect()
}

pub(super) fn check(
    tokens: &[Token],
    sorted: &[SortKey],
    sources: &BoundNames,
    definition: &Value,
) -> Result<(), Refusal> {
    let mut paths = Vec::new();
    for item in sorted {
        let Some(path) = path(&tokens[item.tokens.clone()]).filter(|path| path.len() > 1) else {
            let message = "Unsupported ORDER BY clause. ORDER BY item expression could not be mapped to a document path.";
            return Err(Refusal::bad(message));
        };
        if sources.item.as_ref() != Some(&path[0]) {
            return Ok(());
        }
        paths.push((format!("/{}", path[1..].join("/")), item.descending));
    }
    let policy = &definition["indexingPolicy"];
    match paths.as_slice() {
        [] => Ok(()),
        [(path, _)] if is_indexed(policy, path) => Ok(()),
        [_] => Err(Refusal::bad(
            "The index path corresponding to the specified order-by item is excluded.",
        )),
        _ if is_composite(policy, &paths) => Ok(()),
        _ => Err(Refusal::bad(
            "The order by query does not have a corresponding composite index that it can be served from.",
        )),
    }
}

/// True when a value at this path is in the index: the longest of the policy's paths that covers it decides. Without a
/// policy everything is (<https://learn.microsoft.com/azure/cosmos-db/index-policy>).
fn is_indexed(policy: &Value, path: &str) -> bool {
    if policy["indexingMode"]
        .as_str()
        .is_some_and(|mode| mode.eq_ignore_ascii_case("none"))
    {
        return false;
    }
    // These two always are.
    if path == "/id" || path == "/_ts" {
        return true;
    }
    let longest = |list: &str| {
        let paths = policy[list].as_array().into_iter().flatten();
        let covering = paths.filter_map(|each| covers(each["path"].as_str()?, path));
        covering.max()
    };
    let included = longest("includedPaths");
    match longest("excludedPaths") {
        Some(excluded) => included.is_some_and(|included| included > excluded),
        None => included.is_some() || policy["includedPaths"].as_array().is_none_or(Vec::is_empty),
    }
}

/// The number of the path's names that the policy's path says, if it covers it; one more for an exact end.
fn covers(policy: &str, path: &str) -> Option<usize> {
    let plain = |text: &str| text.replace(['"', '\''], "");
    let names: Vec<String> = policy.split('/').skip(1).map(plain).collect();
    let (last, names) = names.split_last()?;
    let of_path: Vec<&str> = path.split('/').skip(1).collect();
    let begins = names.len() <= of_path.len()
        && names
            .iter()
            .zip(&of_path)
            .all(|(name, part)| name == part || name == "[]");
    let exact = names.len() == of_path.len();
    match last.as_str() {
        "*" if begins => Some(2 * names.len()),
        "?" if begins && exact => Some(2 * names.len() + 1),
        _ => None,
    }
}

/// True when one composite index has just these paths, in their order and in all their directions or none of them.
fn is_composite(policy: &Value, paths: &[(String, bool)]) -> bool {
    let indexes = policy["compositeIndexes"].as_array().into_iter().flatten();
    indexes.filter_map(Value::as_array).any(|index| {
        let turned: Vec<Option<bool>> = index
            .iter()
            .zip(paths)
            .map(|(indexed, (path, descending))| {
                let is_descending = indexed["order"].as_str() == Some("descending");
                (indexed["path"] == path.as_str()).then_some(is_descending != *descending)
            })
            .collect();
        index.len() == paths.len()
            && (turned.iter().all(|each| *each == Some(true))
                || turned.iter().all(|each| *each == Some(false)))
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_longest_path_decides_what_is_indexed() {
        let policy = json!({"includedPaths": [{"path": "/*"}, {"path": "/big/small/?"}],
            "excludedPaths": [{"path": "/big/*"}, {"path": "/\"_etag\"/?"}]});
        for (path, indexed) in [
            ("/n", true),
            ("/big", false),
            ("/big/x", false),
            ("/big/small", true),
            ("/big/small/x", false),
            ("/_etag", false),
        ] {
            assert_eq!(is_indexed(&policy, path), indexed, "{path}");
        }
        let ours = json!({"includedPaths": [{"path": "/version/?"}], "excludedPaths": [{"path": "/*"}]});
        assert!(is_indexed(&ours, "/version") && !is_indexed(&ours, "/placedAt"));
        assert!(is_indexed(&Value::Null, "/n") && !is_indexed(&json!({"indexingMode": "none"}), "/n"));
    }

    #[test]
    fn a_composite_index_serves_its_own_order_and_the_opposite() {
        let policy = json!({"compositeIndexes": [[{"path": "/city", "order": "ascending"}, {"path": "/n", "order": "descending"}]]});
        let serves = |paths: &[(&str, bool)]| {
            let paths: Vec<_> = paths
                .iter()
                .map(|(path, descending)| ((*path).to_owned(), *descending))
                .collect();
            is_composite(&policy, &paths)
        };
        assert!(serves(&[("/city", false), ("/n", true)]) && serves(&[("/city", true), ("/n", false)]));
        assert!(!serves(&[("/city", false), ("/n", false)]) && !serves(&[("/n", true), ("/city", false)]));
        assert!(!serves(&[("/city", false), ("/n", true), ("/id", false)]));
    }
}
