//! Says in a query's own words where a sorted query goes on (`resumeFilter`), which the service in memory overlooks.
//! It never leaves out what is equal to the place: the client knows which of those it has had.

use serde_json::Value;

use super::order::SortKey;
use super::tokens::{Token, join};
use crate::cosmos::refusal::Refusal;

/// The types in the order in which values of different types are sorted.
const TYPES: [&str; 7] = ["UNDEFINED", "NULL", "BOOL", "NUMBER", "STRING", "ARRAY", "OBJECT"];

/// The condition, in text.
pub(super) fn condition(tokens: &[Token], sorted: &[SortKey], filter: &Value) -> Result<String, Refusal> {
    let values = filter["value"]
        .as_array()
        .filter(|values| values.len() == sorted.len());
    let Some(values) = values.filter(|values| !values.is_empty()) else {
        return Err(Refusal::bad(
            "The resumeFilter has not one value for each ORDER BY item.",
        ));
    };
    // What comes after the last value equals the whole place, which belongs to the rest unless the client has had it.
    let mut condition = (filter["exclude"] != true).to_string();
    for (item, value) in sorted.iter().zip(values).rev() {
        let path = join(&tokens[item.tokens.clone()]);
        let Some((kind, literal)) = literal(value) else {
            return Err(Refusal::unsupported_query(
                "an order that goes on at a list or an object",
            ));
        };
        let later = if item.descending {
            &TYPES[..kind]
        } else {
            &TYPES[kind + 1..]
        };
        let mut after: Vec<String> = later.iter().map(|name| is(name, &path)).collect();
        if kind > 1 {
            let sign = if item.descending { "<" } else { ">" };
            after.push(format!("{path} {sign} {literal}"));
        }
        let equal = if kind > 1 {
            format!("{path} = {literal}")
        } else {
            is(TYPES[kind], &path)
        };
        after.push(format!("({equal} AND {condition})"));
        condition = format!("({})", after.join(" OR "));
    }
    Ok(condition)
}

fn is(kind: &str, path: &str) -> String {
    match kind {
        "UNDEFINED" => format!("NOT IS_DEFINED({path})"),
        kind => format!("IS_{kind}({path})"),
    }
}

/// The place of the value's type, and the value as a query writes it. `[]` is how clients write what is not there.
fn literal(value: &Value) -> Option<(usize, String)> {
    match value {
        Value::Null => Some((1, "null".to_owned())),
        Value::Bool(value) => Some((2, value.to_string())),
        Value::Number(value) => Some((3, value.to_string())),
        Value::String(value) => Some((4, super::rewrite::text(value))),
        Value::Array(value) if value.is_empty() => Some((0, String::new())),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::order::sorted;
    use super::super::tokens::cut;
    use super::*;

    fn of(order: &str, filter: &Value) -> String {
        let tokens = cut(order).unwrap();
        condition(&tokens, &sorted(&tokens, &(0..tokens.len())), filter).unwrap()
    }

    #[test]
    fn it_goes_on_after_the_value_and_with_what_equals_it() {
        let condition = of("c.n", &json!({"value": [6], "rid": "x", "exclude": false}));
        assert_eq!(
            condition,
            "(IS_STRING(c.n) OR IS_ARRAY(c.n) OR IS_OBJECT(c.n) OR c.n > 6 OR (c.n = 6 AND true))"
        );
        let condition = of("c.n DESC", &json!({"value": ["it's"], "exclude": true}));
        assert!(
            condition.ends_with("IS_NUMBER(c.n) OR c.n < 'it''s' OR (c.n = 'it''s' AND false))"),
            "{condition}"
        );
    }

    #[test]
    fn of_two_values_the_second_counts_where_the_first_is_equal() {
        let condition = of("c.a, c.b DESC", &json!({"value": [null, true], "exclude": false}));
        assert!(condition.contains("(IS_NULL(c.a) AND (NOT IS_DEFINED(c.b) OR IS_NULL(c.b) OR c.b < true OR (c.b = true AND true)))"), "{condition}");
    }
}
