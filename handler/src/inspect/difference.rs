//! Differences of two JSON values, place by place, in words for a person.
//! Never says what is equal: of two long documents that differ in one amount, that amount is told.

use std::collections::BTreeSet;

use serde_json::Value;

/// Most places that are told of one document, and most characters of one value.
const MOST_PLACES: usize = 20;
const LONGEST_VALUE: usize = 100;

/// A line for each place, by its JSON Pointer (RFC 6901); null stands for what is not there.
#[must_use]
pub fn difference(expected: &Value, found: &Value) -> Vec<String> {
    if expected.is_null() != found.is_null() {
        let is_missing = found.is_null();
        return vec![
            if is_missing {
                "is missing"
            } else {
                "must not be there"
            }
            .to_owned(),
        ];
    }
    let mut lines = Vec::new();
    compare("", Some(expected), Some(found), &mut lines);
    let more = lines.len().saturating_sub(MOST_PLACES);
    lines.truncate(MOST_PLACES);
    if more > 0 {
        lines.push(format!("and {more} more"));
    }
    lines
}

fn compare(pointer: &str, expected: Option<&Value>, found: Option<&Value>, lines: &mut Vec<String>) {
    match (expected, found) {
        (Some(Value::Object(expected)), Some(Value::Object(found))) => {
            let names: BTreeSet<&String> = expected.keys().chain(found.keys()).collect();
            for name in names {
                let token = name.replace('~', "~0").replace('/', "~1");
                compare(
                    &format!("{pointer}/{token}"),
                    expected.get(name),
                    found.get(name),
                    lines,
                );
            }
        }
        (Some(Value::Array(expected)), Some(Value::Array(found))) => {
            for index in 0..expected.len().max(found.len()) {
                compare(
                    &format!("{pointer}/{index}"),
                    expected.get(index),
                    found.get(index),
                    lines,
                );
            }
        }
        (expected, found) if expected == found => {}
        (Some(expected), Some(found)) => lines.push(format!(
            "{pointer} must be {}, and is {}",
            short(expected),
            short(found)
        )),
        (Some(expected), None) => {
            lines.push(format!("{pointer} must be {}, and is missing", short(expected)));
        }
        (None, Some(found)) => lines.push(format!("{pointer} must not be there, and is {}", short(found))),
        (None, None) => {}
    }
}

fn short(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(LONGEST_VALUE) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_place_that_differs_is_told_by_its_pointer_and_no_other() {
        let expected = json!({ "status": "paid", "total": { "amount": 500, "currency": "EUR" }, "lines": [1, 2], "a/b": 1 });
        let found = json!({ "status": "paid", "total": { "amount": 600, "currency": "EUR" }, "lines": [1], "new": "x" });
        assert_eq!(
            difference(&expected, &found),
            [
                "/a~1b must be 1, and is missing",
                "/lines/1 must be 2, and is missing",
                "/new must not be there, and is \"x\"",
                "/total/amount must be 500, and is 600",
            ]
        );
        assert_eq!(difference(&expected, &expected), Vec::<String>::new());
        assert_eq!(difference(&expected, &Value::Null), ["is missing"]);
        assert_eq!(difference(&Value::Null, &found), ["must not be there"]);
    }

    #[test]
    fn long_values_and_many_places_are_cut() {
        let many: Vec<i32> = (0..30).collect();
        let lines = difference(
            &json!({ "all": many, "long": "é".repeat(500) }),
            &json!({ "all": [] }),
        );
        assert_eq!(lines.len(), MOST_PLACES + 1);
        assert_eq!(lines[MOST_PLACES], "and 11 more");
        let long = difference(&json!("é".repeat(500)), &json!("e"));
        assert!(long[0].chars().count() < 150, "{long:?}");
    }
}
